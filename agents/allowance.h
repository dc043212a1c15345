#pragma once

#include <algorithm>
#include <limits>
#include <span>

#include "agents/profile_table.h"

namespace flyball {

/// What a job may take beside time. Of a job as the profile table has it: nominal, on a platform that
/// idles meanwhile.
struct Allowance {
  static constexpr double kAny = std::numeric_limits<double>::infinity();
  double job_mj = kAny;    ///< energy of the whole platform while it runs
  double extra_mj = kAny;  ///< beyond what an idle platform takes
  double power_mw = kAny;  ///< of the whole platform while it runs
  double idle_mw = 0;      ///< of the platform

  bool bounded() const { return job_mj < kAny || extra_mj < kAny || power_mw < kAny; }
  /// A share of it.
  Allowance part(double share) const {
    return {share * job_mj, share * extra_mj, share * power_mw, idle_mw};
  }
  double taken_mj(const ProfilePoint& p, double longer = 1) const {
    return p.energy_mj * longer + idle_mw * p.time_ns * 1e-9;
  }
  /// `longer`: what the job takes beyond its plan, since it is hurried.
  bool permits(const ProfilePoint& p, double longer = 1) const {
    const double taken = taken_mj(p, longer);
    return taken <= job_mj && p.energy_mj * longer <= extra_mj &&
           taken * 1e9 <= power_mw * p.time_ns;
  }
  double over_mj(const ProfilePoint& p, double longer) const {
    return std::max({0.0, taken_mj(p, longer) - job_mj, p.energy_mj * longer - extra_mj,
                     taken_mj(p, longer) - power_mw * p.time_ns * 1e-9});
  }
  /// The same of jobs that are `scale` times a nominal one, in time and energy, and whose energy is
  /// `ratio` times as modelled on top.
  Allowance of_jobs(double scale, double ratio) const {
    return {job_mj / (scale * ratio), extra_mj / (scale * ratio), power_mw / ratio, idle_mw};
  }
};

/// A point of a frontier, and whether it is permitted.
struct PermittedPoint {
  int index = -1;
  bool permitted = false;
};

/// The slowest permitted point that is as quick as `from` or quicker; where none is, the one among
/// them that goes least beyond. `longer(point)`: see Allowance::permits(). Beyond the cheapest point
/// energy rises the faster a job is, so the search ends there.
template <typename Longer>
PermittedPoint slowest_permitted(std::span<const ProfilePoint> frontier, int from,
                                 const OppChoice& cap, const Allowance& allowed, Longer&& longer) {
  constexpr double kRising = 1.1;  // a frontier is not quite convex
  PermittedPoint best{from, false};
  double least_mj = Allowance::kAny, least_over = Allowance::kAny;
  for (int i = from; i >= 0; --i) {
    const ProfilePoint& p = frontier[static_cast<std::size_t>(i)];
    if (!within_cap(p.opp, cap)) continue;
    const double more = longer(p);
    if (allowed.permits(p, more)) return {i, true};
    const double over = allowed.over_mj(p, more);
    if (over < least_over) least_over = over, best.index = i;
    const double taken = allowed.taken_mj(p);
    if (taken > kRising * least_mj) break;
    least_mj = std::min(least_mj, taken);
  }
  return best;
}

/// The quickest permitted point; where none is, as slowest_permitted() of those within `from`.
template <typename Longer>
PermittedPoint quickest_permitted(std::span<const ProfilePoint> frontier, int from,
                                  const OppChoice& cap, const Allowance& allowed, Longer&& longer) {
  for (int i = 0; i < static_cast<int>(frontier.size()); ++i) {
    const ProfilePoint& p = frontier[static_cast<std::size_t>(i)];
    // A quick one is not hurried.
    if (within_cap(p.opp, cap) && allowed.permits(p)) return {i, true};
  }
  return slowest_permitted(frontier, from, cap, allowed, longer);
}

}  // namespace flyball
