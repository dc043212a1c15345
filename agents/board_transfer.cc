#include "agents/board_transfer.h"

#include <algorithm>

#include "env/spaces/limits.h"
#include "kernels/base/control_character.h"
#include "kernels/base/hash.h"

namespace flyball {
namespace {

constexpr std::size_t kMaxClusterNameBytes = 256;

double peak_of(const ClusterSpec& cluster) {
  return cluster.capacity_per_mhz * static_cast<double>(cluster.opps.back().freq_khz);
}

}  // namespace

std::vector<ClusterMeaning> meanings_of(const PlatformSpec& board) {
  const double fastest = peak_of(board.clusters[static_cast<std::size_t>(board.big_cluster())]);
  std::vector<ClusterMeaning> clusters;
  for (const ClusterSpec& cluster : board.clusters) {
    clusters.push_back(
        {cluster.name, cluster.kind == ClusterSpec::Kind::kCpu, peak_of(cluster) / fastest});
  }
  return clusters;
}

void save_meanings(const std::vector<ClusterMeaning>& clusters, ByteWriter& out) {
  out.u32(static_cast<std::uint32_t>(clusters.size()));
  for (const ClusterMeaning& cluster : clusters) {
    out.text(cluster.name);
    out.u32(cluster.is_cpu ? 1 : 0);
    out.f32(static_cast<float>(cluster.peak));
  }
}

std::size_t saved_bytes(const std::vector<ClusterMeaning>& clusters) {
  std::size_t bytes = 4;
  for (const ClusterMeaning& cluster : clusters) bytes += 3 * 4 + cluster.name.size();
  return bytes;
}

std::vector<ClusterMeaning> load_meanings(ByteReader& in) {
  const std::uint32_t count = in.u32();
  if (count < 1 || count > static_cast<std::uint32_t>(kMaxClusters))
    in.reject("its number of clusters is out of range");
  std::vector<ClusterMeaning> clusters;
  for (std::uint32_t i = 0; i < count; ++i) {
    ClusterMeaning cluster;
    cluster.name = printable(in.text(kMaxClusterNameBytes));
    cluster.is_cpu = in.u32() != 0;
    cluster.peak = static_cast<double>(in.f32());
    if (!(cluster.peak > 0)) in.reject("a cluster has no speed");
    clusters.push_back(std::move(cluster));
  }
  return clusters;
}

std::vector<int> alike(const std::vector<ClusterMeaning>& own,
                       const std::vector<ClusterMeaning>& theirs) {
  std::vector<int> most;
  for (const ClusterMeaning& cluster : own) {
    int nearest = -1;
    double least = 0;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      if (theirs[i].is_cpu != cluster.is_cpu) continue;
      const double ratio =
          std::max(cluster.peak, theirs[i].peak) / std::min(cluster.peak, theirs[i].peak);
      if (nearest >= 0 && ratio >= least) continue;
      nearest = static_cast<int>(i);
      least = ratio;
    }
    most.push_back(nearest);
  }
  return most;
}

std::uint64_t hash_of(const std::vector<Mapping>& mappings) {
  Fnv1a hash;
  for (const Mapping& mapping : mappings) {
    for (const std::uint8_t cores : mapping.cores) hash.add(int{cores});
  }
  return hash.value();
}

/// Of two jointly normal deviations with one variance: E and Var of this one, given what is known of the
/// other.
Transferred transferred(double prior, double variance, double off, double off_variance) {
  constexpr double kShared = kAlikeCorrelation * kAlikeCorrelation;
  const double known = std::min(off_variance, variance);
  return {prior + kAlikeCorrelation * off, (1 - kShared) * variance + kShared * known};
}

}  // namespace flyball
