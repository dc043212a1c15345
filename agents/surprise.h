#pragma once

namespace flyball {

/// What every estimate does with readings that do not fit: an outlier counts for so many deviations
/// at most, and a moving average of the deviations that stays beyond `kSurprised` widens the belief.
inline constexpr double kOutlier = 3;
// Of a moving average of normal deviations, whose own deviation is 0.33: five of them.
inline constexpr double kSurpriseWeight = 0.2, kSurprised = 1.7;

}  // namespace flyball
