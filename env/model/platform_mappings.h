#pragma once

#include <vector>

#include "env/model/platform_spec.h"

namespace flyball {

/// Every mapping of a platform: with `mix_cpu_clusters` all combinations of 0 to all cores of each
/// CPU cluster, else those within one cluster; then each GPU alone, which never shares a job with a
/// CPU. Named as "A15x2+A7x1"; the last cluster counts fastest.
std::vector<Mapping> make_mappings(const std::vector<ClusterSpec>& clusters, bool mix_cpu_clusters);

}  // namespace flyball
