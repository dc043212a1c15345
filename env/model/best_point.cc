#include "env/model/best_point.h"

#include <algorithm>
#include <tuple>

namespace flyball {

std::vector<bool> pareto_front(const std::vector<CharacteriseRow>& rows) {
  std::vector<bool> front;
  for (const CharacteriseRow& row : rows) {
    front.push_back(std::none_of(rows.begin(), rows.end(), [&](const CharacteriseRow& other) {
      const bool as_good = other.time_ms <= row.time_ms && other.energy_mj <= row.energy_mj &&
                           other.accuracy_pct >= row.accuracy_pct;
      const bool better = other.time_ms < row.time_ms || other.energy_mj < row.energy_mj ||
                          other.accuracy_pct > row.accuracy_pct;
      return as_good && better;
    }));
  }
  return front;
}

std::optional<std::size_t> best_within(const std::vector<CharacteriseRow>& rows,
                                       const Budget& budget) {
  std::optional<std::size_t> best;
  const auto order = [&](std::size_t row) {
    return std::tuple(-rows[row].accuracy_pct, rows[row].energy_mj, rows[row].time_ms);
  };
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (rows[row].time_ms > budget.time_ms || rows[row].energy_mj > budget.energy_mj ||
        rows[row].accuracy_pct < budget.accuracy_pct)
      continue;
    if (!best || order(row) < order(*best)) best = row;
  }
  return best;
}

std::size_t nearest_to(const std::vector<CharacteriseRow>& rows, const Budget& budget) {
  const auto excess = [&](const CharacteriseRow& row) {
    const double accuracy =
        budget.accuracy_pct > 0 ? budget.accuracy_pct / std::max(row.accuracy_pct, 1e-9) : 0;
    return std::max({row.time_ms / budget.time_ms, row.energy_mj / budget.energy_mj, accuracy});
  };
  const auto nearest =
      std::min_element(rows.begin(), rows.end(),
                       [&](const auto& a, const auto& b) { return excess(a) < excess(b); });
  return static_cast<std::size_t>(nearest - rows.begin());
}

}  // namespace flyball
