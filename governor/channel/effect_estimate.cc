#include "governor/channel/effect_estimate.h"

#include <algorithm>
#include <cmath>

namespace flyball {
namespace {

struct Moments {
  double mean = 0, variance_of_mean = 0, count = 0;
};

Moments moments_of(const double* values, std::size_t count) {
  Moments m;
  m.count = static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i) m.mean += values[i];
  m.mean /= std::max(1.0, m.count);
  double squares = 0;
  for (std::size_t i = 0; i < count; ++i) squares += (values[i] - m.mean) * (values[i] - m.mean);
  if (count > 1) m.variance_of_mean = squares / (m.count - 1) / m.count;
  return m;
}

flyball_estimate estimate(double mean, double variance, double degrees) {
  const double half = student_975(degrees) * std::sqrt(variance);
  return {mean, mean - half, mean + half, 1};
}

flyball_estimate mean_of(const Moments& m) {
  if (m.count < static_cast<double>(EffectEstimate::kLeast)) return {};
  return estimate(m.mean, m.variance_of_mean, m.count - 1);
}

flyball_estimate difference(const Moments& before, const Moments& now) {
  constexpr auto kLeast = static_cast<double>(EffectEstimate::kLeast);
  if (before.count < kLeast || now.count < kLeast) return {};
  const double a = before.variance_of_mean, b = now.variance_of_mean;
  const double below = a * a / (before.count - 1) + b * b / (now.count - 1);
  const double degrees = below > 0 ? (a + b) * (a + b) / below : before.count + now.count - 2;
  return estimate(now.mean - before.mean, a + b, degrees);
}

double mean_clock(const double* mhz, std::size_t count) { return moments_of(mhz, count).mean; }

}  // namespace

double student_975(double degrees) noexcept {
  struct Row {
    double degrees, t;
  };
  // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
  static constexpr Row kTable[] = {{1, 12.706}, {2, 4.303},  {3, 3.182},  {4, 2.776},  {5, 2.571},
                                   {6, 2.447},  {7, 2.365},  {8, 2.306},  {9, 2.262},  {10, 2.228},
                                   {12, 2.179}, {15, 2.131}, {20, 2.086}, {30, 2.042}, {60, 2.000}};
  double t = kTable[0].t;
  for (const Row& row : kTable) {
    if (row.degrees <= degrees + 1e-9) t = row.t;
  }
  return t;
}

const char* why_no_comparison(int reason) noexcept {
  switch (reason) {
    case FLYBALL_JOINED_EARLIER:
      return "it joined before this governor";
    case FLYBALL_FEW_BEFORE:
      return "it had fewer than 8 jobs in its first 5 s";
    default:
      return "";
  }
}

void EffectEstimate::add_before(double latency_ns, double energy_mj, double mhz) noexcept {
  if (before_.count < kBefore) before_.add(latency_ns, energy_mj, mhz);
}
void EffectEstimate::add_now(double latency_ns, double energy_mj, double mhz) noexcept {
  now_.add(latency_ns, energy_mj, mhz);
}

void EffectEstimate::fill(flyball_effect& out) const noexcept {
  const Moments latency_before = moments_of(before_.latency_ns.data(), before_.count);
  const Moments latency_now = moments_of(now_.latency_ns.data(), now_.count);
  const Moments energy_before = moments_of(before_.energy_mj.data(), before_.count);
  const Moments energy_now = moments_of(now_.energy_mj.data(), now_.count);
  out.before_ns = mean_of(latency_before);
  out.now_ns = mean_of(latency_now);
  out.before_mj = mean_of(energy_before);
  out.now_mj = mean_of(energy_now);
  out.latency_ns = difference(latency_before, latency_now);
  out.energy_mj = difference(energy_before, energy_now);
  out.before_mhz = mean_clock(before_.mhz.data(), before_.count);
  out.now_mhz = mean_clock(now_.mhz.data(), now_.count);
}

}  // namespace flyball
