#include "env/linux/jobs/job_profiles.h"

#include <algorithm>
#include <vector>

#include "env/model/content_hash.h"
#include "env/model/platform_mappings.h"

namespace flyball {
namespace {

constexpr std::size_t kMostMixed = 64;  // mappings: planning goes through all, levels and clocks

double highest_mhz(const ClusterSpec& cluster) {
  return static_cast<double>(cluster.opps.back().freq_khz) * 1e-3;
}

bool is_small_when_mixed(const PlatformSpec& spec) {
  std::size_t mixed = 1;
  for (const ClusterSpec& cluster : spec.clusters)
    mixed *= static_cast<std::size_t>(cluster.cores) + 1;
  return mixed <= kMostMixed;
}

/// More cores of a cluster than this process may run on serve no job. Where it may run on none of any,
/// nothing is known of them.
void keep_within(const CpuSet& allowed, MachineSpec& made) {
  const auto fits = [&](const Mapping& mapping) {
    for (std::size_t c = 0; c < made.cpus.size(); ++c)
      if (mapping.cores[c] > (made.cpus[c] & allowed).count()) return false;
    return true;
  };
  auto& mappings = made.spec.mappings;
  if (std::none_of(mappings.begin(), mappings.end(), fits)) return;
  std::erase_if(mappings, [&](const Mapping& mapping) { return !fits(mapping); });
}

}  // namespace

void add_job_profiles(const PlatformSpec& timed, MachineSpec& made, const CpuSet& allowed) {
  PlatformSpec& spec = made.spec;
  spec.time_spread = timed.time_spread;
  spec.mappings = make_mappings(spec.clusters, is_small_when_mixed(spec));
  keep_within(allowed, made);
  const double described_mhz = highest_mhz(timed.clusters.front());
  const ClusterSpec& fastest = spec.clusters[static_cast<std::size_t>(spec.big_cluster())];
  const double fastest_speed = fastest.capacity_per_mhz * highest_mhz(fastest);
  const AppProfile plain = spec.apps.front();
  for (AppProfile app : timed.apps) {
    if (app.plain_load) continue;
    const UnitProfile described = app.unit.front();
    app.unit = {};
    for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
      const ClusterSpec& cluster = spec.clusters[c];
      UnitProfile& unit = app.unit[c];
      unit = described;
      unit.supported = true;
      const double speed = cluster.capacity_per_mhz * highest_mhz(cluster);
      unit.mcycles =
          described.mcycles / described_mhz * highest_mhz(cluster) * fastest_speed / speed;
      unit.core_nf = plain.unit[c].core_nf;
      unit.static_ma = 0;
      unit.gate_idle_cores = cluster.gate_idle_cores;
    }
    // Of its description still: what was measured is no part of it.
    spec.apps.push_back(std::move(app));
  }
  spec.content_hash = content_hash(spec);
}

}  // namespace flyball
