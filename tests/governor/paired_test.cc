#include "governor/metrics/paired.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/base/random.h"

namespace flyball {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

TEST(PairedDifference, IsOfThePairs) {
  // Seeds differ by far more than policies do.
  const PairedDifference off = paired_difference({99, 198, 297, 396}, {100, 200, 300, 400});
  EXPECT_DOUBLE_EQ(off.mean, -2.5);
  EXPECT_DOUBLE_EQ(off.below, 1);
  EXPECT_LT(off.hi, 0);
  EXPECT_GE(off.lo, -4.3);
  EXPECT_EQ(off.pairs, 4);
}

TEST(PairedDifference, TiesCountHalfAndWhatHasNoFigureIsLeftOut) {
  const PairedDifference off = paired_difference({1, 2, kNothing, 3}, {1, 3, 5, kNothing});
  EXPECT_EQ(off.pairs, 2);
  EXPECT_DOUBLE_EQ(off.below, 0.75);
  EXPECT_DOUBLE_EQ(off.mean, -0.5);
  const PairedDifference one = paired_difference({1}, {3});
  EXPECT_DOUBLE_EQ(one.mean, -2);
  EXPECT_TRUE(std::isnan(one.lo) && std::isnan(one.hi)) << "of one seed there is no interval";
  EXPECT_TRUE(std::isnan(paired_difference({kNothing}, {1}).mean));
}

// Of 95 % intervals about 95 % hold the truth; with 20 pairs the percentile bootstrap falls a little
// short.
TEST(PairedDifference, IntervalsHoldTheTruth) {
  Random random(1);
  int held = 0;
  constexpr int kRepeats = 2000;
  for (int r = 0; r < kRepeats; ++r) {
    std::vector<double> mine, theirs;
    for (int i = 0; i < 20; ++i) {
      const double common = 100 * random.normal();
      theirs.push_back(common);
      mine.push_back(common + 3 + random.normal());
    }
    const PairedDifference off = paired_difference(mine, theirs);
    held += off.lo <= 3 && 3 <= off.hi;
  }
  EXPECT_GT(held, 0.92 * kRepeats);
  EXPECT_LT(held, 0.96 * kRepeats);
}

TEST(TailMean, IsTheMeanOfTheWorstTenth) {
  EXPECT_DOUBLE_EQ(tail_mean({1, 5, 2}), 5);
  std::vector<double> twenty;
  for (int i = 1; i <= 20; ++i) twenty.push_back(i);
  EXPECT_DOUBLE_EQ(tail_mean(twenty), 19.5);
  EXPECT_TRUE(std::isnan(tail_mean({})));
  EXPECT_TRUE(std::isnan(tail_mean({1, kNothing})));
}

}  // namespace
}  // namespace flyball
