#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace flyball {

/// How much CPU time the control groups of this process let it have.
struct CpuQuota {
  /// The smallest quota of its group and of every group above that is visible, in cores' worth (0.3:
  /// 30 ms of every 100); absent: no quota.
  std::optional<double> cpus;
  std::string source;  ///< "cgroup cpu.max", or "cgroup cpu.cfs_quota_us" of version 1
};

/// How often a quota has stopped the groups that have one. Grows; two readings tell of the time
/// between them.
struct CpuThrottling {
  std::int64_t periods = 0;    ///< in which something ran
  std::int64_t throttled = 0;  ///< of them, in which the quota was used up
  std::int64_t throttled_us = 0;
  friend CpuThrottling operator-(CpuThrottling a, const CpuThrottling& b) {
    return {a.periods - b.periods, a.throttled - b.throttled, a.throttled_us - b.throttled_us};
  }
};

/// Reads both versions of control groups, found through /proc/self/cgroup and /proc/self/mountinfo;
/// whatever of it is absent or makes no sense says nothing. `root` is put before all paths.
CpuQuota read_cpu_quota(const std::string& root = "");
CpuThrottling read_cpu_throttling(const std::string& root = "");

}  // namespace flyball
