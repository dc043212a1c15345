#include "agents/conservative.h"

#include <algorithm>

#include "agents/ondemand.h"
#include "agents/opp_search.h"

namespace flyball {

Conservative::Conservative(const AgentContext& context)
    : LinuxGovernor(context, Placement::Kind::kBigFirst) {}

int Conservative::step(const ClusterSpec& cluster, int load, int current, int cap,
                       double& wanted_khz) {
  cap = std::min(cap, cluster.max_opp());
  const double min_khz = static_cast<double>(cluster.opps.front().freq_khz);
  const double max_khz = static_cast<double>(cluster.opps[cap].freq_khz);
  const double step_khz = 0.05 * max_khz;  // of policy->max, which the thermal cap lowers
  // Limits that moved since the last sample make the old wish meaningless.
  if (wanted_khz < min_khz || wanted_khz > max_khz)
    wanted_khz = static_cast<double>(cluster.opps[current].freq_khz);
  if (load > 80) {
    wanted_khz = std::min(max_khz, wanted_khz + step_khz);
    return highest_at_most(cluster, wanted_khz, cap);
  }
  if (load < 20) {
    wanted_khz = std::max(min_khz, wanted_khz - step_khz);
    return lowest_at_least(cluster, wanted_khz, cap);
  }
  return std::min(current, cap);
}

int Conservative::next_opp(int cluster, const Observation& now, int cap) {
  const ClusterObservation& seen = now.cluster[cluster];
  if (now.epoch_ns <= 0) return seen.opp;
  return step(cluster_spec(cluster), load_pct(seen.util_max), seen.opp, cap, wanted_khz_[cluster]);
}

}  // namespace flyball
