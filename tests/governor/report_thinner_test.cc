// What a thinned timeline must still show.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "governor/report/thinner.h"

namespace flyball::report {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

TEST(Thinner, KeepsEverythingThatFits) {
  Thinner thinner(1, 100);
  for (int i = 0; i < 100; ++i) thinner.add(i, std::array{i * 0.5});
  EXPECT_EQ(thinner.x().size(), 100u);
  EXPECT_EQ(thinner.column(0)[99], 49.5);
}

// Whatever comes, and however much: the least and the greatest value of every stretch of it, and
// nothing that was not there.
TEST(Thinner, NeverHidesAnExtreme) {
  Thinner thinner(2, 200);
  std::vector<std::array<double, 2>> all;
  for (int i = 0; i < 50'000; ++i) {
    const double wave = std::sin(i * 0.01) + static_cast<double>((i * 7919) % 1000) * 1e-4;
    // One of a kind, in one row of many thousand.
    const double spike = i == 31'234 ? 1000 : i == 8'765 ? -1000 : i % 3 == 0 ? kNone : wave;
    all.push_back({wave, spike});
    thinner.add(i, all.back());
    ASSERT_LE(thinner.x().size(), 200u);
  }
  EXPECT_EQ(thinner.taken(), all.size());
  const std::vector<double>&x = thinner.x(), wave = thinner.column(0), spike = thinner.column(1);
  EXPECT_EQ(x.front(), 0);
  EXPECT_EQ(x.back(), 49'999);
  EXPECT_TRUE(std::ranges::is_sorted(x));
  for (std::size_t row = 0; row < x.size(); ++row)
    ASSERT_EQ(wave[row], all[static_cast<std::size_t>(x[row])][0]) << "a row as it was";
  EXPECT_THAT(spike, ::testing::Contains(1000));
  EXPECT_THAT(spike, ::testing::Contains(-1000));
  // In eighths, wider than the buckets: the same extremes as of all rows.
  for (int part = 0; part < 8; ++part) {
    double kept = -1e9, real = -1e9;
    for (std::size_t row = 0; row < x.size(); ++row)
      if (static_cast<int>(x[row]) / 6250 == part) kept = std::max(kept, wave[row]);
    for (int i = part * 6250; i < (part + 1) * 6250; ++i)
      real = std::max(real, all[static_cast<std::size_t>(i)][0]);
    EXPECT_NEAR(kept, real, 0.1) << part;
  }
}

TEST(Thinner, TakesRowsThatAreAllAtOneTime) {
  Thinner thinner(1, 20);
  for (int i = 0; i < 1000; ++i) thinner.add(5, std::array{static_cast<double>(i)});
  EXPECT_LE(thinner.x().size(), 20u);
  EXPECT_THAT(thinner.column(0), ::testing::IsSupersetOf({0.0, 999.0}));
}

}  // namespace
}  // namespace flyball::report
