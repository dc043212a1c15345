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
  EXPECT_GE(off.lo, -4.6);  // Student's t with three degrees of freedom: 2.05 on either side
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

// Of 95 % intervals about 95 % hold the truth, of as few pairs as are usual too.
TEST(PairedDifference, IntervalsHoldTheTruth) {
  constexpr int kRepeats = 2000;
  for (const int pairs : {2, 3, 5, 10, 20}) {
    Random random(1, static_cast<std::uint64_t>(pairs));
    int held = 0;
    for (int r = 0; r < kRepeats; ++r) {
      std::vector<double> mine, theirs;
      for (int i = 0; i < pairs; ++i) {
        const double common = 100 * random.normal();
        theirs.push_back(common);
        mine.push_back(common + 3 + random.normal());
      }
      const PairedDifference off = paired_difference(mine, theirs);
      held += off.lo <= 3 && 3 <= off.hi;
    }
    EXPECT_GE(held, 0.93 * kRepeats) << pairs;
    EXPECT_LE(held, 0.975 * kRepeats) << pairs;
  }
}

TEST(PairedDifference, OfRatiosIsGeometric) {
  const PairedDifference off = paired_ratio_pct({2, 50, 0}, {1, 100, 7});
  EXPECT_NEAR(off.mean, 0, 1e-9);  // twice, and half; what takes nothing has no ratio
  EXPECT_EQ(off.pairs, 2);
  EXPECT_LT(off.lo, -50);
  EXPECT_GT(off.hi, 100);
  EXPECT_NEAR(paired_ratio_pct({11, 22}, {10, 20}).mean, 10, 1e-9);
}

TEST(TailMean, IsTheMeanOfTheWorstTenth) {
  EXPECT_TRUE(std::isnan(tail_mean({1, 5, 2, 3, 4, 6, 7, 8, 9}))) << "nine have no tenth";
  EXPECT_DOUBLE_EQ(tail_mean({1, 5, 2, 3, 4, 6, 7, 8, 9, 10}), 10);
  std::vector<double> fifteen;
  for (int i = 1; i <= 15; ++i) fifteen.push_back(i);
  EXPECT_DOUBLE_EQ(tail_mean(fifteen), (15 + 0.5 * 14) / 1.5);
  std::vector<double> twenty;
  for (int i = 1; i <= 20; ++i) twenty.push_back(i);
  EXPECT_DOUBLE_EQ(tail_mean(twenty), 19.5);
  EXPECT_TRUE(std::isnan(tail_mean({})));
  fifteen[3] = kNothing;
  EXPECT_TRUE(std::isnan(tail_mean(fifteen)));
}

}  // namespace
}  // namespace flyball
