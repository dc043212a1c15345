#include "env/model/platform_spec.h"

namespace flyball {
namespace {

template <typename Named>
int find_by_name(const std::vector<Named>& all, std::string_view name) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

int PlatformSpec::find_cluster(std::string_view cluster) const {
  return find_by_name(clusters, cluster);
}

int PlatformSpec::find_app(std::string_view app) const { return find_by_name(apps, app); }

int PlatformSpec::find_mapping(int cluster, int cores) const {
  Mapping wanted;
  wanted.cores[cluster] = static_cast<std::uint8_t>(cores);
  for (std::size_t m = 0; m < mappings.size(); ++m) {
    if (mappings[m].cores == wanted.cores) return static_cast<int>(m);
  }
  return -1;
}

int PlatformSpec::big_cluster() const {
  int big = -1;
  double fastest = 0;
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    if (clusters[c].kind != ClusterSpec::Kind::kCpu) continue;
    const double speed =
        clusters[c].capacity_per_mhz * static_cast<double>(clusters[c].opps.back().freq_khz);
    if (big < 0 || speed > fastest) {
      big = static_cast<int>(c);
      fastest = speed;
    }
  }
  return big;
}

}  // namespace flyball
