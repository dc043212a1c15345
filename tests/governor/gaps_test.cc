#include "governor/compare/gaps.h"

#include <gtest/gtest.h>

#include <cmath>

#include "governor/compare/compare.h"

namespace flyball::test {
namespace {

RunLedger ran(int unmet, double energy_mj, double charged_mj) {
  RunLedger ledger;
  ledger.met.assign(100, true);
  for (int j = 0; j < unmet; ++j) ledger.met[static_cast<std::size_t>(j)] = false;
  ledger.unmet = unmet;
  ledger.energy_mj = energy_mj;
  ledger.charged_mj = charged_mj;
  return ledger;
}

TEST(Gaps, WhoeverLeavesMoreJobsUnmetIsNotBelowTheBestFound) {
  const RunLedger lazy = ran(10, 50, 50), good = ran(0, 100, 100), dear = ran(0, 120, 120);
  const std::vector<Entrant> entrants = {{"lazy", &lazy}, {"good", &good}, {"dear", &dear}};
  const Bounds bounds = find_bounds(nullptr, entrants);
  EXPECT_EQ(bounds.best_found, "good");
  EXPECT_EQ(bounds.best_found_mj, 100);
  EXPECT_TRUE(std::isnan(bounds.lower_mj));
  EXPECT_TRUE(std::isnan(bounds.informed_mj)) << "nobody knew the board";
  const std::vector<Gaps> gaps = find_gaps(nullptr, entrants);
  EXPECT_TRUE(std::isnan(gaps[0].to_best_found_pct));
  EXPECT_EQ(gaps[1].to_best_found_pct, 0);
  EXPECT_NEAR(gaps[2].to_best_found_pct, 20, 1e-9);
  EXPECT_TRUE(std::isnan(gaps[2].to_bound_pct));
}

// Putting a job off beyond the end saves nothing.
TEST(Gaps, WhatIsOpenAtTheEndIsChargedToEverybody) {
  const RunLedger puts_off = ran(0, 95, 105), does = ran(0, 100, 100);
  const std::vector<Entrant> entrants = {{"puts_off", &puts_off}, {"does", &does}};
  EXPECT_EQ(find_bounds(nullptr, entrants).best_found, "does");
  EXPECT_NEAR(find_gaps(nullptr, entrants)[0].to_best_found_pct, 5, 1e-9);
}

TEST(Gaps, OnlyThoseThatDoNotKnowTheFutureAreInformed) {
  const RunLedger seer = ran(0, 80, 80), informed = ran(0, 90, 90), blind = ran(0, 99, 99);
  const std::vector<Entrant> entrants = {
      {"seer", &seer, false}, {"informed", &informed, true}, {"blind", &blind, false}};
  EXPECT_EQ(find_bounds(nullptr, entrants).informed, "informed");
  const std::vector<Gaps> gaps = find_gaps(nullptr, entrants);
  EXPECT_NEAR(gaps[2].to_informed_pct, 10, 1e-9);
  EXPECT_LT(gaps[0].to_informed_pct, 0) << "knowing the future is worth something";
}

/// Two streams on one board, where deciding job by job is dearer than a fixed setting.
Scenario two_streams(const PlatformSpec& platform) {
  Scenario scenario = load_scenario("single_periodic", platform);
  scenario.duration_ns = 15'000'000'000;
  AppSpec& one = scenario.apps[0];
  const std::int64_t reference_ns = one.required.deadline_ns / 2;
  one.arrival.period_ns = one.required.period_ns = 6 * reference_ns;
  one.required.deadline_ns = 5 * reference_ns;
  one.required.accuracy_floor_pct = 60;
  one.work_cv = one.work_correlation = 0;
  one.stop_ns = scenario.duration_ns;
  scenario.apps.push_back(one);
  scenario.apps.back().name = "second";
  return scenario;
}

TEST(Gaps, NothingThatAFixedSettingBeatsIsCalledTheBest) {
  const PlatformSpec platform = load_platform("jetson_nano");
  const Scenario scenario = two_streams(platform);
  CompareOptions options;
  options.policies = {{"static_best"}, {"rule"}, {"oracle"}};
  options.seeds = 1;
  const Comparison comparison = compare_with_bounds(platform, scenario, options);
  ASSERT_EQ(comparison.bounds.size(), 1u);
  const Bounds& bounds = comparison.bounds[0];
  EXPECT_NE(bounds.best_found, "oracle");
  EXPECT_GT(bounds.lower_mj, 0.9 * bounds.best_found_mj);
  EXPECT_LE(bounds.lower_mj, bounds.best_found_mj);
  EXPECT_LE(bounds.best_found_mj, bounds.informed_mj);
  for (const PolicyResult& result : comparison.policies) {
    const Metrics& one = result.per_seed[0];
    EXPECT_GE(one.energy_gap_to_bound_pct, 0) << result.policy;
    if (!std::isnan(one.energy_gap_to_best_found_pct)) {
      EXPECT_GE(one.energy_gap_to_best_found_pct, 0) << result.policy;
    }
  }
  EXPECT_GT(comparison.policies[2].per_seed[0].energy_gap_to_best_found_pct, 5)
      << "of the oracle, which decides job by job";
}

}  // namespace
}  // namespace flyball::test
