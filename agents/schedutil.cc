#include "agents/schedutil.h"

#include <algorithm>

#include "agents/opp_search.h"

namespace flyball {

Schedutil::Schedutil(const AgentContext& context)
    : LinuxGovernor(context, Placement::Kind::kEnergyAware), platform_(context.platform) {}

void Schedutil::migrate_utilisation(const Observation& now) {
  for (int a = 0; a < now.app_count; ++a) {
    const std::uint8_t before = seen_mapping_[a];
    const std::uint8_t after = now.app[a].setting.mapping;
    if (before == after) continue;
    seen_mapping_[a] = after;
    const double util = placement().utilisation(a);
    for (int c = 0; c < cluster_count(); ++c) {
      const bool was = platform_.mappings[before].cores[c] > 0;
      const bool is = platform_.mappings[after].cores[c] > 0;
      if (was == is) continue;
      Pelt& signal = policy_[c].util;
      signal.set(is ? std::min(signal.util() + util, placement().capacity(c))
                    : std::max(signal.util() - util, 0.0));
    }
  }
}

int Schedutil::next_opp(int cluster, const Observation& now, int cap) {
  const ClusterSpec& spec = cluster_spec(cluster);
  const ClusterObservation& seen = now.cluster[cluster];
  if (now.epoch_ns <= 0) {
    for (int a = 0; a < now.app_count; ++a) seen_mapping_[a] = now.app[a].setting.mapping;
    return seen.opp;
  }
  migrate_utilisation(now);
  const double capacity = placement().capacity(cluster);
  const double max_khz = static_cast<double>(spec.opps.back().freq_khz);
  Policy& policy = policy_[cluster];
  policy.util.advance(now.epoch_ns, seen.util_max,
                      static_cast<double>(seen.freq_khz) / max_khz * capacity / 1024);

  if (now.now_ns - policy.changed_ns < kRateLimitNs) return seen.opp;
  const int opp = lowest_at_least(spec, target_khz(policy.util.util(), capacity, max_khz), cap);
  const bool never_idled = spec.cores == 1 && seen.util_max > 0.999;
  if (opp == seen.opp || (opp < seen.opp && never_idled)) return seen.opp;
  policy.changed_ns = now.now_ns;
  return opp;
}

}  // namespace flyball
