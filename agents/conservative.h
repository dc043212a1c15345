#pragma once

#include <array>

#include "agents/linux_governor.h"
#include "agents/sampled_policy.h"

namespace flyball {

/// cpufreq's `conservative` (drivers/cpufreq/cpufreq_conservative.c of Linux 6.1 with its defaults:
/// sampling every 10 ms, up_threshold 80, down_threshold 20, freq_step 5 % of the policy's
/// maximum, which a thermal cap lowers). Samples come as LoadSample says; a sleep lowers the clock
/// that a sample goes on from by a step for every sampling rate that was slept through.
class Conservative final : public LinuxGovernor {
 public:
  explicit Conservative(const AgentContext& context);
  std::string_view name() const override { return "conservative"; }
  EpochRequest epoch() const override { return scheduler_epoch(); }

  /// One sample: moves `wanted_khz`, which the governor keeps between samples, by one step, and
  /// returns the OPP for it: on the way up the highest at or below it, on the way down the lowest
  /// at or above it; `current` when nothing changes. What a sleep (`missed` sampling rates) takes
  /// off is kept only by a sample that moves the clock, as in Linux.
  static int step(const ClusterSpec& cluster, LoadSample::Result sample, int current, int cap,
                  double& wanted_khz);

 protected:
  int next_opp(int cluster, const Observation& now, int cap) override;

 private:
  std::array<SampledPolicy, kMaxClusters> policy_;
  std::array<double, kMaxClusters> wanted_khz_{};
};

}  // namespace flyball
