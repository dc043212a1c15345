#include "governor/compare/compare.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "agents/policy_file.h"
#include "kernels/base/error.h"

namespace flyball::test {
namespace {

class CompareTest : public ::testing::Test {
 protected:
  CompareTest() { shorten(scenario_, 6); }

  static void shorten(Scenario& scenario, int seconds) {
    scenario.duration_ns = seconds * std::int64_t{1'000'000'000};
    for (AppSpec& app : scenario.apps) app.stop_ns = std::min(app.stop_ns, scenario.duration_ns);
  }
  std::vector<PolicyResult> run(const std::vector<PolicyChoice>& policies, int seeds,
                                unsigned threads = 2) const {
    CompareOptions options;
    options.policies = policies;
    options.seeds = seeds;
    options.threads = threads;
    return compare(platform_, scenario_, options);
  }
  /// Bitwise, but for the time that decisions took on this machine.
  static void expect_same(const std::vector<PolicyResult>& a, const std::vector<PolicyResult>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t p = 0; p < a.size(); ++p) {
      EXPECT_EQ(a[p].agent, b[p].agent);
      ASSERT_EQ(a[p].per_seed.size(), b[p].per_seed.size());
      for (std::size_t s = 0; s < a[p].per_seed.size(); ++s)
        for (const MetricField& field : metric_fields()) {
          if (field.measured) continue;
          const double x = a[p].per_seed[s].*field.value, y = b[p].per_seed[s].*field.value;
          EXPECT_EQ(std::memcmp(&x, &y, sizeof x), 0)
              << a[p].policy << ' ' << field.key << ": " << x << " and " << y;
        }
    }
  }
  static Estimate figure(const PolicyResult& result, double Metrics::*field) {
    std::vector<double> values;
    for (const Metrics& metrics : result.per_seed) values.push_back(metrics.*field);
    return estimate(values);
  }

