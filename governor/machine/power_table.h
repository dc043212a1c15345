#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/cpu_set.h"

namespace flyball {

/// CPUs of one clock, as a table of power has them: its `unit`.
struct TableCluster {
  std::string name;
  CpuSet cpus;                    ///< that a load can be put on
  std::vector<std::int64_t> khz;  ///< to be measured, ascending; empty: its clock cannot be set
};

struct TableRail {
  std::string name;    ///< "A15 by INA231"
  bool whole = false;  ///< by its kind it feeds more than a cluster: a package, an input, a battery
};

/// What a table is measured on. Whoever measures calls it from one thread; times are its own clock's.
class TableMachine {
 public:
  virtual ~TableMachine() = default;
  virtual std::vector<TableCluster> clusters() const = 0;
  virtual std::vector<TableRail> rails() const = 0;
  /// Throws Error (kFailure) when the measuring is to end: nothing may be made of what there is.
  virtual void wait(std::int64_t ns) = 0;
  /// Since the last reading where it counts energy, else as of now. False: it does not answer.
  virtual bool read_mw(std::size_t rail, double& mw) = 0;
  virtual void ask(std::size_t cluster, std::int64_t khz) = 0;
  virtual std::optional<std::int64_t> clock_khz(std::size_t cluster) = 0;
  /// The hottest of the CPUs' zones.
  virtual std::optional<double> temp_c() = 0;
  /// Begins to run jobs one after the other, a worker on each of the CPUs, until stop().
  virtual void run(const CpuSet& cpus, int width_pct) = 0;
  /// The median time of a job, in milliseconds; 0 when none ended.
  virtual double stop() = 0;
  virtual std::vector<int> widths_pct() const = 0;  ///< ascending; the last is the whole network
  /// Of all the jobs at this width so far, where their answers are known.
  virtual std::optional<double> accuracy_pct(int width_pct) const {
    (void)width_pct;
    return std::nullopt;
  }
};

struct TableOptions {
  std::int64_t settle_ns = 1'000'000'000;   ///< before a point is looked at
  std::int64_t measure_ns = 2'000'000'000;  ///< then, at least; four times as long while it drifts
};

struct TableRow {
  std::string unit;
  double mhz = 0;
  int cores = 0;
  int width_pct = 100;
  std::optional<double> time_ms, power_mw, temp_c, accuracy_pct;
};

/// How the power of a cluster was measured.
struct TableSource {
  std::string unit, rail;
  bool own = false;    ///< nothing else draws from the rail; else idle power was taken off
  double idle_mw = 0;  ///< of the rail, at lowest clocks
};

struct PowerTable {
  std::vector<TableSource> sources;
  std::vector<TableRow> rows;
  std::vector<std::string>
      notes;  ///< a sentence each: what could not be measured, and what was odd
};

/// How many cores a cluster of so many is measured with: each count up to four, then doubled, and all.
std::vector<int> table_cores(int cores);

/// The seconds that it will take at least.
double table_seconds(const TableMachine& machine, const TableOptions& options);

/// Time and power of the machine's jobs on each cluster, at each clock and number of cores, the other
/// clusters idle at their lowest clocks. First all cores of each cluster are loaded in turn, to see
/// which rail rises with it: the cluster's is the one that idles lowest of those that rise with nearly
/// all that rises. Of a rail that feeds other things as well, idle power is taken off; of one of the
/// cluster's own rows of no cores are added. A point whose power does not come to rest is left out
/// with a note. Throws Error (kFailure) when no rail rises with any cluster, or what `wait` throws.
PowerTable measure_power_table(TableMachine& machine, const TableOptions& options,
                               const std::function<void(double done)>& progress = {});

/// As 'flyball fit' reads it, with what was measured how in comments. `load`: what ran.
std::string table_csv(const PowerTable& table, const std::string& load);
/// How such a file begins.
inline constexpr const char* kTableStart = "# Measured by 'flyball profile'";

}  // namespace flyball
