#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace flyball {

/// A way in which two applications run at the same time (or one of them, or none): what each gets
/// done, and the power beyond the least.
struct JointPace {
  double work_a_per_s = 0, work_b_per_s = 0;
  double excess_mw = 0;
};

/// What a second can earn at most at given prices for the work of two applications, mJ/s: the maximum
/// over all ways of price_a * work_a + price_b * work_b - excess, and never below 0. For every pair
/// of prices of two lists.
class PriceTable {
 public:
  PriceTable() = default;
  /// `prices_*` ascend. `paces` is sorted.
  PriceTable(std::vector<JointPace>& paces, std::span<const double> prices_a,
             std::span<const double> prices_b);
  /// There is another way: it earns the sum of these, each by its price, less the excess.
  void raise(std::span<const double> earned_a, std::span<const double> earned_b, double excess_mw);
  double earned_mw(std::size_t price_a, std::size_t price_b) const {
    return earned_mw_[price_a * columns_ + price_b];
  }

 private:
  std::size_t columns_ = 0;
  std::vector<double> earned_mw_;
};

}  // namespace flyball
