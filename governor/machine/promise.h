#pragma once

#include <cstddef>
#include <vector>

#include "governor/machine/inference_engine.h"

namespace flyball {

/// Probability of at most `right` hits in `total` tries that hit with probability `share` each.
double binomial_cdf(std::uint64_t right, std::uint64_t total, double share);

/// Which levels recognised so few images that a model which keeps its promise (`promised_pct`, one
/// per tally) would do so in less than one of a thousand runs, over all levels together. Images
/// that come again tell nothing new: no more than `distinct_images` count.
std::vector<bool> broken_promises(const std::vector<Tally>& tallies,
                                  const std::vector<double>& promised_pct,
                                  std::size_t distinct_images);

}  // namespace flyball
