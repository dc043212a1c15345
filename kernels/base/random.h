#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/det_math.h"

namespace flyball {

/// The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
inline std::uint64_t splitmix64(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}
/// Its step: 2^64 over the golden ratio.
inline constexpr std::uint64_t kSplitmixStep = 0x9e3779b97f4a7c15ULL;

/// Seeded random numbers, the same on every machine: SplitMix64 (Steele, Lea and Flood, OOPSLA
/// 2014; 8 bytes of state, period 2^64) and distributions made of IEEE operations only. The
/// standard library leaves its distributions open, and Boost's normal one calls the C library's exp
/// and log.
class Random {
 public:
  /// `stream` keeps purposes apart: what one draws never shifts what another does.
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0)
      : state_(splitmix64(splitmix64(seed + kSplitmixStep) ^ (stream * 0xd1342543de82ef95ULL + kSplitmixStep))) {}

  std::uint64_t next() { return splitmix64(state_ += kSplitmixStep); }
  /// In [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// In 0 .. n-1; the bias is below n / 2^32. n > 0.
  std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32);
  }
  /// Mean 1.
  double exponential() { return -det_log(1.0 - uniform()); }
  /// Mean 0, deviation 1: the polar method (Marsaglia and Bray, 1964). Its second value is not
  /// kept, so that the state is the eight bytes and nothing else.
  double normal() {
    for (;;) {
      const double u = 2.0 * uniform() - 1.0;
      const double v = 2.0 * uniform() - 1.0;
      const double s = u * u + v * v;
      // sqrt is exactly rounded by IEEE 754.
      if (s > 0.0 && s < 1.0) return u * std::sqrt(-2.0 * det_log(s) / s);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace flyball
