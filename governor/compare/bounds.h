#pragma once

#include <limits>
#include <string>

namespace flyball {

/// The three that a policy's energy is held against, of one seed; NaN where there is none. Energies are
/// of the whole run.
struct Bounds {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  double lower_mj = kNone;       ///< for the jobs that the best schedule found meets
  double best_found_mj = kNone;  ///< as charged to everybody
  double informed_mj = kNone;
  double jobs_met = 0;               ///< by the best schedule found
  std::string best_found, informed;  ///< whose they are
};

/// Of entrants whose unmet jobs are within this of the fewest the one of least energy is the best.
inline constexpr double kUnmetPoints = 0.5;

}  // namespace flyball
