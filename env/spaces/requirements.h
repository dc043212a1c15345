#pragma once

#include <cstdint>

namespace flyball {

/// What an application wants the best of, within the bounds of everything else that it asks for.
enum class Objective : std::int32_t { kEnergy, kAccuracy, kLatency };

/// What an application asks for. A zero means "not asked for".
struct Requirements {
  std::int64_t period_ns = 0;      ///< nominal distance of releases; 0 for event-driven streams
  std::int64_t deadline_ns = 0;    ///< relative to the release of the job
  /// After the deadline: a job that is late is a miss by as much of this as it is late, and a whole
  /// one from then on. 0: a late job is worth nothing.
  std::int64_t grace_ns = 0;
  double accuracy_floor_pct = 0;   ///< top-1
  double energy_budget_mj = 0;     ///< per job
  double power_budget_mw = 0;      ///< mean of the whole platform
  int priority = 1;                ///< weight of its misses; 1 is normal
  Objective objective = Objective::kEnergy;
  friend bool operator==(const Requirements&, const Requirements&) = default;
};

/// How much of a miss a job is that comes so much after its deadline, 0 to 1.
inline double miss_of(const Requirements& required, std::int64_t late_ns) {
  if (late_ns <= 0) return 0;
  if (late_ns >= required.grace_ns) return 1;
  return static_cast<double>(late_ns) / static_cast<double>(required.grace_ns);
}

}  // namespace flyball
