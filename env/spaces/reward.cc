#include "env/spaces/reward.h"

#include <algorithm>

namespace flyball {

void judge(const RewardWeights& weights, const Observation& outcome, Reward& out) {
  const double per_mj = 1.0 / weights.ref_energy_mj;
  const double energy_per_mj = 2.0 * outcome.energy_preference * per_mj;
  const double epoch_s = static_cast<double>(outcome.epoch_ns) * 1e-9;
  out.apps = outcome.app_count;
  out.shared = {};
  double idle_mj = outcome.energy_mj, over_power_mw = 0;
  for (int a = 0; a < outcome.app_count; ++a) {
    const AppObservation& app = outcome.app[a];
    RewardParts& parts = out.app[a];
    parts = {};
    idle_mj -= app.energy_mj;
    parts.energy = energy_per_mj * app.energy_mj;
    parts.misses = weights.miss * app.required.priority * app.missed;
    parts.accuracy = weights.accuracy_per_pct * app.accuracy_shortfall_pct;
    parts.budget = weights.budget * per_mj * app.over_budget_mj;
    if (app.active && app.required.power_budget_mw > 0) {
      over_power_mw = std::max(over_power_mw, outcome.power_mw - app.required.power_budget_mw);
    }
  }
  out.shared.energy = energy_per_mj * std::max(0.0, idle_mj);
  out.shared.budget = weights.budget * per_mj * over_power_mw * epoch_s;
  for (int c = 0; c < outcome.cluster_count; ++c) {
    out.shared.heat += weights.heat_per_c_s *
                       std::max(0.0, outcome.cluster[c].temp_c - weights.temp_limit_c) * epoch_s;
  }
}

}  // namespace flyball
