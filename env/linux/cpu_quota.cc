#include "env/linux/cpu_quota.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "env/linux/discover/sys_tree.h"
#include "kernels/base/split.h"
#include "kernels/base/whole_file.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxListBytes = 4 << 20;  // hosts of containers mount thousands
constexpr std::size_t kMaxValueBytes = 1 << 16;
constexpr std::size_t kMaxPathBytes = 4096;         // Linux's PATH_MAX
constexpr std::int64_t kDefaultPeriodUs = 100'000;  // the kernel's

/// Empty when it cannot be had.
std::string contents(const std::string& path, std::size_t max_bytes) {
  std::string bytes;
  if (!read_whole_file(path, max_bytes, bytes)) return {};
  return bytes;
}

bool lists(std::string_view names, std::string_view name) {
  const std::vector<std::string_view> all = split(names, ',');
  return std::find(all.begin(), all.end(), name) != all.end();
}

/// A path of mountinfo, in which a space is "\040".
std::string unescaped(std::string_view text) {
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '7'; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      out +=
          static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct Hierarchy {
  bool v2 = false;
  std::string mount;                 ///< where it is seen
  std::vector<std::string> folders;  ///< of this process's group and those above, up to the mount
};

/// This process's group in the hierarchy of version 2, or of version 1's cpu controller; empty when
/// it is in none.
std::string group_of_process(std::string_view cgroup, bool v2) {
  for (const std::string_view line : split(cgroup, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? first : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool found =
        v2 ? line.substr(0, first) == "0" && controllers.empty() : lists(controllers, "cpu");
    if (found) return std::string(line.substr(second + 1));
  }
  return {};
}

/// `group` below `mount_root`, or nothing where the mount does not show it: a container may see the
/// top of its own groups under another name.
std::string below(const std::string& group, const std::string& mount_root) {
  if (group.find("/..") != group.npos) return {};
  if (mount_root == "/") return group == "/" ? std::string() : group;
  const bool inside = group.starts_with(mount_root) &&
                      (group.size() == mount_root.size() || group[mount_root.size()] == '/');
  return inside ? group.substr(mount_root.size()) : std::string();
}

std::vector<Hierarchy> hierarchies(const std::string& root) {
  const std::string cgroup = contents(root + "/proc/self/cgroup", kMaxListBytes);
  const std::string mounts = contents(root + "/proc/self/mountinfo", kMaxListBytes);
  std::vector<Hierarchy> found;
  for (const std::string_view line : split(mounts, '\n')) {
    // "31 30 0:28 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct"
    const std::size_t dash = line.find(" - ");
    if (dash == line.npos) continue;
    const std::vector<std::string_view> before = split(line.substr(0, dash), ' ');
    const std::vector<std::string_view> after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    Hierarchy hierarchy;
    hierarchy.v2 = after[0] == "cgroup2";
    if (!hierarchy.v2 && !(after[0] == "cgroup" && lists(after[2], "cpu"))) continue;
    const std::string group = group_of_process(cgroup, hierarchy.v2);
    if (group.empty() || group[0] != '/' || group.size() > kMaxPathBytes) continue;
    hierarchy.mount = root + unescaped(before[4]);
    std::string rest = below(group, unescaped(before[3]));
    while (!rest.empty() && rest != "/") {
      hierarchy.folders.push_back(hierarchy.mount + rest);
      rest.resize(rest.rfind('/'));
    }
    hierarchy.folders.push_back(hierarchy.mount);
    found.push_back(std::move(hierarchy));
  }
  return found;
}

/// In cores' worth.
std::optional<double> quota_of(const std::string& folder, bool v2) {
  std::optional<std::int64_t> quota_us, period_us;
  if (v2) {
    const std::string text = contents(folder + "/cpu.max", kMaxValueBytes);  // "30000 100000"
    const std::vector<std::string_view> parts = split(text, ' ');
    if (!parts.empty()) quota_us = whole_number(parts[0]);  // "max" is none
    period_us = parts.size() > 1 ? whole_number(parts[1]) : kDefaultPeriodUs;
  } else {
    quota_us = whole_number(contents(folder + "/cpu.cfs_quota_us", kMaxValueBytes));  // -1: none
    period_us = whole_number(contents(folder + "/cpu.cfs_period_us", kMaxValueBytes));
  }
  if (!quota_us || !period_us || *quota_us <= 0 || *period_us <= 0) return {};
  return static_cast<double>(*quota_us) / static_cast<double>(*period_us);
}

CpuThrottling throttling_of(const std::string& folder) {
  CpuThrottling throttling;
  const std::string text = contents(folder + "/cpu.stat", kMaxValueBytes);
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t space = line.find(' ');
    if (space == line.npos) continue;
    const std::string_view key = line.substr(0, space);
    const std::int64_t value = whole_number(line.substr(space + 1)).value_or(0);
    if (key == "nr_periods") throttling.periods = value;
    if (key == "nr_throttled") throttling.throttled = value;
    if (key == "throttled_usec") throttling.throttled_us = value;
    if (key == "throttled_time") throttling.throttled_us = value / 1000;  // version 1: ns
  }
  return throttling;
}

}  // namespace

CpuQuota read_cpu_quota(const std::string& root) {
  CpuQuota smallest;
  for (const Hierarchy& hierarchy : hierarchies(root)) {
    for (const std::string& folder : hierarchy.folders) {
      const std::optional<double> cpus = quota_of(folder, hierarchy.v2);
      if (!cpus || (smallest.cpus && *smallest.cpus <= *cpus)) continue;
      smallest.cpus = cpus;
      smallest.source = hierarchy.v2 ? "cgroup cpu.max" : "cgroup cpu.cfs_quota_us";
    }
  }
  return smallest;
}

CpuThrottling read_cpu_throttling(const std::string& root) {
  // Of several groups with a quota the one that was stopped most: a stop of the outer one counts in
  // the outer one only.
  CpuThrottling most;
  for (const Hierarchy& hierarchy : hierarchies(root)) {
    for (const std::string& folder : hierarchy.folders) {
      if (!quota_of(folder, hierarchy.v2)) continue;
      const CpuThrottling throttling = throttling_of(folder);
      if (most.periods == 0 || throttling.throttled > most.throttled) most = throttling;
    }
  }
  return most;
}

}  // namespace flyball
