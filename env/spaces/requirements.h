#pragma once

#include <cstdint>

namespace flyball {

/// What an application asks for. A zero means "not asked for".
struct Requirements {
  std::int64_t period_ns = 0;      ///< nominal distance of releases; 0 for event-driven streams
  std::int64_t deadline_ns = 0;    ///< relative to the release of the job
  double accuracy_floor_pct = 0;   ///< top-1
  double energy_budget_mj = 0;     ///< per job
  double power_budget_mw = 0;      ///< mean of the whole platform
  int priority = 1;                ///< weight of its misses; 1 is normal
  friend bool operator==(const Requirements&, const Requirements&) = default;
};

}  // namespace flyball
