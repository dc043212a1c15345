#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/base/bytes.h"
#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/observation.h"

namespace flyball {

/// What one application's jobs cost compared with the platform's model, and how far the running one
/// has come. All work is counted in nominal jobs: 1 is what the model expects of one job that runs
/// alone.
///
/// observed work of a job = integral of dt / (model's time at the setting and frequencies of the
/// moment * crowding)
///                        = work * model_error(mapping)
/// where `work` is a moving average that follows the stream (weight 0.25), `crowding` says how many
/// cores a mapping's clusters lack for all that wants to run on them (jobs of others included,
/// background load as it was seen lately), and the rest, slow and particular to a mapping, is its
/// `model_error` (weight 0.05).
class JobTracker {
 public:
  JobTracker(const PlatformSpec& platform, const Scenario& scenario, int app);

  /// A new run begins: forgets its predecessor's jobs, keeps what is known of their cost.
  void start_stream();
  /// Takes in an epoch that ended with `outcome`.
  void observe(const Observation& outcome);

  /// Work expected of a job plus `deviations` mean absolute deviations; alone, on a mapping as
  /// modelled.
  double work(double deviations) const { return work_ + deviations * deviation_; }
  double deviation() const { return deviation_; }
  /// By how much a job on this mapping takes longer than modelled.
  double slowdown(int mapping) const {
    return model_error_[mapping] * crowding(mapping, others_cores_);
  }
  /// Work that the running job has behind it.
  double progress() const { return progress_; }
  AppSetting running() const { return running_; }
  /// Share of the time lately in which a job of this application ran.
  double duty() const { return duty_; }
  /// Busy cores per cluster that other governed applications take now or, when idle, on average.
  void set_company(const std::array<double, kMaxClusters>& cores);
  /// Other load on the most loaded cluster, as a share of its cores; governed applications
  /// included.
  double other_load() const { return other_load_; }

  /// Release of the i-th job of the backlog, oldest first.
  std::int64_t release_ns(std::uint32_t i) const {
    return release_[(released_ - backlog_ + i) % release_.size()];
  }
  /// Shortest distance of two releases lately, ns; it recovers by 2 % a job.
  double shortest_gap_ns() const { return shortest_gap_ns_; }
  void save(ByteWriter& out) const;
  void load(ByteReader& in);

 private:
  double job_ns(const AppSetting& setting, const Observation& outcome) const;
  void job_finished(const JobRecord& job);
  void note_releases(const Observation& outcome);
  void note_other_load(const Observation& outcome);
  /// Cores that are wanted over cores that are there, on the mapping's most wanted cluster; at
  /// least 1.
  double crowding(int mapping, const std::array<double, kMaxClusters>& others) const;

  const PlatformSpec& platform_;
  const Scenario& scenario_;
  const AppProfile& profile_;
  int app_;
  double work_ = 1, deviation_ = 0.06;  // before anything is known: the models are within 5 %
  std::array<float, kMaxMappings> model_error_;
  std::array<double, kMaxClusters>
      others_cores_{};  ///< busy cores of all others, as a job now would meet them
  std::array<double, kMaxClusters>
      background_cores_{};  ///< busy cores that nobody governs, averaged over 0.1 s
  std::array<double, kMaxClusters>
      others_in_epoch_{};  ///< busy cores of all others in the last epoch
  double duty_ = 0;
  double other_load_ = 0;
  double progress_ = 0;
  AppSetting running_;
  std::array<std::int64_t, 64> release_{};
  std::uint64_t released_ = 0;
  std::uint32_t backlog_ = 0;
  double shortest_gap_ns_ = 0;
};

}  // namespace flyball
