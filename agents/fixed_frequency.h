#pragma once

#include <cstdint>
#include <string_view>

#include "agents/linux_governor.h"

namespace flyball {

/// cpufreq's `performance`, `powersave` and `userspace` (drivers/cpufreq/cpufreq_performance.c and
/// so on): the highest frequency that is allowed, the lowest, or one that the user set (resolved
/// upwards, clamped).
class FixedFrequency final : public LinuxGovernor {
 public:
  enum class Kind { kPerformance, kPowersave, kUserspace };
  FixedFrequency(const AgentContext& context, Kind kind, double khz = 0);
  std::string_view name() const override;

 protected:
  int next_opp(int cluster, const Observation& now, int cap) override;

 private:
  Kind kind_;
  double khz_;
};

/// Refuses a frequency for `userspace` at which no CPU cluster has an operating point, with the
/// nearest one that is. Throws Error (kInput).
void check_operating_point(const PlatformSpec& platform, std::int64_t khz);

}  // namespace flyball
