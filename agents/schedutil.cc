#include "agents/schedutil.h"

#include <algorithm>

#include "agents/opp_search.h"

namespace flyball {

Schedutil::Schedutil(const AgentContext& context)
    : LinuxGovernor(context, Placement::Kind::kEnergyAware) {}

std::int64_t Schedutil::rate_limit_ns(const ClusterSpec& cluster) {
  const auto latency_us = static_cast<std::int64_t>(cluster.transition_latency_us);
  if (latency_us <= 0) return 1'000'000;
  return std::min<std::int64_t>(latency_us * 1000, 10'000) * 1000;
}

int Schedutil::next_opp(int cluster, const Observation& now, int cap) {
  const ClusterSpec& spec = cluster_spec(cluster);
  const ClusterObservation& seen = now.cluster[static_cast<std::size_t>(cluster)];
  Policy& policy = policy_[static_cast<std::size_t>(cluster)];
  if (policy.opp < 0) policy.opp = seen.opp;
  policy.limits_changed = policy.limits_changed || policy.cap != cap;
  policy.cap = cap;
  policy.opp = std::min(policy.opp, cap);
  policy.idled = policy.idled || now.epoch_ns <= 0 || seen.util_max < 0.999;
  if (!scheduled(cluster)) return policy.opp;
  if (!policy.limits_changed && now.now_ns - policy.changed_ns < rate_limit_ns(spec))
    return policy.opp;

  const RunQueues& queues = placement().queues();
  const double max_khz = static_cast<double>(spec.opps.back().freq_khz);
  const int opp = lowest_at_least(
      spec, target_khz(queues.cluster_util(cluster), queues.capacity(cluster), max_khz), cap);
  const bool lower = policy.limits_changed || policy.idled || spec.cores > 1;
  policy.limits_changed = policy.idled = false;
  if (opp == policy.opp || (opp < policy.opp && !lower)) return policy.opp;
  policy.changed_ns = now.now_ns;
  return policy.opp = opp;
}

}  // namespace flyball
