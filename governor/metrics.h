#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "governor/control_loop.h"

namespace flyball {

/// The figures by which policies are compared, of one run. Names are the keys of `compare --json`.
struct Metrics {
  double energy_mj_per_job = 0;     ///< all energy of the platform over the jobs that finished
  double deadline_miss_pct = 0;     ///< of released jobs, dropped ones included
  double infeasible_pct = 0;        ///< of released jobs: no configuration could have met them
  double accuracy_pct = 0;          ///< mean over finished jobs
  double latency_p50_ms = 0;
  double latency_p99_ms = 0;
  double power_mean_mw = 0;
  double temp_peak_c = 0;
  double throttled_s = 0;           ///< time with a thermal cap below the highest OPP
  double transitions = 0;           ///< frequency changes
  double migrations = 0;            ///< mapping changes that took effect
  double width_switches = 0;
  double decide_p50_ns = 0;
  double energy_gap_to_oracle_pct = 0;  ///< NaN when there is no oracle to compare with
  double jobs = 0;
  double reward = 0;                ///< sum over the run
};

struct MetricField {
  std::string_view key;
  double Metrics::*value;
};
/// Every field, in the order of the printed table.
const std::vector<MetricField>& metric_fields();

/// Collects Metrics from the loop.
class MetricsSink final : public EpochSink {
 public:
  explicit MetricsSink(const PlatformSpec& platform);
  void on_epoch(const EpochEvent& event) override;
  Metrics result() const;
};

/// Mean and 95 % interval over seeds (Student's t). One seed: lo = hi = mean.
struct Estimate {
  double mean = 0, lo = 0, hi = 0;
};
Estimate estimate(const std::vector<double>& values);

}  // namespace flyball
