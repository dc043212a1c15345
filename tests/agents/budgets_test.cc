// Applications that want accuracy or low latency, and what jobs may take of energy and power.

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "agents/allowance.h"
#include "agents/q_learning.h"
#include "agents/q_learning_bounds.h"
#include "tests/agents/closed_loop.h"

namespace flyball {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// Energies that job records would have of jobs as the belief has them.
double least_mj(const TinyWorld& world, int level, double limit_ns = 40e6) {
  const Profile profile(world.platform, world.platform.apps[0], 0);
  double least = Allowance::kAny;
  for (int m = 0; m < profile.mapping_count(); ++m) {
    for (const ProfilePoint& p : profile.frontier(m, level)) {
      if (p.time_ns > limit_ns) continue;
      least = std::min(least, p.energy_mj + profile.idle_mw() * p.time_ns * 1e-9);
    }
  }
  return least;
}

/// Jobs of a run, by what was asked of them, those at the beginning left out.
struct Played {
  int jobs = 0, missed = 0, over_budget = 0;
  double accuracy_pct = 0, latency_ns = 0, energy_mj = 0, most_mw = 0;
};
Played play(const TinyWorld& world, const std::string& policy, double from_s = 1,
            double until_s = 1e9) {
  ClosedLoop loop(world, policy);
  Played played;
  bool going = true;
  while (going) {
    going = loop.step();
    const double now_s = static_cast<double>(loop.now.now_ns) * 1e-9;
    if (now_s < from_s || now_s > until_s) continue;
    const AppObservation& app = loop.now.app[0];
    for (const JobRecord& job : loop.now.jobs()) {
      ++played.jobs;
      played.missed += job.missed;
      const double budget_mj = app.required.energy_budget_mj;
      played.over_budget += budget_mj > 0 && job.energy_mj > budget_mj;
      played.accuracy_pct += static_cast<double>(job.accuracy_pct);
      played.latency_ns += static_cast<double>(job.latency_ns());
      played.energy_mj += job.energy_mj;
      // Alone on the platform, so all of its power is the job's.
      const double power_mw = job.energy_mj * 1e9 / static_cast<double>(job.execution_ns());
      played.most_mw = std::max(played.most_mw, power_mw);
    }
  }
  played.accuracy_pct /= played.jobs;
  played.latency_ns /= played.jobs;
  played.energy_mj /= played.jobs;
  return played;
}

TinyWorld wanting(Objective objective) {
  TinyWorld world;
  world.scenario.apps[0].required.objective = objective;
  world.scenario.apps[0].required.accuracy_floor_pct = 0;
  return world;
}

Requirements& required(TinyWorld& world) { return world.scenario.apps[0].required; }

class Budgets : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, Budgets, ::testing::Values("model", "planner", "q_learning", "rule"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(Budgets, AccuracyIsHadWhereItIsFree) {
  const Played played = play(wanting(Objective::kAccuracy), GetParam());
  EXPECT_NEAR(played.accuracy_pct, 71.2, 1e-4);
  EXPECT_EQ(played.missed, 0);
  // Whoever does not ask for it gets what it asked for.
  EXPECT_NEAR(play(wanting(Objective::kEnergy), GetParam()).accuracy_pct, 56, 1e-4);
}

// On all cores at their highest the whole network takes 2 ms, three quarters of it 1.5.
TEST_P(Budgets, AccuracyEndsAtTheDeadline) {
  TinyWorld world = wanting(Objective::kAccuracy);
  world.platform.decision_latency_us = 0;
  required(world).deadline_ns = 1'900'000;
  const Played played = play(world, GetParam(), 2);
  EXPECT_NEAR(played.accuracy_pct, 68.8, 1e-4);
  EXPECT_EQ(played.missed, 0);
}

TEST_P(Budgets, AccuracyEndsAtTheEnergyBudget) {
  for (int level = 0; level < 3; ++level) {
    TinyWorld world = wanting(Objective::kAccuracy);
    const double own = least_mj(world, level), next = least_mj(world, level + 1);
    ASSERT_GT(next, 1.1 * own);
    required(world).energy_budget_mj = 0.97 * next;
    const Played played = play(world, GetParam());
    // Who learns tries a setting that is thought to be within.
    EXPECT_LE(played.over_budget, played.jobs / 50) << level;
    EXPECT_EQ(played.missed, 0);
    EXPECT_NEAR(played.accuracy_pct,
                world.platform.apps[0].levels[static_cast<std::size_t>(level)].accuracy_pct, 0.1);
  }
}

// The floor is the application's, and so is the deadline: what cannot be had within them is taken from
// the budget.
TEST_P(Budgets, WhatCannotBeKeptIsTheBudget) {
  TinyWorld world = wanting(Objective::kAccuracy);
  required(world).accuracy_floor_pct = 68.8;
  required(world).energy_budget_mj = 0.8 * least_mj(world, 2);
  const Played played = play(world, GetParam());
  EXPECT_EQ(played.missed, 0);
  EXPECT_NEAR(played.accuracy_pct, 68.8, 1e-4);
  EXPECT_EQ(played.over_budget, played.jobs);
}

TEST_P(Budgets, LatencyIsTheLeastWithinTheBudget) {
  TinyWorld world = wanting(Objective::kLatency);
  required(world).accuracy_floor_pct = 71.2;
  const Played free = play(world, GetParam());
  // 2 ms on all cores, and a little at the clocks before.
  EXPECT_LT(free.latency_ns, 3.2e6);
  required(world).energy_budget_mj = 0.8 * free.energy_mj;
  const Played bounded = play(world, GetParam());
  EXPECT_EQ(bounded.over_budget, 0);
  EXPECT_GT(bounded.latency_ns, free.latency_ns);
  required(world).objective = Objective::kEnergy;
  const Played cheap = play(world, GetParam());
  EXPECT_LT(bounded.latency_ns, 0.8 * cheap.latency_ns);
  EXPECT_LT(cheap.energy_mj, bounded.energy_mj);
}

// What is asked may change at any time; nothing has to be learned for that, and nothing is.
TEST_P(Budgets, MayChangeAtRunTime) {
  TinyWorld world = wanting(Objective::kAccuracy);
  const Requirements rich = required(world);
  Requirements poor = rich;
  poor.energy_budget_mj = 0.97 * least_mj(world, 1);
  Requirements quick = rich;
  quick.objective = Objective::kLatency;
  quick.accuracy_floor_pct = 71.2;
  const auto change = [&](std::int64_t at_ms, const Requirements& to) {
    world.scenario.events.push_back({at_ms * kMs, ScenarioEvent::Kind::kRequirements, 0, to, 0});
  };
  change(3000, poor);
  change(6000, quick);
  change(8000, rich);
  constexpr double kTwoJobs = 0.09;  // the one that ran and the one that was planned
  EXPECT_NEAR(play(world, GetParam(), 1, 3).accuracy_pct, 71.2, 1e-4);
  const Played then = play(world, GetParam(), 3 + kTwoJobs, 6);
  EXPECT_NEAR(then.accuracy_pct, 56, 1e-4);
  EXPECT_EQ(then.over_budget, 0);
  EXPECT_LT(play(world, GetParam(), 6 + kTwoJobs, 8).latency_ns, 3.2e6);
  EXPECT_NEAR(play(world, GetParam(), 8 + kTwoJobs, 10).accuracy_pct, 71.2, 1e-4);
}

// A level that is a hair below the floor is below it.
TEST_P(Budgets, NoHairBelowTheFloor) {
  TinyWorld world = wanting(Objective::kEnergy);
  required(world).accuracy_floor_pct = 68.8;
  EXPECT_NEAR(play(world, GetParam()).accuracy_pct, 68.8, 1e-4);
  required(world).accuracy_floor_pct = 68.8001;
  EXPECT_NEAR(play(world, GetParam()).accuracy_pct, 71.2, 1e-4);
}

class PowerBudgets : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, PowerBudgets, ::testing::Values("model", "planner", "q_learning"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(PowerBudgets, AreKeptWhileAJobRuns) {
  TinyWorld world = wanting(Objective::kLatency);
  const Played free = play(world, GetParam());
  required(world).power_budget_mw = 0.6 * free.most_mw;
  const Played bounded = play(world, GetParam());
  EXPECT_GT(bounded.jobs, 0);
  EXPECT_LE(bounded.most_mw, required(world).power_budget_mw);
  EXPECT_EQ(bounded.missed, 0);
}

// A battery that has to last: less accuracy all the time instead of all of it until it is empty.
TEST_P(PowerBudgets, ABatteryLastsUntilItHasTo) {
  TinyWorld world = wanting(Objective::kAccuracy);
  world.scenario.duration_ns = 20'000 * kMs;
  ClosedLoop free(world, GetParam());
  double free_mj = 0;
  while (free.step()) free_mj += free.now.energy_mj;
  world.scenario.battery_mj = 0.85 * free_mj;
  const auto left_pct = [&] {
    ClosedLoop loop(world, GetParam());
    double accuracy = 0;
    while (loop.step()) {
      for (const JobRecord& job : loop.now.jobs())
        accuracy += static_cast<double>(job.accuracy_pct);
    }
    return std::pair(loop.now.battery_pct, accuracy / loop.finished[0]);
  };
  const auto [empty_pct, most_accurate] = left_pct();
  EXPECT_EQ(empty_pct, 0);
  world.scenario.battery_until_ns = world.scenario.duration_ns;
  const auto [pct, accurate] = left_pct();
  EXPECT_GT(pct, 0);
  EXPECT_LT(pct, 10);  // and what there is is used
  EXPECT_LT(accurate, most_accurate);
  EXPECT_GT(accurate, 56);
}

// 1, 2, 4 and 8 ms at 8, 5, 4 and 3.8 mJ beyond 1 W of idling: jobs take 9, 7, 8 and 11.8 mJ.
class AllowanceTest : public ::testing::Test {
 protected:
  AllowanceTest() { allowed.idle_mw = 1000; }
  static double once(const ProfilePoint&) { return 1; }
  PermittedPoint slowest() const { return slowest_permitted(frontier, 3, cap, allowed, once); }
  PermittedPoint quickest() const { return quickest_permitted(frontier, 3, cap, allowed, once); }
  std::vector<ProfilePoint> frontier{{1e6, 8, {3}}, {2e6, 5, {2}}, {4e6, 4, {1}}, {8e6, 3.8, {0}}};
  OppChoice cap{3};
  Allowance allowed;
};

TEST_F(AllowanceTest, WithoutABoundItIsTheCheapest) {
  EXPECT_FALSE(allowed.bounded());
  EXPECT_EQ(slowest().index, 3);
  EXPECT_EQ(quickest().index, 0);
}

TEST_F(AllowanceTest, EnergyIsTheWholePlatforms) {
  allowed.job_mj = 8;
  EXPECT_EQ(slowest().index, 2);
  EXPECT_EQ(quickest().index, 1);
  allowed.job_mj = 7.5;
  EXPECT_EQ(slowest().index, 1);
  allowed.job_mj = 6.9;  // none: the nearest
  EXPECT_EQ(slowest().index, 1);
  EXPECT_FALSE(slowest().permitted);
  EXPECT_FALSE(quickest().permitted);
}

TEST_F(AllowanceTest, PowerAndCapExcludeTheFast) {
  allowed.power_mw = 3600;  // 9, 3.5, 2 and 1.475 W
  EXPECT_EQ(quickest().index, 1);
  allowed.power_mw = Allowance::kAny;
  cap = {1};
  EXPECT_EQ(quickest().index, 2);
}

TEST_F(AllowanceTest, WhatIsHurriedTakesMore) {
  allowed.job_mj = 8;
  const auto longer = [](const ProfilePoint& p) { return p.time_ns > 3e6 ? 1.1 : 1.0; };
  EXPECT_EQ(slowest_permitted(frontier, 3, cap, allowed, longer).index, 1);
}

TEST_F(AllowanceTest, ScalesWithTheJob) {
  allowed.job_mj = 16;
  allowed.power_mw = 100;
  const Allowance twice = allowed.of_jobs(2, 0.5);
  EXPECT_DOUBLE_EQ(twice.job_mj, 16);
  EXPECT_DOUBLE_EQ(twice.power_mw, 200);
  EXPECT_DOUBLE_EQ(twice.idle_mw, 1000);
}

TEST(AccuracyLadder, LeavesOutWhatIsSlowerAndNoMoreAccurate) {
  AppProfile app;
  give_widths(
      app, {{25, 0.5, 1, 60, ""}, {50, 0.4, 1, 62, ""}, {75, 0.8, 1, 62, ""}, {100, 1, 1, 70, ""}});
  EXPECT_EQ(accuracy_ladder(app), (std::vector<std::uint8_t>{1, 3}));
}

}  // namespace
}  // namespace flyball