  PlatformSpec platform_ = load_platform("odroid_xu3");
  Scenario scenario_ = load_scenario("single_periodic", platform_);
};

TEST_F(CompareTest, TheSameSeedsGiveTheSameNumbersWhateverTheNumberOfThreads) {
  const std::vector<PolicyChoice> policies = {{"performance"}, {"q_learning"}, {"oracle"}};
  const auto one = run(policies, 3, 1);
  expect_same(one, run(policies, 3, 1));
  expect_same(one, run(policies, 3, 3));
}

TEST_F(CompareTest, SeedsDiffer) {
  const auto result = run({{"performance"}}, 2);
  EXPECT_NE(result[0].per_seed[0].energy_mj_per_job, result[0].per_seed[1].energy_mj_per_job);
}

TEST_F(CompareTest, NobodyIsBelowTheBoundNorTheBestFound) {
  shorten(scenario_ = load_scenario("single_periodic", platform_), 20);
  for (const PolicyResult& result :
       run({{"performance"}, {"schedutil"}, {"rule"}, {"static_best"}, {"oracle"}}, 2)) {
    for (const Metrics& metrics : result.per_seed) {
      EXPECT_GE(metrics.energy_gap_to_bound_pct, 0) << result.policy;
      if (std::isnan(metrics.energy_gap_to_best_found_pct)) continue;
      EXPECT_GE(metrics.energy_gap_to_best_found_pct, 0) << result.policy;
    }
  }
}

TEST_F(CompareTest, GapsAreThoseOfEnergyAndDoNotDependOnWhoIsListed) {
  shorten(scenario_, 4);
  const auto results = run({{"performance"}, {"oracle"}}, 1);
  const Metrics &fast = results[0].per_seed[0], &best = results[1].per_seed[0];
  // Both finish the same jobs, and have none open at the end.
  ASSERT_EQ(fast.jobs, best.jobs);
  EXPECT_NEAR(
      (100 + fast.energy_gap_to_best_found_pct) / (100 + best.energy_gap_to_best_found_pct),
      fast.energy_mj_per_job / best.energy_mj_per_job, 0.02);
  const auto alone = run({{"performance"}}, 1);
  ASSERT_EQ(alone.size(), 1u);
  EXPECT_EQ(alone[0].per_seed[0].energy_gap_to_bound_pct, fast.energy_gap_to_bound_pct);
  EXPECT_EQ(alone[0].per_seed[0].energy_gap_to_best_found_pct, fast.energy_gap_to_best_found_pct);
}

TEST_F(CompareTest, StaticBestIsPaidAtLeastAsMuchAsAnyOtherFixedConfiguration) {
  const auto results = run({{"static_best"},
                            {"static_best:A15=1000000;camera=A15x2@75"},
                            {"static_best:A7=1400000;camera=A7x4@100"},
                            {"static_best:A15=2000000;camera=A15x4@100"}},
                           2);
  const double best = figure(results[0], &Metrics::reward).mean;
  for (const PolicyResult& result : results)
    EXPECT_LE(figure(result, &Metrics::reward).mean, best) << result.agent;
  EXPECT_EQ(results[0].agent.rfind("static_best:A15=", 0), 0u) << results[0].agent;
}

TEST_F(CompareTest, AnInfeasibleDeadlineIsReportedAsInfeasible) {
  scenario_.apps[0].required.deadline_ns = 1'000'000;  // 1 ms: nothing is that fast
  const auto results = run({{"performance"}, {"oracle"}}, 1);
  for (const PolicyResult& result : results) {
    EXPECT_EQ(result.per_seed[0].deadline_miss_pct, 100) << result.policy;
    EXPECT_EQ(result.per_seed[0].infeasible_pct, 100) << result.policy;
  }
}

// No machine measures accuracy: whoever decides, and what pays them, hears what is declared.
TEST_F(CompareTest, HowAccurateLevelsReallyAreReachesNobodyThatDecides) {
  shorten(scenario_ = load_scenario("background", platform_), 6);
  const Belief belief = Belief::of(platform_);
  CompareOptions options;
  options.policies = {{"q_learning"}, {"rule"}, {"mean20"}};
  options.belief = &belief;
  options.seeds = 2;
  auto as_believed = compare(platform_, scenario_, options);
  PlatformSpec worse = platform_;
  for (AppProfile& app : worse.apps)
    for (LevelProfile& level : app.levels) level.accuracy_pct -= 20;
  auto really = compare(worse, scenario_, options);
  for (std::size_t p = 0; p < really.size(); ++p) {
    for (std::size_t s = 0; s < really[p].per_seed.size(); ++s) {
      Metrics &told = as_believed[p].per_seed[s], &true_figures = really[p].per_seed[s];
      EXPECT_NEAR(true_figures.accuracy_pct, told.accuracy_pct - 20, 1e-3);
      true_figures.accuracy_pct = told.accuracy_pct;
      // What jobs were worth goes by what was true.
      EXPECT_LE(true_figures.utility_pct, told.utility_pct);
      true_figures.utility_pct = told.utility_pct;
    }
  }
  expect_same(as_believed, really);
}

TEST_F(CompareTest, StoppedItReturnsCompleteSeedsOnly) {
  std::atomic<bool> stop = false;
  CompareOptions options;
  options.policies = {{"performance"}, {"schedutil"}};
  options.seeds = 1000;
  options.stop = &stop;
  options.progress = [&](double done) {
    if (done >= 0.005) stop = true;
  };
  const auto results = compare(platform_, scenario_, options);
  EXPECT_LT(results[0].per_seed.size(), 1000u);
  EXPECT_EQ(results[0].per_seed.size(), results[1].per_seed.size());
}

TEST_F(CompareTest, WrongInputIsRefused) {
  EXPECT_THROW(run({{"no_such_policy"}}, 1), Error);
  EXPECT_THROW(run({{"q_learning", {1, 2, 3}}}, 1), Error);  // not what it has learned
}

}  // namespace
}  // namespace flyball::test
