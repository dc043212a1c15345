#include "governor/metrics/stratified.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/base/random.h"

namespace flyball {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

TEST(Stratified, StrataWeighAlikeHoweverManySeedsTheyHave) {
  EXPECT_DOUBLE_EQ(stratified_mean({{1, 1, 1, 1}, {4}}), 2.5);
  EXPECT_DOUBLE_EQ(stratified_mean({{1, kNone, 3}, {kNone}}), 2);
  EXPECT_TRUE(std::isnan(stratified_mean({{kNone}, {}})));
}

TEST(Stratified, TheInterquartileMeanLeavesOutAQuarterAtEitherEnd) {
  // 8 figures: two off at each end leave 3, 4, 5, 6.
  EXPECT_DOUBLE_EQ(interquartile_mean({{1, -1e6, 3, 4}, {5, 6, 1e6, 8}}), 4.5);
  EXPECT_DOUBLE_EQ(interquartile_mean({{1, 2, 6}}), 3);
  // Of each board a run: not the small board, nor the large one.
  EXPECT_DOUBLE_EQ(interquartile_mean({{1, 2, 3, 99}, {1000, 1001, 1003, 5000}}), (2.5 + 1002) / 2);
}

TEST(Stratified, TheEffectIsTheMeanOverTheDeviationWithinStrata) {
  // Deviations within both strata are sqrt(2); what lies between the strata does not count.
  EXPECT_NEAR(paired_effect({{0, 2}, {10, 12}}), 6 / std::sqrt(2.0), 1e-12);
  EXPECT_TRUE(std::isnan(paired_effect({{3, 3}, {3, 3}})));
}

TEST(Stratified, HolmByHand) {
  EXPECT_THAT(holm({0.01, 0.04, 0.03}),
              ElementsAre(DoubleEq(0.03), DoubleEq(0.06), DoubleEq(0.06)));
  const std::vector<double> with_none = holm({0.02, kNone, 0.5});
  EXPECT_DOUBLE_EQ(with_none[0], 0.04);
  EXPECT_TRUE(std::isnan(with_none[1]));
  EXPECT_THAT(holm({0.9, 0.8}), ElementsAre(1, 1));
}

TEST(Stratified, SignFlipsOfFewPairsAreCounted) {
  // Of eight ways to sign 1, 2 and 3 only two are as far from 0 as their sum.
  EXPECT_DOUBLE_EQ(sign_flip_p({{1, 2, 3}}), 0.25);
  EXPECT_DOUBLE_EQ(sign_flip_p({{1, 2}, {3}}), 0.25);
  EXPECT_DOUBLE_EQ(sign_flip_p({{0, 0}}), 1);
  EXPECT_DOUBLE_EQ(sign_flip_p({{-5}}), 1);
  EXPECT_TRUE(std::isnan(sign_flip_p({{kNone}})));
}

/// Differences of two strata that vary by unlike amounts, about `mean`.
Strata drawn(Random& random, double mean, int pairs) {
  Strata strata(2);
  for (int i = 0; i < pairs; ++i) {
    strata[0].push_back(mean + random.normal());
    strata[1].push_back(mean + 3 * random.normal());
  }
  return strata;
}

TEST(Stratified, SignFlipsRejectWhatIsTrueAsOftenAsTheySay) {
  Random random(7);
  int rejected = 0, found = 0;
  constexpr int kTimes = 2000;
  for (int t = 0; t < kTimes; ++t) {
    rejected += sign_flip_p(drawn(random, 0, 5)) <= 0.05;
    found += sign_flip_p(drawn(random, 4, 5)) <= 0.05;
  }
  // Three standard deviations of a share of 5 % above it.
  EXPECT_LE(rejected, kTimes * 0.065);
  EXPECT_GE(rejected, kTimes * 0.03);
  EXPECT_GE(found, kTimes * 0.8);
}

TEST(Stratified, HolmKeepsTheChanceOfAnyFalseFindingBelowItsLevel) {
  Random random(11);
  int any = 0, any_without = 0;
  constexpr int kTimes = 1000, kPolicies = 5;
  for (int t = 0; t < kTimes; ++t) {
    std::vector<double> p;
    for (int i = 0; i < kPolicies; ++i) p.push_back(sign_flip_p(drawn(random, 0, 5)));
    const std::vector<double> adjusted = holm(p);
    any += *std::ranges::min_element(adjusted) <= 0.05;
    any_without += *std::ranges::min_element(p) <= 0.05;
  }
  EXPECT_LE(any, kTimes * 0.075);
  EXPECT_GE(any_without, kTimes * 0.12);  // what it is for
}

TEST(Stratified, IntervalsHoldTheTruthAndStrataDoNotWidenThem) {
  Random random(3);
  constexpr int kTimes = 300, kPairs = 20;
  const StratifiedBootstrap bootstrap({kPairs, kPairs});
  int held = 0;
  for (int t = 0; t < kTimes; ++t) {
    Strata strata = drawn(random, 1, kPairs);
    // Platforms differ by far more than seeds do: between strata nothing is drawn.
    for (double& value : strata[1]) value += 1000;
    const Interval interval = bootstrap.mean(strata);
    held += interval.lo <= 501 && 501 <= interval.hi;
    EXPECT_LT(interval.hi - interval.lo, 3);
  }
  EXPECT_GE(held, kTimes * 0.9);
  EXPECT_LE(held, kTimes * 0.985);
}

TEST(Stratified, IntervalsOfFewSeedsHoldTheTruthToo) {
  constexpr int kTimes = 2000;
  for (const int pairs : {3, 5, 10}) {
    Random random(17, static_cast<std::uint64_t>(pairs));
    const auto seeds = static_cast<std::size_t>(pairs);
    const StratifiedBootstrap alone({seeds}), two({seeds, seeds});
    int held = 0, held_of_two = 0;
    for (int t = 0; t < kTimes; ++t) {
      Strata strata(2);
      for (auto& stratum : strata)
        for (int i = 0; i < pairs; ++i) stratum.push_back(random.normal());
      const Interval of_two = two.mean(strata), of_one = alone.mean({strata[0]});
      held += of_one.lo <= 0 && 0 <= of_one.hi;
      held_of_two += of_two.lo <= 0 && 0 <= of_two.hi;
    }
    EXPECT_GE(held, 0.93 * kTimes) << pairs;
    EXPECT_LE(held, 0.975 * kTimes) << pairs;
    EXPECT_GE(held_of_two, 0.93 * kTimes) << pairs;
    EXPECT_LE(held_of_two, 0.985 * kTimes) << pairs;
  }
}

// All of 5 seeds are better: 0.025^(1/5) = 47.8 % at least.
TEST(Stratified, ASharesIntervalIsExact) {
  const Interval all = interval_of_shares({{1, 1, 1, 1, 1}});
  EXPECT_NEAR(all.lo, std::pow(0.025, 0.2), 1e-9);
  EXPECT_EQ(all.hi, 1);
  EXPECT_NEAR(interval_of_shares({{0, 0}, {0, 0, kNone}}).hi, 1 - std::pow(0.025, 0.25), 1e-9);
  // Strata of 2 and 8 weigh alike, and tell as much as 6.4.
  EXPECT_NEAR(interval_of_shares({{1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}}).lo, std::pow(0.025, 1 / 6.4),
              1e-9);
  EXPECT_TRUE(std::isnan(interval_of_shares({{kNone}}).lo));
  Random random(23);
  constexpr int kTimes = 2000;
  for (const double share : {0.6, 0.9, 0.99}) {
    int held = 0;
    for (int t = 0; t < kTimes; ++t) {
      Strata strata(2);
      for (auto& stratum : strata)
        for (int i = 0; i < 5; ++i) stratum.push_back(random.uniform() < share ? 1 : 0);
      const Interval interval = interval_of_shares(strata);
      held += interval.lo <= share && share <= interval.hi;
    }
    EXPECT_GE(held, 0.95 * kTimes) << share;
  }
}

TEST(Stratified, TheSameSeedsAreDrawnOfAllPolicies) {
  const StratifiedBootstrap bootstrap({6, 4});
  Strata mine(2), theirs(2), off(2);
  Random random(5);
  for (std::size_t s = 0; s < 2; ++s) {
    for (int i = 0; i < (s == 0 ? 6 : 4); ++i) {
      const double common = 100 * random.normal();
      mine[s].push_back(common + 1);
      theirs[s].push_back(common);
      off[s].push_back(mine[s].back() - theirs[s].back());
    }
  }
  // What pairs have in common cancels, so that a constant difference has no width.
  EXPECT_NEAR(bootstrap.mean(off).lo, 1, 1e-9);
  EXPECT_NEAR(bootstrap.mean(off).hi, 1, 1e-9);
  const Interval a = bootstrap.mean(mine), b = bootstrap.mean(theirs);
  EXPECT_NEAR(a.lo, b.lo + 1, 1e-9);
  EXPECT_NEAR(a.hi, b.hi + 1, 1e-9);
  EXPECT_EQ(StratifiedBootstrap({6, 4}).mean(mine).lo, a.lo);
  EXPECT_TRUE(std::isnan(StratifiedBootstrap({1}).mean({{3}}).lo));
}

}  // namespace
}  // namespace flyball
