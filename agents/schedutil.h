#pragma once

#include <array>
#include <cstdint>

#include "agents/linux_governor.h"
#include "agents/pelt.h"

namespace flyball {

/// cpufreq's `schedutil` (kernel/sched/cpufreq_schedutil.c of Linux 6.1): PELT utilisation,
/// invariant to frequency and capacity, of the busiest CPU; f = 1.25 * f_max * util / capacity,
/// resolved upwards; no change sooner than 10 ms after the last one (the default rate limit for a
/// transition latency of 140 us). A policy with one CPU keeps its frequency while the CPU has not
/// idled. Tasks take their utilisation along when they migrate. The boost for tasks that wait for
/// I/O has no counterpart here: inference jobs do none.
class Schedutil final : public LinuxGovernor {
 public:
  static constexpr std::int64_t kRateLimitNs = 10'000'000;

  explicit Schedutil(const AgentContext& context);
  std::string_view name() const override { return "schedutil"; }

  static double target_khz(double util, double capacity, double max_khz) {
    return 1.25 * max_khz * util / capacity;
  }

 protected:
  int next_opp(int cluster, const Observation& now, int cap) override;

 private:
  struct Policy {
    Pelt util;
    std::int64_t changed_ns = -kRateLimitNs;
  };
  void migrate_utilisation(const Observation& now);

  const PlatformSpec& platform_;
  std::array<Policy, kMaxClusters> policy_{};
  std::array<std::uint8_t, kMaxApps> seen_mapping_{};
};

}  // namespace flyball
