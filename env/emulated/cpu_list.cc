#include "env/emulated/cpu_list.h"

#include <sched.h>

#include <algorithm>
#include <bit>

namespace flyball {

std::uint64_t available_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // EINVAL where the Linux kernel knows more than 1024 CPUs; then, too, there is a first one.
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  std::uint64_t mask = 0;
  for (int cpu = 0; cpu < 64; ++cpu) {
    if (CPU_ISSET(cpu, &set)) mask |= std::uint64_t{1} << cpu;
  }
  return mask != 0 ? mask : 1;
}

std::uint64_t first_cpus(std::uint64_t available, int count) {
  std::uint64_t mask = 0;
  for (; count > 0 && available != 0; --count) {
    const std::uint64_t lowest = available & -available;
    mask |= lowest;
    available &= ~lowest;
  }
  return mask;
}

std::uint64_t cluster_cpus(const PlatformSpec& spec, std::uint64_t available, int cluster) {
  std::uint64_t left = available;
  for (int c = 0; c < cluster; ++c) {
    left &= ~first_cpus(left, spec.clusters[static_cast<std::size_t>(c)].cores);
    if (left == 0) left = available;
  }
  return first_cpus(left, spec.clusters[static_cast<std::size_t>(cluster)].cores);
}

std::uint64_t mapping_cpus(const PlatformSpec& spec, std::uint64_t available,
                           const Mapping& mapping) {
  std::uint64_t mask = 0;
  for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c) {
    const int cores = mapping.cores[static_cast<std::size_t>(c)];
    if (cores > 0) mask |= first_cpus(cluster_cpus(spec, available, c), cores);
  }
  return mask;
}

}  // namespace flyball
