#include "governor/compare/apart.h"

#include <algorithm>
#include <bit>

#include "env/model/idle_states.h"

namespace flyball {

double ApartPower::on_mw(int c, int opp) const {
  const ClusterSpec& spec = m_.spec.clusters[static_cast<std::size_t>(c)];
  const OperatingPoint& point = spec.opps[static_cast<std::size_t>(opp)];
  const Users& users = users_[static_cast<std::size_t>(c)];
  const double volts = point.voltage_mv / 1000;
  const double mhz = point.delivered_khz() / 1000;
  const double cores = m_.cores[c], busy = k_.background->cores[c];
  const double nf = k_.background->nf[c];
  // The part that is left to the background when everybody is there.
  const double least_share = std::min(1.0, cores / std::max(busy + users.most_threads, 1e-9));
  const double full_share = std::min(1.0, cores / std::max(busy, 1e-9));
  double switched_nf = 0, leaking = 1;
  if (users.gated) {
    switched_nf = spec.uncore_nf * std::max(users.least_busy, std::min(1.0, least_share * busy)) +
                  least_share * nf;
    leaking = 1 - spec.leak_core_share * (1 - least_share * busy / cores);
  } else {
    // An idle core may switch more than a busy one, or less.
    const double above_idle_nf = nf - spec.idle_core_nf * busy;
    switched_nf = spec.uncore_nf + spec.idle_core_nf * cores +
                  std::min(least_share * above_idle_nf, full_share * above_idle_nf);
  }
  const double leakage_mw = k_.leakage_mw[static_cast<std::size_t>(c)];
  const double mw = volts * (volts * mhz * switched_nf + leaking * leakage_mw);
  if (spec.idle_states.empty()) return mw;
  // One core at least has something to do; the others are as deep as they get.
  const ClusterPower saved = idle_saving(spec, opp, 1, users.gated, deepest_idle(spec, false));
  return mw - saved.fixed_mw - saved.leak * leakage_mw;
}

double ApartPower::earned_mw(const RunningJob& job, const OppChoice& opp, double price_mj) const {
  const JobCost& cost = *job.cost;
  double earned_mw = 0;
  for (unsigned left = cost.clusters; left != 0; left &= left - 1) {
    const int c = std::countr_zero(left);
    const ClusterSpec& spec = m_.spec.clusters[static_cast<std::size_t>(c)];
    const OperatingPoint& point = spec.opps[opp[static_cast<std::size_t>(c)]];
    const double volts = point.voltage_mv / 1000;
    const double mhz = point.delivered_khz() / 1000;
    const bool gated = users_[static_cast<std::size_t>(c)].gated;
    const double share = std::min(1.0, m_.cores[c] / (k_.background->cores[c] + cost.cores[c]));
    const double nf = cost.busy_nf[c] - (gated ? 0 : spec.idle_core_nf * cost.busy_cores[c]);
    const double leaks_mw = gated ? volts * k_.leakage_mw[static_cast<std::size_t>(c)] *
                                        spec.leak_core_share * cost.busy_cores[c] / m_.cores[c]
                                  : 0;
    const double work_per_s =
        1e9 * cost.speed_share[c] / (cost.alone_ns * (1 + k_.background->slowdown));
    earned_mw += share * std::max(0.0, price_mj * work_per_s - volts * volts * mhz * nf - leaks_mw);
    earned_mw -= volts * cost.static_ma[c];
  }
  return earned_mw;
}

}  // namespace flyball
