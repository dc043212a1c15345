#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "agents/time_estimate.h"
#include "env/model/belief.h"
#include "env/model/model.h"
#include "env/spaces/observation.h"
#include "kernels/base/bytes.h"

namespace flyball {

/// What one application's jobs cost compared with what is believed, and how far the running one
/// has come. All work is counted in nominal jobs: 1 is what the belief expects of one job that runs
/// alone.
///
/// observed work of a job = integral of dt / (believed time at the setting and frequencies of the
/// moment * crowding)
///                        = work * model_error(mapping)
/// where `work` is a moving average that follows the stream (weight 0.25), `crowding` says how many
/// cores a mapping's clusters lack for all that wants to run on them (jobs of others included,
/// background load as it was seen lately), and the rest, slow and particular to a mapping, is its
/// `model_error` (weight 0.05).
///
/// None of it is policy: it is estimated anew in every run, also by an agent that does not learn.
class JobTracker {
 public:
  /// `times`, when there are some, learn from every job what of it is the board and not the work.
  JobTracker(const PlatformSpec& believed, const AppProfile& profile, int slot, bool known,
             TimeEstimate* times = nullptr);

  /// Takes in an epoch that ended with `outcome`.
  void observe(const Observation& outcome);

  /// Work expected of a job plus `deviations` mean absolute deviations; alone, on a mapping as
  /// believed.
  double work(double deviations) const { return work_ + deviations * deviation_; }
  double deviation() const { return deviation_; }
  /// By how much a job on this mapping takes longer than believed.
  double slowdown(int mapping) const {
    return static_cast<double>(model_error_[static_cast<std::size_t>(mapping)]) *
           crowding(mapping, others_cores_);
  }
  /// Work that the running job has behind it.
  double progress() const { return progress_; }
  /// Share of the time lately in which a job of this application ran.
  double duty() const { return duty_; }
  /// Busy cores per cluster that other governed applications take now or, when idle, on average.
  void set_company(const std::array<double, kMaxClusters>& cores);
  /// Other load on the most loaded cluster, as a share of its cores; governed applications
  /// included.
  double other_load() const { return other_load_; }
  /// Shortest distance of two releases lately, ns; it recovers by 2 % a job.
  double shortest_gap_ns() const { return shortest_gap_ns_; }

 private:
  double job_ns(const AppSetting& setting, const Observation& outcome);
  /// The running job has so much more work behind it, done at the clocks of the epoch.
  void add_progress(double work, const Observation& outcome);
  void no_progress() { progress_ = 0, clock_count_ = 0; }
  void job_finished(const JobRecord& job);
  void learn_times(const JobRecord& job);
  void note_release(std::int64_t release_ns);
  void note_other_load(const Observation& outcome);
  /// Cores that are wanted over cores that are there, on the mapping's most wanted cluster; at
  /// least 1.
  double crowding(int mapping, const std::array<double, kMaxClusters>& others) const;

  const PlatformSpec& platform_;
  const AppProfile& profile_;
  int slot_;
  TimeEstimate* times_;
  // Before anything is known: as the belief says; of an unknown profile the first jobs say everything.
  double work_ = 1, deviation_;
  int quick_jobs_;  ///< jobs whose weight is 1 / their number: a mean, not yet a moving average
  int jobs_ = 0;
  std::array<double, kMaxClusters> per_core_{};  ///< 1 / cores, per cluster
  std::vector<float> model_error_;
  RememberedTime believed_;
  std::array<double, kMaxClusters>
      others_cores_{};  ///< busy cores of all others, as a job now would meet them
  std::array<double, kMaxClusters>
      background_cores_{};  ///< busy cores that nobody governs, averaged over 0.1 s
  std::array<double, kMaxClusters>
      others_in_epoch_{};  ///< busy cores of all others in the last epoch
  double duty_ = 0;
  double other_load_ = 0;
  double progress_ = 0;
  // The running job's clocks, and the work that it did at them; the last stands for all that follow.
  std::array<TimeEstimate::AtClocks, TimeEstimate::kMostClocks> clocks_{};
  std::size_t clock_count_ = 0;
  std::int64_t last_release_ns_ = -1;
  double shortest_gap_ns_ = 0;
};

/// The clocks that the clusters really had at the end of the epoch.
OppChoice delivered_opps(const Observation& outcome);

/// The share of the epoch that ended with `now` in which a job of `slot` was running.
double running_share(const Observation& now, int slot);

}  // namespace flyball
