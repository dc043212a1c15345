#include "governor/compare/gaps.h"

#include <algorithm>
#include <limits>

namespace flyball {
namespace {

constexpr double kNoGap = Bounds::kNone;

/// The best of some entrants, and how many jobs somebody may leave unmet who is compared with it.
struct Best {
  const Entrant* entrant = nullptr;
  double unmet_limit = 0;
};

template <typename Among>
Best best_of(const std::vector<Entrant>& entrants, const Among& among) {
  Best best;
  int fewest = std::numeric_limits<int>::max();
  for (const Entrant& one : entrants)
    if (among(one)) fewest = std::min(fewest, one.run->unmet);
  for (const Entrant& one : entrants) {
    if (!among(one)) continue;
    best.unmet_limit = fewest + kUnmetPoints / 100 * static_cast<double>(one.run->met.size());
    if (one.run->unmet > best.unmet_limit) continue;
    if (best.entrant == nullptr || one.run->charged_mj < best.entrant->run->charged_mj)
      best.entrant = &one;
  }
  return best;
}

Best best_found(const std::vector<Entrant>& entrants) {
  return best_of(entrants, [](const Entrant&) { return true; });
}

Best best_informed(const std::vector<Entrant>& entrants) {
  return best_of(entrants, [](const Entrant& one) { return one.informed; });
}

double above_pct(double energy_mj, double than_mj) {
  return than_mj > 0 ? 100 * (energy_mj / than_mj - 1) : kNoGap;
}

double gap_to(const Best& best, const RunLedger& run) {
  if (best.entrant == nullptr || run.unmet > best.unmet_limit) return kNoGap;
  return above_pct(run.charged_mj, best.entrant->run->charged_mj);
}

}  // namespace

Bounds find_bounds(const LowerBound* bound, const std::vector<Entrant>& entrants) {
  Bounds bounds;
  if (const Best best = best_found(entrants); best.entrant != nullptr) {
    const RunLedger& run = *best.entrant->run;
    if (bound != nullptr) bounds.lower_mj = bound->energy_mj(run.met);
    bounds.best_found_mj = run.charged_mj;
    bounds.best_found = best.entrant->name;
    bounds.jobs_met = static_cast<double>(std::ranges::count(run.met, true));
  }
  if (const Best best = best_informed(entrants); best.entrant != nullptr) {
    bounds.informed_mj = best.entrant->run->charged_mj;
    bounds.informed = best.entrant->name;
  }
  return bounds;
}

std::vector<Gaps> find_gaps(const LowerBound* bound, const std::vector<Entrant>& entrants) {
  const Best found = best_found(entrants), informed = best_informed(entrants);
  std::vector<Gaps> gaps;
  for (const Entrant& one : entrants) {
    const RunLedger& run = *one.run;
    gaps.push_back({bound == nullptr ? kNoGap : above_pct(run.energy_mj, bound->energy_mj(run.met)),
                    gap_to(found, run), gap_to(informed, run)});
  }
  return gaps;
}

}  // namespace flyball
