#include "governor/machine/promise.h"

#include <algorithm>
#include <cmath>

namespace flyball {

double binomial_cdf(std::uint64_t right, std::uint64_t total, double share) {
  if (right >= total || share <= 0) return 1;
  if (share >= 1) return 0;
  const auto n = static_cast<double>(total);
  double sum = 0;
  for (std::uint64_t i = 0; i <= right; ++i) {
    const auto k = static_cast<double>(i);
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) +
                    k * std::log(share) + (n - k) * std::log1p(-share));
  }
  return std::min(1.0, sum);
}

std::vector<bool> broken_promises(const std::vector<Tally>& tallies,
                                  const std::vector<double>& promised_pct,
                                  std::size_t distinct_images) {
  constexpr double kFalseAlarm = 0.001;
  const auto tried = std::count_if(tallies.begin(), tallies.end(),
                                   [](const Tally& tally) { return tally.total > 0; });
  std::vector<bool> broken;
  for (std::size_t level = 0; level < tallies.size(); ++level) {
    const Tally& tally = tallies[level];
    const std::uint64_t total = std::min<std::uint64_t>(tally.total, distinct_images);
    const auto right =
        static_cast<std::uint64_t>(std::llround(tally.pct() / 100 * static_cast<double>(total)));
    broken.push_back(total > 0 && binomial_cdf(right, total, promised_pct[level] / 100) <
                                      kFalseAlarm / static_cast<double>(tried));
  }
  return broken;
}

}  // namespace flyball
