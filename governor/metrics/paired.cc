#include "governor/metrics/paired.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "governor/metrics/stratified.h"
#include "kernels/base/det_math.h"

namespace flyball {

PairedDifference paired_difference(const std::vector<double>& mine,
                                   const std::vector<double>& theirs, std::uint64_t seed) {
  constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> off;
  double below = 0;
  for (std::size_t i = 0; i < std::min(mine.size(), theirs.size()); ++i) {
    if (!std::isfinite(mine[i]) || !std::isfinite(theirs[i])) continue;
    off.push_back(mine[i] - theirs[i]);
    below += off.back() < 0 ? 1 : off.back() == 0 ? 0.5 : 0;
  }
  PairedDifference result{kNothing, kNothing, kNothing, kNothing, static_cast<int>(off.size())};
  if (off.empty()) return result;
  const double n = static_cast<double>(off.size());
  result.mean = std::accumulate(off.begin(), off.end(), 0.0) / n;
  result.below = below / n;
  if (off.size() < 2) return result;
  const Interval interval = StratifiedBootstrap({off.size()}, seed).mean({off});
  result.lo = interval.lo;
  result.hi = interval.hi;
  return result;
}

PairedDifference paired_ratio_pct(const std::vector<double>& mine,
                                  const std::vector<double>& theirs, std::uint64_t seed) {
  const auto logarithms = [](std::vector<double> values) {
    for (double& value : values)
      value = value > 0 ? det_log(value) : std::numeric_limits<double>::quiet_NaN();
    return values;
  };
  PairedDifference off = paired_difference(logarithms(mine), logarithms(theirs), seed);
  for (double* value : {&off.mean, &off.lo, &off.hi}) *value = 100 * (det_exp(*value) - 1);
  return off;
}

double tail_mean(std::vector<double> values) {
  if (values.size() < kTailValues) return std::numeric_limits<double>::quiet_NaN();
  for (const double value : values)
    if (std::isnan(value)) return value;
  std::ranges::sort(values, std::greater<>());
  const double tenth = static_cast<double>(values.size()) / 10;
  double sum = 0, left = tenth;
  for (std::size_t i = 0; left > 0; ++i, --left) sum += values[i] * std::min(1.0, left);
  return sum / tenth;
}

}  // namespace flyball
