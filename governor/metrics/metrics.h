#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "governor/loop/control_loop.h"
#include "governor/metrics/forecast_score.h"
#include "governor/metrics/histogram.h"
#include "governor/metrics/job_count.h"

namespace flyball {

/// The figures by which policies are compared, of one run. Names are the keys of `compare --json`.
/// A share is of the jobs whose fate is known at the end: released ones less those that still had
/// time.
/// Shares are NaN when there is none such; energy, accuracy and latencies when no job finished.
struct Metrics {
  double energy_mj_per_job = 0;  ///< all energy of the platform over the jobs that finished
  double deadline_miss_pct = 0;  ///< of released jobs, dropped ones included
  double infeasible_pct = 0;     ///< of the released jobs that are listed (Observation::jobs): no
                                 ///< configuration could have met them
  double accuracy_pct = 0;       ///< mean over finished jobs
  double latency_p50_ms = 0;     ///< of finished jobs (a dropped one has none), within 0.4 %
  double latency_p99_ms = 0;
  double power_mean_mw = 0;
  double temp_peak_c = 0;
  double throttled_s = 0;  ///< time with a thermal cap below the highest OPP
  double transitions = 0;  ///< frequency changes
  double migrations = 0;   ///< mapping changes that took effect
  double level_switches = 0;
  double decide_p50_ns = 0;  ///< of the epochs in which something was decided anew
  double dropped_pct = 0;    ///< of released jobs; they have no latency, accuracy or energy
  /// How often what was predicted came true: the share of forecast jobs whose time, and whose
  /// energy, was within the predicted 90 % interval. NaN when nothing was predicted.
  double time_in_interval_pct = std::numeric_limits<double>::quiet_NaN();
  double energy_in_interval_pct = std::numeric_limits<double>::quiet_NaN();
  // How far the energy is above each of the three that compare() finds; NaN where there is none.
  double energy_gap_to_bound_pct = std::numeric_limits<double>::quiet_NaN();
  double energy_gap_to_best_found_pct = std::numeric_limits<double>::quiet_NaN();
  double energy_gap_to_informed_pct = std::numeric_limits<double>::quiet_NaN();
  double slack_lost_pct =  ///< NaN when no job with a deadline finished
      std::numeric_limits<double>::quiet_NaN();
  double efficiency_pct =  ///< NaN where rt-app's is not defined (compare.h)
      std::numeric_limits<double>::quiet_NaN();
  double jobs = 0;    ///< finished
  double reward = 0;  ///< sum over the run
  // NaN when no application has an energy budget; when no job's fate is known.
  double over_budget_pct = std::numeric_limits<double>::quiet_NaN();
  double utility_pct = std::numeric_limits<double>::quiet_NaN();
  // What else there is to say, for those who ask (metric_fields.cc); NaN where it is not defined.
  static constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();
  double energy_delay_mj_ms = kAbsent, jobs_per_joule = kAbsent, battery_h = kAbsent;
  double regret = kAbsent, recovery_s = kAbsent;
  double time_late_pct = kAbsent, time_below_floor_pct = kAbsent, time_over_energy_pct = kAbsent,
         time_over_power_pct = kAbsent;
  double time_error_pct = kAbsent, energy_error_pct = kAbsent, miss_brier = kAbsent;
  double fairness = kAbsent, knob_churn_per_s = kAbsent, thermal_margin_k = kAbsent;
  double decide_share_pct = kAbsent;
};

/// A figure, how it is called, shown and compared. A new one is a member of Metrics, its line in
/// metric_fields.cc and what computes it.
struct MetricField {
  enum class Better { kLess, kMore, kNeither };
  std::string_view key;  ///< in JSON
  std::string_view heading;
  std::string_view unit;
  int decimals;
  double Metrics::*value;
  std::string_view definition;  ///< what it is, a sentence or two
  std::string_view formula;
  std::string_view absent;  ///< why there may be none; empty: there always is one
  Better better = Better::kLess;
  bool shown = false;     ///< in the table for people
  bool ratio = false;     ///< compared as a ratio, since platforms and scenarios differ in scale
  bool tail = false;      ///< its worst matter as much as its mean: never trimmed
  bool measured = false;  ///< on this machine, so that it does not follow from the seed
};
/// Every field, in the order of the printed table.
const std::vector<MetricField>& metric_fields();
const MetricField& field_of(double Metrics::*value);

/// Collects Metrics from the loop.
class MetricsSink final : public EpochSink {
 public:
  /// How accurate jobs were is `truth`'s, which no platform reports; null: as declared.
  explicit MetricsSink(const PlatformSpec& platform, const PlatformSpec* truth = nullptr)
      : platform_(platform), truth_(truth) {}
  void on_bind(int slot, const Binding& binding, const Observation& now) override;
  void on_epoch(const EpochEvent& event) noexcept override;
  Metrics result() const;

 private:
  struct AppTotals {
    JobCount jobs;
    bool ran = false;
    AppSetting last;
    std::uint64_t met = 0;  ///< finished on time at the floor
  };
  void count_time(const JobRecord& job, const Requirements& required);
  void add_to(Metrics& metrics) const;
  double lowest_trip_c() const;
  double fairness() const;
  void count_job(const JobRecord& job, const Requirements& required);
  double utility_of(const JobRecord& job, const Requirements& required) const;
  float accuracy_of(const JobRecord& job) const;

  const PlatformSpec& platform_;
  const PlatformSpec* const truth_;
  std::array<const AppProfile*, kMaxApps> true_profile_{};
  std::array<AppTotals, kMaxApps> apps_{};
  DurationHistogram latency_, decide_;
  std::int64_t elapsed_ns_ = 0, throttled_ns_ = 0;
  double energy_mj_ = 0, accuracy_sum_ = 0, temp_peak_c_ = -273.15, reward_ = 0;
  std::uint64_t accuracy_jobs_ = 0, infeasible_ = 0, unlisted_ = 0;
  std::array<double, kMaxApps> best_accuracy_pct_{};  ///< of the application's levels
  double utility_ = 0, utility_weight_ = 0;
  std::uint64_t budgeted_ = 0, over_budget_ = 0;
  std::array<bool, kMaxApps> lacks_accuracy_{};  ///< plain load has none
  double slack_lost_ = 0;
  std::uint64_t slack_jobs_ = 0;
  ForecastScore forecasts_;
  double latency_sum_ms_ = 0, decide_sum_ns_ = 0;
  // Times, ns: of jobs that ran and of epochs.
  double below_floor_ns_ = 0, floored_ns_ = 0, over_energy_ns_ = 0, budgeted_ns_ = 0;
  std::int64_t late_ns_ = 0, over_power_ns_ = 0, power_budgeted_ns_ = 0;
  std::uint64_t transitions_ = 0, migrations_ = 0, level_switches_ = 0;
};

/// Mean and 95 % interval over seeds (Student's t). One seed: lo = hi = mean. None, or a NaN among
/// them: NaN.
struct Estimate {
  double mean = 0, lo = 0, hi = 0;
};
Estimate estimate(const std::vector<double>& values);

}  // namespace flyball
