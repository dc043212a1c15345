#include "agents/conservative.h"

#include <algorithm>

#include "agents/opp_search.h"

namespace flyball {

Conservative::Conservative(const AgentContext& context)
    : LinuxGovernor(context, Placement::Kind::kIdleSibling) {}

int Conservative::step(const ClusterSpec& cluster, LoadSample::Result sample, int current, int cap,
                       double& wanted_khz) {
  cap = std::min(cap, cluster.max_opp());
  const double min_khz = static_cast<double>(cluster.opps.front().freq_khz);
  const double max_khz = static_cast<double>(cluster.opps[cap].freq_khz);
  const double step_khz = 0.05 * max_khz;  // of policy->max, which the thermal cap lowers
  // Limits that moved since the last sample make the old wish meaningless.
  if (wanted_khz < min_khz || wanted_khz > max_khz)
    wanted_khz = static_cast<double>(cluster.opps[current].freq_khz);
  const double from_khz = std::max(min_khz, wanted_khz - sample.missed * step_khz);
  if (sample.load_pct > 80 && from_khz < max_khz) {
    wanted_khz = std::min(max_khz, from_khz + step_khz);
    return highest_at_most(cluster, wanted_khz, cap);
  }
  if (sample.load_pct < 20 && from_khz > min_khz) {
    wanted_khz = std::max(min_khz, from_khz - step_khz);
    return lowest_at_least(cluster, wanted_khz, cap);
  }
  return std::min(current, cap);
}

int Conservative::next_opp(int cluster, const Observation& now, int cap) {
  SampledPolicy& policy = policy_[static_cast<std::size_t>(cluster)];
  if (const auto sample = policy.pass(now, cluster, cap, busy_share(cluster), scheduled(cluster))) {
    sampled(cluster);
    policy.opp = step(cluster_spec(cluster), *sample, policy.opp, cap,
                      wanted_khz_[static_cast<std::size_t>(cluster)]);
  }
  return policy.opp;
}

}  // namespace flyball
