#include "env/spaces/reward.h"

#include <algorithm>

namespace flyball {

RewardParts reward_parts(const RewardWeights& weights, const Observation& outcome) {
  RewardParts parts;
  const double energy_scale = 1.0 / weights.ref_energy_mj;
  const double epoch_s = static_cast<double>(outcome.epoch_ns) * 1e-9;
  parts.energy = 2.0 * outcome.energy_preference * outcome.energy_mj * energy_scale;

  double above_budget_mj = 0;
  for (int a = 0; a < outcome.app_count; ++a) {
    const AppObservation& app = outcome.app[a];
    // Counted per application, not from the list of jobs, which may be too short.
    parts.misses += weights.miss * app.required.priority * app.missed;
    if (app.active && app.required.power_budget_mw > 0) {
      above_budget_mj += std::max(0.0, outcome.power_mw - app.required.power_budget_mw) * epoch_s;
    }
  }
  for (const JobRecord& job : outcome.jobs()) {
    if (job.dropped) continue;  // a miss already: nothing ran, nothing was spent
    parts.accuracy +=
        weights.accuracy_per_pct * std::max(0.0, static_cast<double>(job.accuracy_floor_pct) -
                                                     static_cast<double>(job.accuracy_pct));
    const double budget_mj = outcome.app[job.app].required.energy_budget_mj;
    if (budget_mj > 0) above_budget_mj += std::max(0.0, job.energy_mj - budget_mj);
  }
  parts.budget = weights.budget * above_budget_mj * energy_scale;

  for (int c = 0; c < outcome.cluster_count; ++c) {
    parts.heat += weights.heat_per_c_s *
                  std::max(0.0, outcome.cluster[c].temp_c - weights.temp_limit_c) * epoch_s;
  }
  return parts;
}

}  // namespace flyball
