#include "agents/interactive.h"

#include <algorithm>

#include "agents/opp_search.h"

namespace flyball {

Interactive::Interactive(const AgentContext& context)
    : LinuxGovernor(context, Placement::Kind::kIdleSibling) {}

int Interactive::opp_for_load(const ClusterSpec& cluster, double load, double cur_khz, int cap) {
  if (load >= 99) return std::min(cap, cluster.max_opp());
  return lowest_at_least(cluster, load * cur_khz / kTargetLoad, cap);
}

int Interactive::next_opp(int cluster, const Observation& now, int cap) {
  const ClusterObservation& seen = now.cluster[cluster];
  if (now.epoch_ns <= 0) return seen.opp;
  const int wanted = opp_for_load(cluster_spec(cluster), 100 * seen.util_max,
                                  static_cast<double>(seen.freq_khz), cap);
  Policy& policy = policy_[cluster];
  // hispeed_freq is the highest frequency, so nothing is ever above it and above_hispeed_delay
  // never waits.
  if (wanted < policy.floor_opp && now.now_ns - policy.floor_ns < kMinSampleNs) {
    return std::min<int>(seen.opp, cap);
  }
  policy.floor_opp = wanted;
  policy.floor_ns = now.now_ns;
  return wanted;
}

}  // namespace flyball
