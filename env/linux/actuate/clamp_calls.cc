#include "env/linux/actuate/clamp_calls.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>

#include "kernels/base/sched_attributes.h"

namespace flyball {
namespace {

constexpr double kHeadroom = 1.25;  // map_util_perf() of the Linux kernel

class LinuxClampCalls final : public ClampCalls {
 public:
  int read(pid_t thread, UtilClamps& now) noexcept override {
    SchedAttributes attributes;
    if (syscall(SYS_sched_getattr, thread, &attributes, sizeof attributes, 0) < 0) return errno;
    now = {attributes.util_min, attributes.util_max};
    return 0;
  }
  int write(pid_t thread, const UtilClamps& wanted) noexcept override {
    SchedAttributes attributes;
    attributes.flags = SchedAttributes::kKeepPolicy | SchedAttributes::kKeepParameters |
                       SchedAttributes::kUtilClampMin | SchedAttributes::kUtilClampMax;
    attributes.util_min = wanted.min;
    attributes.util_max = wanted.max;
    return syscall(SYS_sched_setattr, thread, &attributes, 0) < 0 ? errno : 0;
  }
  int cpus(pid_t thread, CpuSet& allowed) noexcept override {
    // The C library's sets end at 1024 CPUs, and so do ours: a larger Linux kernel refuses them.
    unsigned long words[kMaxCpus / (8 * sizeof(unsigned long))] = {};
    static_assert(sizeof(unsigned long) == 8 || sizeof(unsigned long) == 4);
    if (syscall(SYS_sched_getaffinity, thread, sizeof words, words) < 0) return errno;
    allowed = {};
    constexpr int kBits = 8 * sizeof(unsigned long);
    for (int cpu = 0; cpu < kMaxCpus; ++cpu)
      if ((words[cpu / kBits] >> (cpu % kBits) & 1) != 0) allowed.add(cpu);
    return 0;
  }
};

}  // namespace

ClampCalls& linux_clamp_calls() {
  static LinuxClampCalls calls;
  return calls;
}

int probe_clamps(ClampCalls& calls) noexcept {
  UtilClamps now;
  if (const int error = calls.read(0, now)) return error;
  // Without clamps both read 0, and nobody would be held down so.
  if (now.max == 0) now = {};
  return calls.write(0, now);
}

bool adds_headroom_to_clamps(const char* release) {
  int major = 0, minor = 0;
  if (std::sscanf(release, "%d.%d", &major, &minor) != 2) return true;
  return major < 6 || (major == 6 && minor < 8);
}

std::uint32_t clamp_of_clock(std::int64_t khz, std::int64_t top_khz, double capacity,
                             bool headroom) {
  if (top_khz <= 0) return UtilClamps::kFull;
  const double share = static_cast<double>(khz) / static_cast<double>(top_khz);
  const double clamp = capacity * share / (headroom ? kHeadroom : 1);
  return static_cast<std::uint32_t>(
      std::clamp(std::floor(clamp + 1e-9), 1.0, static_cast<double>(UtilClamps::kFull)));
}

}  // namespace flyball
