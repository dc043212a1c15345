#pragma once

#include <sys/types.h>

#include <cstdint>

#include "kernels/base/cpu_set.h"

namespace flyball {

/// What the scheduler takes a thread's utilisation for at least and at most, of 1024: the fastest CPU at
/// its highest clock.
struct UtilClamps {
  static constexpr std::uint32_t kFull = 1024;
  std::uint32_t min = 0, max = kFull;
  friend bool operator==(const UtilClamps&, const UtilClamps&) = default;
};

/// The system calls that clamps need, so that tests can put a Linux kernel with or without them in their
/// place. 0, or an errno. A thread of number 0 is the calling one.
struct ClampCalls {
  virtual ~ClampCalls() = default;
  virtual int read(pid_t thread, UtilClamps& now) noexcept = 0;
  /// Its policy and priority stay.
  virtual int write(pid_t thread, const UtilClamps& wanted) noexcept = 0;
  /// That it may run on.
  virtual int cpus(pid_t thread, CpuSet& allowed) noexcept = 0;
};

/// Those of this machine.
ClampCalls& linux_clamp_calls();

/// Whether there are clamps: writes those of the calling thread as they are. 0, or the errno of the refusal
/// (EOPNOTSUPP: built without CONFIG_UCLAMP_TASK; EINVAL, E2BIG: before Linux 5.3).
int probe_clamps(ClampCalls& calls) noexcept;

/// Whether schedutil of this Linux kernel ("6.1.0-18-arm64") adds its fourth to clamps too: up to 6.7 it adds
/// it to the utilisation as it was clamped, from 6.8 on to that before.
bool adds_headroom_to_clamps(const char* release);

/// The clamp at which schedutil gives a CPU that reaches `capacity` (of 1024) at `top_khz` this clock: never
/// more, and less by one part in 1024 at most. 1 to 1024.
std::uint32_t clamp_of_clock(std::int64_t khz, std::int64_t top_khz, double capacity,
                             bool headroom);

}  // namespace flyball
