#include "governor/loop/job_cost.h"

#include <algorithm>

namespace flyball {
namespace {

constexpr double kRankingTempC = 60;  // mid-range on the boards

}  // namespace

double ranking_energy_mj(const PlatformSpec& spec, const AppProfile& app, const Mapping& mapping,
                         int level, const OppChoice& opp, double time_ns, double horizon_ns) {
  const auto job = job_load(spec, app, mapping, level, opp);
  const double idle_ns = std::max(0.0, horizon_ns - time_ns);
  double energy_mj = 0;
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    ClusterLoad load;
    load.opp = opp[c];
    load.temp_c = kRankingTempC;
    load.gate_idle_cores = spec.clusters[c].gate_idle_cores || app.unit[c].gate_idle_cores;
    const double idle_mw = cluster_power_mw(spec.clusters[c], load);
    load.busy_cores = job[c].busy_cores;
    load.busy_nf = job[c].busy_nf;
    load.static_ma = job[c].static_ma;
    const double busy_mw = cluster_power_mw(spec.clusters[c], load);
    energy_mj += (busy_mw * time_ns + idle_mw * idle_ns) * 1e-9;
  }
  return energy_mj;
}

}  // namespace flyball
