#include "env/model/platform_mappings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace flyball {
namespace {

std::string name_of(const Mapping& mapping, const std::vector<ClusterSpec>& clusters) {
  std::string name;
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    if (!name.empty()) name += '+';
    name += fmt::format("{}x{}", clusters[c].name, mapping.cores[c]);
  }
  return name;
}

/// Numbers of cores worth offering: all of them, or where there are more than `most`, so many at
/// about equal ratios, 1 and all of them among them.
std::vector<int> counts_of(int cores, int most) {
  std::vector<int> counts;
  if (cores <= most) {
    for (int n = 1; n <= cores; ++n) counts.push_back(n);
    return counts;
  }
  for (int i = 0; i < most; ++i) {
    const double share = static_cast<double>(i) / (most - 1);
    const int n = static_cast<int>(std::lround(std::exp2(share * std::log2(cores))));
    if (counts.empty() || n > counts.back()) counts.push_back(n);
  }
  return counts;
}

/// Per cluster the counts to combine, as many as keep all combinations within kMaxMappings. Where
/// not even two of each do (six CPU clusters), clusters are not mixed: a platform without mappings of
/// one core has no job to measure others by.
std::vector<std::vector<int>> counts_to_combine(const std::vector<ClusterSpec>& clusters,
                                                bool& mix_cpu_clusters) {
  for (int most = 255; most >= 2; --most) {
    std::vector<std::vector<int>> counts;
    std::size_t mixed = 1, single = 0;
    for (const ClusterSpec& cluster : clusters) {
      const bool cpu = cluster.kind == ClusterSpec::Kind::kCpu;
      counts.push_back(cpu ? counts_of(cluster.cores, most) : std::vector<int>{});
      mixed *= counts.back().size() + 1;
      single += cpu ? counts.back().size() : 1;
    }
    const std::size_t gpus = static_cast<std::size_t>(
        std::count_if(clusters.begin(), clusters.end(), [](const ClusterSpec& cluster) {
          return cluster.kind == ClusterSpec::Kind::kGpu;
        }));
    const std::size_t all = mix_cpu_clusters ? mixed - 1 + gpus : single;
    if (all <= kMaxMappings) return counts;
  }
  mix_cpu_clusters = false;
  return counts_to_combine(clusters, mix_cpu_clusters);
}

}  // namespace

std::vector<Mapping> make_mappings(const std::vector<ClusterSpec>& clusters,
                                   bool mix_cpu_clusters) {
  std::vector<Mapping> mappings;
  const int count = static_cast<int>(clusters.size());
  const auto counts = counts_to_combine(clusters, mix_cpu_clusters);
  std::vector<std::size_t> at(clusters.size());  // 0: none; i: counts[c][i - 1]
  // Counts through the CPU clusters like an odometer.
  Mapping mapping;
  // Within one cluster: those of each, the last cluster's first.
  for (int c = count - 1; c >= 0 && !mix_cpu_clusters; --c) {
    for (const int cores : counts[c]) {
      mapping = {};
      mapping.cores[c] = static_cast<std::uint8_t>(cores);
      mappings.push_back(mapping);
    }
  }
  mapping = {};
  for (bool more = mix_cpu_clusters; more;) {
    more = false;
    for (int c = count - 1; c >= 0; --c) {
      if (clusters[c].kind != ClusterSpec::Kind::kCpu) continue;
      if (at[c] < counts[c].size()) {
        mapping.cores[c] = static_cast<std::uint8_t>(counts[c][at[c]++]);
        more = true;
        break;
      }
      at[c] = 0;
      mapping.cores[c] = 0;
    }
    if (more) mappings.push_back(mapping);
  }
  for (int c = 0; c < count; ++c) {
    if (clusters[c].kind != ClusterSpec::Kind::kGpu) continue;
    Mapping gpu;
    gpu.cores[c] = 1;
    mappings.push_back(gpu);
  }
  for (Mapping& each : mappings) each.name = name_of(each, clusters);
  return mappings;
}

}  // namespace flyball
