#include "agents/ondemand.h"

#include <algorithm>

#include "agents/opp_search.h"

namespace flyball {

int Ondemand::opp_for_load(const ClusterSpec& cluster, int load, int cap) {
  cap = std::min(cap, cluster.max_opp());
  if (load > 95) return cap;
  const double min_khz = static_cast<double>(cluster.opps.front().freq_khz);
  const double max_khz = static_cast<double>(cluster.opps.back().freq_khz);
  return closest(cluster, min_khz + load * (max_khz - min_khz) / 100, cap);
}

int Ondemand::next_opp(int cluster, const Observation& now, int cap) {
  SampledPolicy& policy = policy_[static_cast<std::size_t>(cluster)];
  if (const auto sample = policy.pass(now, cluster, cap, busy_share(cluster), scheduled(cluster))) {
    sampled(cluster);
    policy.opp = opp_for_load(cluster_spec(cluster), sample->load_pct, cap);
  }
  return policy.opp;
}

}  // namespace flyball
