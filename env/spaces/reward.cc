#include "env/spaces/reward.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <type_traits>
#include <utility>

#include "env/spaces/monitor_fields.h"

namespace flyball {

namespace {

using Charge = Monitor::Charge;

/// What a job's latency is measured by.
double latency_allowed_ns(const Requirements& required) {
  constexpr double kSecond = 1e9;
  if (required.deadline_ns > 0) return static_cast<double>(required.deadline_ns);
  return required.period_ns > 0 ? static_cast<double>(required.period_ns) : kSecond;
}

/// What an epoch has of everything that an application is charged for.
struct Charged {
  double energy_mj = 0, missed = 0, shortfall_pct = 0, over_budget_mj = 0, lost_pct = 0;
  double latency_ns = 0, undesired = 0;
};

/// Hands over every row of the monitor table that is charged, its kind as a constant: as quick as if
/// each were written out.
template <const auto& kFields, class Take>
void for_charged(const void* from, Take&& take) {
  const char* at = static_cast<const char*>(from);
  [&]<std::size_t... kI>(std::index_sequence<kI...>) {
    const auto one = [&]<std::size_t kAt>(std::integral_constant<std::size_t, kAt>) {
      constexpr const monitor_fields::Field& kField = kFields[kAt];
      if constexpr (kField.charge != Charge::kNone) {
        take(std::integral_constant<Charge, kField.charge>(),
             monitor_fields::stored(kField.type, at + kField.offset));
      }
    };
    (one(std::integral_constant<std::size_t, kI>()), ...);
  }
  (std::make_index_sequence<std::size(kFields)>());
}

Charged charged(const AppObservation& app) {
  Charged sum;
  for_charged<monitor_fields::kApp>(&app, [&](auto charge, double value) {
    switch (charge()) {
      case Charge::kEnergy:
        sum.energy_mj += value;
        break;
      case Charge::kMiss:
        sum.missed += value;
        break;
      case Charge::kForgiven:
        sum.missed -= value;
        break;
      case Charge::kShortfall:
        sum.shortfall_pct += value;
        break;
      case Charge::kOverBudget:
        sum.over_budget_mj += value;
        break;
      case Charge::kAccuracyLost:
        sum.lost_pct += value;
        break;
      case Charge::kLatency:
        sum.latency_ns += value;
        break;
      case Charge::kUndesired:
        sum.undesired += value;
        break;
      default:
        break;
    }
  });
  return sum;
}

}  // namespace

void judge(const RewardWeights& weights, const Observation& outcome, Reward& out) {
  const double per_mj = 1.0 / weights.ref_energy_mj;
  const double energy_per_mj = 2.0 * outcome.energy_preference * per_mj;
  const double epoch_s = static_cast<double>(outcome.epoch_ns) * 1e-9;
  out.apps = outcome.app_count;
  out.shared = {};
  double idle_mj = 0, power_mw = 0, strictest_mw = std::numeric_limits<double>::infinity();
  for_charged<monitor_fields::kPlatform>(&outcome, [&](auto charge, double value) {
    if (charge() == Charge::kTotalEnergy) idle_mj += value;
    if (charge() == Charge::kPower) power_mw += value;
  });
  for (int a = 0; a < outcome.app_count; ++a) {
    const Requirements& required = outcome.app[a].required;
    const Charged app = charged(outcome.app[a]);
    RewardParts& parts = out.app[a];
    parts = {};
    idle_mj -= app.energy_mj;
    parts.energy = energy_weight(outcome.energy_preference, required) * per_mj * app.energy_mj;
    parts.misses = weights.miss * required.priority * app.missed;
    parts.accuracy = weights.accuracy_per_pct * app.shortfall_pct;
    if (required.objective == Objective::kAccuracy) {
      // What came too late or took too much has no accuracy at all: no level is worth a miss.
      parts.accuracy += weights.accuracy_per_pct * (app.lost_pct + 100 * app.missed);
    }
    if (required.objective == Objective::kLatency) {
      parts.latency = app.latency_ns / latency_allowed_ns(required);
    }
    parts.budget = weights.budget * per_mj * app.over_budget_mj;
    parts.monitors = app.undesired;
    if (outcome.app[a].active && required.power_budget_mw > 0) {
      strictest_mw = std::min(strictest_mw, required.power_budget_mw);
    }
  }
  out.shared.energy = energy_per_mj * std::max(0.0, idle_mj);
  out.shared.budget = weights.budget * per_mj * std::max(0.0, power_mw - strictest_mw) * epoch_s;
  for (int c = 0; c < outcome.cluster_count; ++c) {
    for_charged<monitor_fields::kCluster>(&outcome.cluster[c], [&](auto charge, double value) {
      if (charge() != Charge::kHeat) return;
      out.shared.heat +=
          weights.heat_per_c_s * std::max(0.0, value - weights.temp_limit_c) * epoch_s;
    });
  }
}

}  // namespace flyball
