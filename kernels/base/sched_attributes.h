#pragma once

#include <cstdint>

namespace flyball {

/// struct sched_attr of linux/sched/types.h, which cannot be included beside sched.h: what
/// sched_getattr() and sched_setattr() take, with utilisation clamps (Linux 5.3).
struct SchedAttributes {
  std::uint32_t size = sizeof(SchedAttributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0, deadline = 0, period = 0;
  std::uint32_t util_min = 0, util_max = 0;

  static constexpr std::uint64_t kResetOnFork = 0x01, kKeepPolicy = 0x08, kKeepParameters = 0x10,
                                 kUtilClampMin = 0x20, kUtilClampMax = 0x40;
};
static_assert(sizeof(SchedAttributes) == 56);

}  // namespace flyball
