#pragma once

#include <array>
#include <cstdint>

#include "agents/linux_governor.h"

namespace flyball {

/// `interactive`, the governor of Android and of many board kernels (M. Chan,
/// drivers/cpufreq/cpufreq_interactive.c), with its defaults: timer 20 ms, target load 90,
/// go_hispeed_load 99, hispeed_freq the highest, above_hispeed_delay 20 ms, min_sample_time 80 ms.
/// Input boosts have no counterpart here.
class Interactive final : public LinuxGovernor {
 public:
  static constexpr std::int64_t kTimerNs = 20'000'000;
  static constexpr std::int64_t kMinSampleNs = 80'000'000;
  static constexpr double kTargetLoad = 90;

  explicit Interactive(const AgentContext& context);
  std::string_view name() const override { return "interactive"; }

  /// The OPP that a load of `load_pct` at `cur_khz` calls for: from 99 up hispeed_freq (the cap),
  /// otherwise the lowest at which the load would not exceed the target.
  static int opp_for_load(const ClusterSpec& cluster, double load_pct, double cur_khz, int cap);

 protected:
  std::int64_t timer_ns() const override { return kTimerNs; }
  int next_opp(int cluster, const Observation& now, int cap) override;

 private:
  struct Policy {
    int floor_opp = 0;          ///< not left downwards before min_sample_time
    std::int64_t floor_ns = 0;  ///< when it was last confirmed
  };
  std::array<Policy, kMaxClusters> policy_{};
};

}  // namespace flyball
