#pragma once

#include <cmath>

namespace flyball {

/// How likely a standard normal variable is above `z`.
inline double normal_tail(double z) { return 0.5 * std::erfc(z / std::sqrt(2.0)); }

/// The z above which it is with probability `tail`, 0 < tail < 1, to 1e-6; out of that range the nearest that counts.
inline double deviations_that_leave(double tail) {
  double low = -8, high = 8;
  while (high - low > 1e-6) {
    const double z = 0.5 * (low + high);
    (normal_tail(z) > tail ? low : high) = z;
  }
  return high;
}

}  // namespace flyball
