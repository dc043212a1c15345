#include "env/model/idle_states.h"

#include <algorithm>

namespace flyball {
namespace {

double residency_ns(const IdleStateSpec& state) { return state.residency_us * 1e3; }

}  // namespace

int deepest_idle(const ClusterSpec& cluster, bool whole) {
  // Those of the cluster come last (platform_loader.cc).
  int depth = 0;
  for (const IdleStateSpec& state : cluster.idle_states) depth += whole || !state.cluster_off;
  return depth;
}

int idle_depth(const ClusterSpec& cluster, bool whole, std::int64_t idle_ns) {
  const int deepest = deepest_idle(cluster, whole);
  int depth = 0;
  while (depth < deepest && residency_ns(cluster.idle_states[static_cast<std::size_t>(depth)]) <=
                                static_cast<double>(idle_ns)) {
    ++depth;
  }
  return depth;
}

std::int64_t next_depth_ns(const ClusterSpec& cluster, bool whole, std::int64_t idle_ns) {
  const int depth = idle_depth(cluster, whole, idle_ns);
  if (depth == deepest_idle(cluster, whole)) return kNeverDeeper;
  const double ns = residency_ns(cluster.idle_states[static_cast<std::size_t>(depth)]);
  const auto whole_ns = static_cast<std::int64_t>(ns);
  return static_cast<double>(whole_ns) < ns ? whole_ns + 1 : whole_ns;
}

ClusterPower idle_saving(const ClusterSpec& cluster, int opp, int occupied, bool gated, int depth) {
  const double saved = 1 - idle_share(cluster, depth);
  if (saved == 0 || occupied >= cluster.cores) return {};
  if (occupied == 0) {
    const ClusterPower idle =
        cluster_power(cluster, {.opp = opp, .gate_idle_cores = cluster.gate_idle_cores});
    return {saved * idle.fixed_mw, saved * idle.leak};
  }
  if (gated) return {};
  const OperatingPoint& point = cluster.opps[static_cast<std::size_t>(opp)];
  const double volts = point.voltage_mv / 1000;
  const double idle = cluster.cores - occupied;
  return {saved * volts * volts * (point.delivered_khz() / 1000) * cluster.idle_core_nf * idle,
          saved * volts * cluster.leak_core_share * idle / cluster.cores};
}

double saved_ns(const ClusterSpec& cluster, double idle_ns) {
  double sum_ns = 0, share = 1;
  for (const IdleStateSpec& state : cluster.idle_states) {
    if (idle_ns <= residency_ns(state)) break;
    sum_ns += (share - state.power_share) * (idle_ns - residency_ns(state));
    share = state.power_share;
  }
  return sum_ns;
}

double awake_ns(const ClusterSpec& cluster, double busy_ns, double gap_ns) {
  if (cluster.idle_states.empty()) return 0;
  const int deepest = deepest_idle(cluster, true);
  const double deepest_ns = residency_ns(cluster.idle_states.back());
  if (gap_ns <= 0) gap_ns = busy_ns + exit_ns(cluster, deepest) + deepest_ns;
  const double left_ns = std::max(0.0, gap_ns - busy_ns);
  const int depth = idle_depth(cluster, true, static_cast<std::int64_t>(std::min(left_ns, 1e18)));
  // The next job waits for the clocks, and the cluster with it.
  const double idle_ns = std::max(0.0, left_ns - exit_ns(cluster, depth));
  const double all_ns = std::max(gap_ns, busy_ns);
  return (1 - idle_share(cluster, deepest)) * all_ns - saved_ns(cluster, idle_ns);
}

bool has_idle_states(const PlatformSpec& platform) {
  return std::any_of(platform.clusters.begin(), platform.clusters.end(),
                     [](const ClusterSpec& cluster) { return !cluster.idle_states.empty(); });
}

}  // namespace flyball
