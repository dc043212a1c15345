#include "governor/metrics/paired.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "kernels/base/random.h"

namespace flyball {

PairedDifference paired_difference(const std::vector<double>& mine,
                                   const std::vector<double>& theirs, std::uint64_t seed) {
  constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  constexpr int kResamples = 2000;
  std::vector<double> off;
  double below = 0;
  for (std::size_t i = 0; i < std::min(mine.size(), theirs.size()); ++i) {
    if (!std::isfinite(mine[i]) || !std::isfinite(theirs[i])) continue;
    off.push_back(mine[i] - theirs[i]);
    below += off.back() < 0 ? 1 : off.back() == 0 ? 0.5 : 0;
  }
  PairedDifference result{kNothing, kNothing, kNothing, kNothing, static_cast<int>(off.size())};
  if (off.empty()) return result;
  const auto n = static_cast<std::uint32_t>(off.size());
  result.mean = std::accumulate(off.begin(), off.end(), 0.0) / n;
  result.below = below / n;
  if (n < 2) return result;
  // Drawn with replacement n pairs vary by n - 1 over n of what they do.
  const double spread = std::sqrt(n / (n - 1.0));
  Random random(seed);
  std::vector<double> means;
  means.reserve(kResamples);
  for (int r = 0; r < kResamples; ++r) {
    double sum = 0;
    for (std::uint32_t i = 0; i < n; ++i) sum += off[random.below(n)];
    means.push_back(result.mean + spread * (sum / n - result.mean));
  }
  std::ranges::sort(means);
  result.lo = means[static_cast<std::size_t>(0.025 * (kResamples - 1))];
  result.hi = means[static_cast<std::size_t>(std::ceil(0.975 * (kResamples - 1)))];
  return result;
}

double tail_mean(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::ranges::sort(values, std::greater<>());
  const std::size_t worst = std::max<std::size_t>(1, values.size() / 10);
  double sum = 0;
  for (const double value : values)
    if (std::isnan(value)) return value;
  for (std::size_t i = 0; i < worst; ++i) sum += values[i];
  return sum / static_cast<double>(worst);
}

}  // namespace flyball
