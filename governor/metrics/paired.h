#pragma once

#include <cstdint>
#include <vector>

namespace flyball {

/// How one policy differs from another on the same seeds: the mean of the differences, a 95 % interval
/// by the percentile bootstrap (widened for few seeds as stratified.h says), and how often the one is below the other. Seeds are pairs and are
/// drawn as pairs, since what they have in common (the stream, the disturbances) is most of what
/// they vary by (R. Agarwal et al., "Deep RL at the edge of the statistical precipice", NeurIPS 2021).
struct PairedDifference {
  double mean = 0, lo = 0, hi = 0;
  double below = 0;  ///< share of seeds with less, ties count half
  int pairs = 0;     ///< that both have a figure for; below 2 there is no interval
};

/// `mine[i]` and `theirs[i]` are of one seed; NaN: no figure, and the pair is left out. The same
/// `seed` draws the same pairs, so all figures of a comparison are resampled jointly.
PairedDifference paired_difference(const std::vector<double>& mine,
                                   const std::vector<double>& theirs, std::uint64_t seed = 1);

/// The same of ratios, in % of `theirs`: geometric means. What is not above 0 has none.
PairedDifference paired_ratio_pct(const std::vector<double>& mine,
                                  const std::vector<double>& theirs, std::uint64_t seed = 1);

/// Below so many there is no worst tenth.
inline constexpr std::size_t kTailValues = 10;
/// Mean of the worst tenth, the highest being the worst; of 15 the second worst counts half. NaN for
/// fewer than 10, of which the worst is all that is known, or a NaN.
double tail_mean(std::vector<double> values);

}  // namespace flyball
