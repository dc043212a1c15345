#pragma once

#include <array>
#include <cstdint>

#include "agents/linux_governor.h"

namespace flyball {

/// cpufreq's `schedutil` as in Linux 6.1 (kernel/sched/cpufreq_schedutil.c), with energy-aware
/// placement: utilisation of the busiest CPU as RunQueues keeps it, f = 1.25 * f_max * util /
/// capacity, resolved upwards; no change within the rate limit after the last one, but where the
/// limits moved, and none while the policy's CPUs idle. A policy with one CPU keeps its frequency
/// while the CPU has not idled since the last look. The boost for tasks that wait for I/O has no
/// counterpart here: inference jobs do none.
class Schedutil final : public LinuxGovernor {
 public:
  explicit Schedutil(const AgentContext& context);
  std::string_view name() const override { return "schedutil"; }
  EpochRequest epoch() const override { return scheduler_epoch(); }

  static double target_khz(double util, double capacity, double max_khz) {
    return 1.25 * max_khz * util / capacity;
  }
  /// cpufreq_policy_transition_delay_us(): 1000 times the transition latency, at most 10 ms; 1 ms
  /// where it is not known.
  static std::int64_t rate_limit_ns(const ClusterSpec& cluster);

 protected:
  int next_opp(int cluster, const Observation& now, int cap) override;

 private:
  struct Policy {
    int opp = -1;  ///< asked for last
    int cap = -1;
    bool limits_changed = true;
    bool idled = true;  ///< since the last look
    std::int64_t changed_ns = 0;
  };
  std::array<Policy, kMaxClusters> policy_{};
};

}  // namespace flyball
