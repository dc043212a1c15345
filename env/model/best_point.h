#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "env/model/characterise.h"

namespace flyball {

/// Which rows no other one beats: as quick, as cheap and as accurate, and better in one of the
/// three. Of equal rows, all are on the front.
std::vector<bool> pareto_front(const std::vector<CharacteriseRow>& rows);

/// What a job may take, and has to reach.
struct Budget {
  double time_ms = std::numeric_limits<double>::infinity();
  double energy_mj = std::numeric_limits<double>::infinity();
  double accuracy_pct = 0;
};

/// The most accurate row that meets the budget, of equally accurate ones the cheapest, of those the
/// quickest.
std::optional<std::size_t> best_within(const std::vector<CharacteriseRow>& rows,
                                       const Budget& budget);

/// The row that misses the budget by the least: the ratio by which it overspends the time or the
/// energy, or falls short of the accuracy, whichever is worst, is the smallest. `rows` has some.
std::size_t nearest_to(const std::vector<CharacteriseRow>& rows, const Budget& budget);

}  // namespace flyball
