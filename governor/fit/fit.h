#pragma once

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "governor/fit/measurement.h"
#include "governor/fit/voltages.h"

namespace flyball {

/// A number with the half width of its 95 % interval; NaN where the rows leave nothing over to tell it.
struct ParameterEstimate {
  double value = 0;
  double half = std::numeric_limits<double>::quiet_NaN();
  bool determined() const { return std::isfinite(half); }
};

/// A row, and what the laws of its unit make of it.
struct FittedRow {
  Measurement measured;
  double law_mw = 0;     ///< 0: no power was measured
  double law_ms = 0;     ///< 0: no time was measured
  std::string rejected;  ///< why it was not used; empty when it was
  bool kept() const { return rejected.empty(); }
};

struct DeviceFactor {
  int file = 0;
  double factor = 1;  ///< of the power law, which is the devices' geometric mean
  int rows = 0;
};

enum class VoltageSource { kMeasured, kListed, kAssumed };

struct FittedOpp {
  long khz = 0;
  double mv = 0;
};

/// A unit, with the model of env/model/platform_spec.h:
///   time  = (mcycles / f + memory) (1 - p + p / cores) time_factor(width)
///   power = V^2 f (uncore + busy cores * core activity(width) + clocked idle cores * idle_core)
///           + V static [while it runs] + leakage(V, T)
struct FittedCluster {
  std::string name;
  bool gpu = false;
  int cores = 1;
  std::string cores_source;  ///< empty: the table shows that many at work
  std::vector<FittedOpp> opps;
  VoltageSource voltage_source = VoltageSource::kAssumed;
  std::vector<FittedRow> rows;
  bool has_time = false;
  ParameterEstimate mcycles, memory_ms;
  ParameterEstimate core_nf, uncore_nf, idle_core_nf, static_ma, leak_a, leak_c_a;
  bool gate_idle_cores = true;
  bool cores_vary =
      false;  ///< so that the uncore's part, and the current's, are told from a core's
  double mean_time_error_pct = 0;
  double mean_error_pct = 0,
         max_error_pct = 0;             ///< of power, over kept rows; each device by its own factor
  int points = 0, rejected = 0;         ///< rows with power, and those not used
  std::vector<DeviceFactor> devices;    ///< when several have the unit
  double offset_c = 10, r_k_per_w = 0;  ///< of its temperature; 0: nothing was measured
};

struct FittedWidth {
  double width_pct = 100;
  double time_factor = 1;
  double activity_factor = 1;
  double accuracy_pct = 0;  ///< 0: not in the tables
};

struct FittedPlatform {
  std::vector<std::string> files;
  std::vector<FittedCluster> clusters;
  std::vector<FittedWidth> widths;  ///< ascending
  bool coremark = false;
  bool has_time = false;  ///< of every cluster
  ParameterEstimate
      parallel_fraction;  ///< half is NaN and value kAssumedParallel where cores never vary
  bool parallel_measured = false;
  std::vector<std::string> notes;  ///< a sentence each
};

inline constexpr double kAssumedParallel = 0.9;
/// Temperature dependence of leakage: of the Exynos 5422, as the DS3 simulator has it. One table's
/// temperatures do not span enough to fit it beside the leakage itself.
inline constexpr double kLeakageK = 2660;
inline constexpr double kLeakageCoreShare = 0.8;

/// The leakage of a watt per volt at `temp_c` for leak_a = 1, and the part that is powered.
double leakage_of(double temp_c);
double leaking_part(double powered_cores, double cores);

/// Mean number of busy cores of a job on `cores` of them (env/model/model.h, job_load).
double busy_cores(double cores, double parallel_fraction);

/// Throws Error (kInput) when a unit has nothing left to fit. `cores` by unit, where known.
FittedPlatform fit_platform(const Measurements& measurements, const Voltages& voltages,
                            const std::map<std::string, int>& cores);

// The steps of it, in this order.
void check_rows(FittedPlatform& platform);  ///< rejects what cannot be true of one row by itself
void fit_times(FittedPlatform& platform);
void fit_powers(FittedPlatform& platform, const Voltages& voltages);
void fit_temperatures(FittedPlatform& platform);

/// Assumed: no busy unit takes less energy for a cycle.
inline constexpr double kLeastNjPerCycle = 0.01;
/// Throws Error (kInput) where the most that a unit takes, above 0, is less than that.
void check_power_unit(const std::string& unit, double most_nj_per_cycle);

}  // namespace flyball
