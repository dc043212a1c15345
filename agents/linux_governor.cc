#include "agents/linux_governor.h"

#include <algorithm>

#include "agents/opp_search.h"

namespace flyball {

double simple_ondemand_khz(double busy_pct, double cur_khz, double max_khz) {
  if (busy_pct > 90) return max_khz;
  if (busy_pct > 85) return cur_khz;
  // The Linux kernel divides by upthreshold - downdifferential / 2 in integers: 90 - 5 / 2 = 88.
  return cur_khz * busy_pct / 88;
}

LinuxGovernor::LinuxGovernor(const AgentContext& context, Placement::Kind placement)
    : platform_(context.belief.mean),
      apps_(context.belief),
      placement_(placement, context.belief.mean),
      explained_(context.belief.mean.big_cluster()) {}

void LinuxGovernor::bind(int slot, const Binding& binding, const Observation& now) {
  auto& place = apps_.bind(slot, binding, now);
  place.own = true;
  placement_.bind(slot, *place.profile, binding.threads);
}

void LinuxGovernor::unbind(int slot) {
  placement_.unbind(slot);
  apps_.unbind(slot);
}

void LinuxGovernor::decide(const Observation& now, Decision& out) noexcept {
  out.fresh = true;
  if (now.app_count > 0) {
    placement_.observe(now);
    placement_.place(now, out.action);
  }
  for (int c = 0; c < cluster_count(); ++c) {
    const ClusterSpec& cluster = cluster_spec(c);
    const ClusterObservation& seen = now.cluster[c];
    const int cap = std::min<int>(seen.opp_cap, cluster.max_opp());
    int opp;
    if (cluster.kind == ClusterSpec::Kind::kGpu) {
      const double khz =
          simple_ondemand_khz(100 * seen.util_max, static_cast<double>(seen.freq_khz),
                              static_cast<double>(cluster.opps.back().freq_khz));
      // devfreq recommends without DEVFREQ_FLAG_LEAST_UPPER_BOUND: the lowest OPP that suffices.
      opp = lowest_at_least(cluster, khz, cap);
    } else {
      opp = next_opp(c, now, cap);
    }
    out.action.opp[c] = static_cast<std::uint8_t>(std::clamp(opp, 0, cap));
  }
  out.reason = {Reason::Code::kUtil,
                static_cast<std::uint8_t>(explained_),
                {static_cast<float>(100 * now.cluster[explained_].util_max)}};
}

}  // namespace flyball
