#pragma once

#include <algorithm>

#include "env/model/platform_spec.h"

namespace flyball {

/// Of one core of a cluster at a frequency: 1024 is the fastest CPU core at its top, as the kernel has
/// it, and of other processors what they do beside that. Without a CPU: the fastest of all.
inline double core_capacity(const PlatformSpec& spec, int cluster, double freq_khz) {
  const auto top = [](const ClusterSpec& of) {
    return of.capacity_per_mhz * static_cast<double>(of.opps.back().freq_khz);
  };
  double fastest = 0;
  if (const int big = spec.big_cluster(); big >= 0) {
    fastest = top(spec.clusters[static_cast<std::size_t>(big)]);
  } else {
    for (const ClusterSpec& one : spec.clusters) fastest = std::max(fastest, top(one));
  }
  const double speed = spec.clusters[static_cast<std::size_t>(cluster)].capacity_per_mhz * freq_khz;
  return 1024 * speed / fastest;
}

}  // namespace flyball
