#include "agents/linux_governor.h"

#include <algorithm>

#include "agents/explain.h"
#include "agents/opp_search.h"

namespace flyball {

double simple_ondemand_khz(double busy_pct, double cur_khz, double max_khz) {
  if (busy_pct > 90) return max_khz;
  if (busy_pct > 85) return cur_khz;
  // The Linux kernel divides by upthreshold - downdifferential / 2 in integers: 90 - 5 / 2 = 88.
  return cur_khz * busy_pct / 88;
}

LinuxGovernor::LinuxGovernor(const AgentContext& context, Placement::Kind placement)
    : platform_(context.platform),
      placement_(placement, context.platform, context.scenario),
      explained_(context.platform.big_cluster()) {}

void LinuxGovernor::decide(const Observation& now, Action& out) {
  out = Action{};
  placement_.observe(now);
  placement_.place(now, out);
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
    out.opp[c] = static_cast<std::uint8_t>(std::clamp(opp, 0, cap));
  }
  const ClusterSpec& big = platform_.clusters[explained_];
  explain(why_, "{} busy {:.0f} % -> {} MHz", big.name, 100 * now.cluster[explained_].util_max,
          big.opps[out.opp[explained_]].freq_khz / 1000);
}

}  // namespace flyball
