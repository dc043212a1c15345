#pragma once

#include <vector>

#include "env/model/platform_spec.h"

namespace flyball {

/// The mappings of a platform, at most kMaxMappings: with `mix_cpu_clusters` all combinations of 0 to all cores of each
/// CPU cluster, else those within one cluster; then each GPU alone, which never shares a job with a
/// CPU. Where a
/// machine has too many cores for all numbers of them, those at about equal ratios. Named as "A15x2+A7x1"; the last cluster counts fastest.
std::vector<Mapping> make_mappings(const std::vector<ClusterSpec>& clusters, bool mix_cpu_clusters);

}  // namespace flyball
