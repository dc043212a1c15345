#pragma once

#include <algorithm>
#include <cstdint>

#include "env/ledger/arrivals.h"
#include "env/spaces/requirements.h"

// What an epoch counts of a job that came to its end, the same for every platform and for jobs of
// other processes. `Counts` is an AppObservation or a LedgerApp.

namespace flyball {

/// A job that never ran: it has missed all that was asked of it, and cost as much latency as it was
/// allowed. `best_pct`: of the application's most accurate level.
template <class Counts>
void count_drop(Counts& to, const Requirements& required, std::int64_t release_ns,
                std::int64_t deadline_ns, float accuracy_floor_pct, double best_pct) {
  ++to.dropped;
  ++to.missed;
  to.below_floor += accuracy_floor_pct > 0;
  to.over_budget += required.energy_budget_mj > 0;
  to.accuracy_lost_pct += best_pct;
  if (deadline_ns != kNeverNs)
    to.latency_sum_ns += std::max<std::int64_t>(0, deadline_ns - release_ns) + required.grace_ns;
}

/// A job that ran; its energy is count_energy()'s.
template <class Counts>
void count_finish(Counts& to, const Requirements& required, std::int64_t latency_ns,
                  std::int64_t late_ns, float accuracy_pct, float accuracy_floor_pct,
                  double lost_pct) {
  ++to.finished;
  if (late_ns > 0) {
    ++to.missed;
    to.forgiven += 1 - miss_of(required, late_ns);
  }
  to.accuracy_shortfall_pct +=
      static_cast<double>(std::max(0.0f, accuracy_floor_pct - accuracy_pct));
  to.below_floor += accuracy_pct < accuracy_floor_pct;
  to.accuracy_lost_pct += lost_pct;
  to.latency_sum_ns += latency_ns;
}

/// Of a job that ran.
template <class Counts>
void count_energy(Counts& to, const Requirements& required, double energy_mj) {
  const double over_mj = energy_mj - required.energy_budget_mj;
  if (required.energy_budget_mj <= 0 || over_mj <= 0) return;
  ++to.over_budget;
  to.over_budget_mj += over_mj;
}

}  // namespace flyball
