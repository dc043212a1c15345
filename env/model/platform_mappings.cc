#include "env/model/platform_mappings.h"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace

std::vector<Mapping> make_mappings(const std::vector<ClusterSpec>& clusters,
                                   bool mix_cpu_clusters) {
  std::vector<Mapping> mappings;
  const int count = static_cast<int>(clusters.size());
  // Counts through the CPU clusters like an odometer.
  Mapping mapping;
  for (bool more = true; more;) {
    more = false;
    for (int c = count - 1; c >= 0; --c) {
      if (clusters[c].kind != ClusterSpec::Kind::kCpu) continue;
      if (mapping.cores[c] < clusters[c].cores) {
        ++mapping.cores[c];
        more = true;
        break;
      }
      mapping.cores[c] = 0;
    }
    const auto used = std::count_if(mapping.cores.begin(), mapping.cores.end(),
                                    [](std::uint8_t cores) { return cores > 0; });
    if (more && (mix_cpu_clusters || used == 1)) mappings.push_back(mapping);
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
