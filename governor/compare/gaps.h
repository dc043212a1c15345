#pragma once

#include <string>
#include <vector>

#include "governor/compare/bounds.h"
#include "governor/compare/run_ledger.h"

namespace flyball {

/// Who ran on a seed, and what may be said of him.
struct Entrant {
  std::string name;
  const RunLedger* run = nullptr;
  bool informed = false;  ///< knows the true board, but not the future
};

struct Gaps {
  double to_bound_pct = 0, to_best_found_pct = 0, to_informed_pct = 0;
};

/// `bound` may be null: there is none.
Bounds find_bounds(const LowerBound* bound, const std::vector<Entrant>& entrants);
/// Of one entrant, in the same order.
std::vector<Gaps> find_gaps(const LowerBound* bound, const std::vector<Entrant>& entrants);

}  // namespace flyball
