#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace flyball {

// exp and log from IEEE additions, multiplications and divisions alone. The C library picks its
// variants by the CPU and fuses multiply-adds where it can, so that its last bits differ between
// machines; these do not, as long as the compiler may not contract (-ffp-contract=off, see
// CMakeLists.txt).

/// k[0] + k[1] x + ... The even and the odd powers are two chains of operations, on which a CPU
/// works at once: half the time of one chain.
template <std::size_t kTerms>
constexpr double det_polynomial(const double (&k)[kTerms], double x) {
  constexpr std::size_t kEven = (kTerms - 1) / 2 * 2, kOdd = (kTerms - 2) / 2 * 2 + 1;
  const double x2 = x * x;
  double even = k[kEven], odd = k[kOdd];
  for (std::size_t i = kEven; i >= 2; i -= 2) even = even * x2 + k[i - 2];
  for (std::size_t i = kOdd; i >= 3; i -= 2) odd = odd * x2 + k[i - 2];
  return even + odd * x;
}

/// e^x with a relative error below 1e-14; 0 below -700, infinity above 709.
constexpr double det_exp(double x) {
  if (!(x > -700.0)) return x == x ? 0.0 : x;
  if (x > 709.0) return std::numeric_limits<double>::infinity();
  // x = k ln 2 + r, |r| <= ln(2)/2. The high part of ln 2 has 32 zero bits at its end: k times it
  // is exact.
  constexpr double kInvLn2 = 1.4426950408889634;
  constexpr double kLn2High = 0x1.62e42feep-1;
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  const double scaled = x * kInvLn2;
  const auto k = static_cast<std::int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
  const auto k_real = static_cast<double>(k);
  const double r = (x - k_real * kLn2High) - k_real * kLn2Low;
  // Taylor to r^12; the next term is 0.347^13/13! = 2e-16.
  const double sum =
      det_polynomial({1.0, 1.0, 0.5, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040,
                      1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600},
                     r);
  // k is within [-1010, 1023]: the power of two is a normal number.
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(1023 + k) << 52);
}

/// Natural logarithm of a positive normal number with a relative error below 1e-13; -infinity at 0,
/// NaN below.
constexpr double det_log(double x) {
  if (!(x > 0)) {
    return x == 0 ? -std::numeric_limits<double>::infinity()
                  : std::numeric_limits<double>::quiet_NaN();
  }
  if (x > std::numeric_limits<double>::max()) return x;
  std::int64_t exponent = 0;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    exponent = -54;
  }
  auto bits = std::bit_cast<std::uint64_t>(x);
  exponent += static_cast<std::int64_t>(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL;
  double mantissa = std::bit_cast<double>(bits);
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    ++exponent;
  }
  // log m = 2 artanh((m-1)/(m+1)); |s| <= 0.1716, the next term is s^20/21 = 2e-17.
  const double s = (mantissa - 1.0) / (mantissa + 1.0);
  const double s2 = s * s;
  const double sum = det_polynomial(
      {1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19},
      s2);
  return static_cast<double>(exponent) * 0.6931471805599453 + 2.0 * s * sum;
}

/// 1 - e^-x for x >= 0 without cancellation: what a first-order lag moves in x time constants.
constexpr double det_lag(double x) {
  if (x >= 0.0625) return 1.0 - det_exp(-x);
  // The next term is 1e-13 of x at most.
  double sum = 1.0 / 5040;
  sum = sum * -x + 1.0 / 720;
  sum = sum * -x + 1.0 / 120;
  sum = sum * -x + 1.0 / 24;
  sum = sum * -x + 1.0 / 6;
  sum = sum * -x + 0.5;
  sum = sum * -x + 1.0;
  return x * sum;
}

}  // namespace flyball
