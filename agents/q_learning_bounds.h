#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "agents/job_tracker.h"
#include "env/model/platform_spec.h"
#include "env/spaces/requirements.h"

namespace flyball {

inline std::int64_t relative_deadline_ns(const Requirements& required) {
  return required.deadline_ns > 0 ? required.deadline_ns : required.period_ns;
}

/// Mean distance of releases: as asked, else at worst as seen lately.
inline double release_gap_ns(const Requirements& required, const JobTracker& jobs) {
  constexpr double kSecond = 1e9;
  if (required.period_ns > 0) return static_cast<double>(required.period_ns);
  if (jobs.shortest_gap_ns() > 0) return jobs.shortest_gap_ns();
  return required.deadline_ns > 0 ? static_cast<double>(required.deadline_ns) : kSecond;
}

/// The levels that are worth their time, each slower and more accurate than the one before.
std::vector<std::uint8_t> accuracy_ladder(const AppProfile& profile);

}  // namespace flyball
