#include "env/spaces/reward.h"

#include <algorithm>

namespace flyball {

namespace {

/// What a job's latency is measured by.
double latency_allowed_ns(const Requirements& required) {
  constexpr double kSecond = 1e9;
  if (required.deadline_ns > 0) return static_cast<double>(required.deadline_ns);
  return required.period_ns > 0 ? static_cast<double>(required.period_ns) : kSecond;
}

}  // namespace

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
    parts.energy = energy_weight(outcome.energy_preference, app.required) * per_mj * app.energy_mj;
    const double missed = app.missed - app.forgiven + app.below_floor + app.over_budget;
    parts.misses = weights.miss * app.required.priority * missed;
    parts.accuracy = weights.accuracy_per_pct * app.accuracy_shortfall_pct;
    if (app.required.objective == Objective::kAccuracy) {
      // What came too late or took too much has no accuracy at all: no level is worth a miss.
      parts.accuracy += weights.accuracy_per_pct * (app.accuracy_lost_pct + 100 * missed);
    }
    if (app.required.objective == Objective::kLatency) {
      parts.latency = static_cast<double>(app.latency_sum_ns) / latency_allowed_ns(app.required);
    }
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
