#include "governor/compare/standing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace flyball {
namespace {

/// Figures as one likes, of so many cells and seeds.
MatrixResults made(const std::vector<std::string>& policies, int cells, int seeds,
                   const std::function<Metrics(std::size_t policy, int cell, int seed)>& figures) {
  MatrixResults results;
  results.policies = policies;
  results.against = policies.front();
  results.seeds = seeds;
  for (int c = 0; c < cells; ++c) {
    results.cells.emplace_back().platform = "p" + std::to_string(c);
    for (int s = 0; s < seeds; ++s) {
      SeedFigures seed;
      for (std::size_t p = 0; p < policies.size(); ++p) seed.policies.push_back(figures(p, c, s));
      results.seeds_done[{static_cast<std::size_t>(c), static_cast<std::size_t>(s)}] = seed;
    }
  }
  return results;
}

Metrics of(double energy_mj, double missed_pct = 0) {
  Metrics m;
  m.energy_mj_per_job = energy_mj;
  m.deadline_miss_pct = missed_pct;
  m.jobs = 1;
  return m;
}

const MetricField& field(std::string_view key) {
  return *std::ranges::find(metric_fields(), key, &MetricField::key);
}

// Boards differ tenfold: a policy that takes a tenth more takes that on each.
TEST(StandingOfPolicies, RatiosAreGeometricMeansOverCells) {
  const MatrixResults results = made({"a", "b"}, 2, 4, [](std::size_t p, int c, int s) {
    return of((c == 0 ? 10 : 100) * (1 + s) * (p == 0 ? 1 : c == 0 ? 1.21 : 1.0));
  });
  const MatrixStatistics statistics(results);
  const Difference off = statistics.differences(0, field("energy_mj_per_job"))[1];
  EXPECT_NEAR(off.mean, 10, 1e-9);
  EXPECT_EQ(off.pairs, 8);
  EXPECT_NEAR(off.improvement, 0.25, 1e-12);  // ties count half
  EXPECT_NEAR(off.ci95.lo, 10, 1e-9);         // within a cell nothing varies
}

TEST(StandingOfPolicies, TheBestIsOnTimeDeployableAndTiedWithWhatCannotBeToldApart) {
  const std::vector<std::string> names = {"worse", "late", "oracle", "best", "near"};
  const MatrixResults results = made(names, 2, 8, [](std::size_t p, int, int s) {
    const double noise = (s % 2 == 0 ? 1 : -1) * 0.5;
    switch (p) {
      case 0:
        return of(20 + s);
      case 1:
        return of(5 + s, 3);
      case 2:
        return of(6 + s);
      case 3:
        return of(10 + s);
      default:
        return of(10.01 + s + noise);
    }
  });
  const std::vector<Rank> ranks = MatrixStatistics(results).ranking();
  ASSERT_EQ(ranks.size(), 5u);
  const auto expect = [&](std::size_t place, std::size_t policy, Rank::Mark mark) {
    EXPECT_EQ(ranks[place].policy, policy) << place;
    EXPECT_EQ(ranks[place].mark, mark) << place;
  };
  expect(0, 2, Rank::Mark::kYardstick);
  expect(1, 3, Rank::Mark::kBest);
  expect(2, 4, Rank::Mark::kTied);
  expect(3, 0, Rank::Mark::kNone);
  expect(4, 1, Rank::Mark::kLate);
}

TEST(StandingOfPolicies, TooFewSeedsMarkNoTies) {
  const auto figures = [](std::size_t p, int, int s) {
    return of(10.0 + s + static_cast<double>(p));
  };
  const MatrixResults few = made({"a", "b", "c"}, 1, 3, figures);
  const MatrixStatistics statistics(few);
  EXPECT_EQ(statistics.pairs_needed(), 7);  // 2 / 2^7 * 2 < 5 %
  EXPECT_EQ(statistics.ranking()[1].mark, Rank::Mark::kNone);
}

TEST(StandingOfPolicies, WhereAccuracyIsWantedUtilityRanks) {
  MatrixResults results = made({"frugal", "useful"}, 1, 8, [](std::size_t p, int, int s) {
    Metrics m = of(p == 0 ? 1 : 2);
    m.utility_pct = (p == 0 ? 50 : 90) + s;
    return m;
  });
  EXPECT_EQ(MatrixStatistics(results).ranking()[0].policy, 0u);
  results.cells[0].energy_wanted = false;
  EXPECT_EQ(MatrixStatistics(results).ranking()[0].policy, 1u);
}

TEST(StandingOfPolicies, ProfilesAndGapsByHand) {
  const MatrixResults results = made({"a", "b"}, 1, 4, [](std::size_t p, int, int s) {
    Metrics m = p == 0 ? of(10) : of(s < 2 ? 11 : 30, s == 0 ? 50 : 0);
    m.energy_gap_to_bound_pct = p == 0 ? 25 : Metrics::kAbsent;
    return m;
  });
  const MatrixStatistics statistics(results);
  EXPECT_DOUBLE_EQ(statistics.profile(0, 1).mean, 1);
  EXPECT_DOUBLE_EQ(statistics.profile(1, 1).mean, 0);
  EXPECT_DOUBLE_EQ(statistics.profile(1, 1.2).mean, 0.25);  // one of the two was late
  EXPECT_DOUBLE_EQ(statistics.profile(1, 3).mean, 0.75);
  EXPECT_NEAR(statistics.optimality_gap_pct(0).mean, 20, 1e-12);  // 1 - 1 / 1.25
  EXPECT_TRUE(std::isnan(statistics.optimality_gap_pct(1).mean));
  // Misses: the mean, the worst seed; four seeds have no worst tenth.
  const Standing missed = statistics.standing(1, field("deadline_miss_pct"));
  EXPECT_DOUBLE_EQ(missed.mean, 12.5);
  EXPECT_DOUBLE_EQ(missed.worst, 50);
  EXPECT_TRUE(std::isnan(missed.cvar10));
  EXPECT_TRUE(std::isnan(missed.iqm));
}

TEST(StandingOfPolicies, SharesThatAreAllOrNothingHaveIntervals) {
  const MatrixResults results =
      made({"a", "b"}, 2, 4, [](std::size_t p, int, int s) { return of(10.0 + s - 5.0 * p); });
  const MatrixStatistics statistics(results);
  const Difference off = statistics.differences(0, field("energy_mj_per_job"))[1];
  EXPECT_EQ(off.improvement, 1);
  EXPECT_NEAR(off.improvement_ci95.lo, std::pow(0.025, 1.0 / 8), 1e-9);
  EXPECT_EQ(off.improvement_ci95.hi, 1);
  EXPECT_NEAR(statistics.profile(1, 1).ci95.lo, std::pow(0.025, 1.0 / 8), 1e-9);
  // Nobody missed one of 8 jobs, which does not say that nobody will.
  const Standing missed = statistics.standing(0, field("deadline_miss_pct"));
  EXPECT_EQ(missed.mean, 0);
  EXPECT_EQ(missed.ci95.lo, 0);
  EXPECT_NEAR(missed.ci95.hi, 100 * (1 - std::pow(0.025, 1.0 / 8)), 1e-9);
}

// One board is hot, the other cool: the worst tenth is of each.
TEST(StandingOfPolicies, TheWorstTenthIsOfEachCell) {
  const auto figures = [](std::size_t, int c, int s) {
    Metrics m = of(1);
    m.temp_peak_c = (c == 0 ? 30 : 80) + s;
    return m;
  };
  const auto heat = [&](int seeds) {
    return MatrixStatistics(made({"a"}, 2, seeds, figures)).standing(0, field("temp_peak_c"));
  };
  EXPECT_DOUBLE_EQ(heat(10).cvar10, (39 + 89) / 2.0);
  EXPECT_DOUBLE_EQ(heat(15).cvar10, ((44 + 43.0 / 2) / 1.5 + (94 + 93.0 / 2) / 1.5) / 2);
  EXPECT_DOUBLE_EQ(heat(10).worst, 89);
  EXPECT_TRUE(std::isnan(heat(9).cvar10));
}

// Where no job came nobody was late, nor on time.
TEST(StandingOfPolicies, WithoutAJobNobodyIsLate) {
  const MatrixResults results = made({"a", "b"}, 1, 3, [](std::size_t, int, int) {
    Metrics m;
    m.energy_mj_per_job = m.deadline_miss_pct = m.utility_pct = Metrics::kAbsent;
    return m;
  });
  const MatrixStatistics statistics(results);
  for (const Rank& rank : statistics.ranking()) EXPECT_EQ(rank.mark, Rank::Mark::kNone);
  EXPECT_TRUE(std::isnan(statistics.profile(0, 2).mean));
  EXPECT_TRUE(std::isnan(statistics.profile(0, 2).ci95.lo));
}

}  // namespace
}  // namespace flyball
