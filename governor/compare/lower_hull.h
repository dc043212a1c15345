#pragma once

#include <span>
#include <vector>

namespace flyball {

/// A way to run: work per second, and the power that it takes beyond idling.
struct Pace {
  double work_per_s = 0;
  double excess_mw = 0;
};

/// The lower hull of paces and rest (0, 0), ascending: what power any pace costs at least when
/// switching between ways, and resting, is free. Rest comes first.
std::vector<Pace> lower_hull(std::vector<Pace> paces);

/// What more work costs between two paces, mJ.
inline double hull_slope(const Pace& from, const Pace& to) {
  return (to.excess_mw - from.excess_mw) / (to.work_per_s - from.work_per_s);
}

/// A stretch of time in which the ways to run do not change, and their hull.
struct Stretch {
  double seconds = 0;
  std::span<const Pace> hull;
};

/// The least energy for so much work within the stretches, mJ; infinite when there is no time for it.
/// By duality: at a price for work each stretch takes the pace of its hull that earns most, and at the
/// right price all of them together do the work.
double least_energy_mj(double work, std::span<const Stretch> stretches);

}  // namespace flyball
