#include "env/spaces/reward.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/env/monitor_tables.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

constexpr RewardWeights kWeights{.miss = 3,
                                 .accuracy_per_pct = 0.5,
                                 .budget = 2,
                                 .heat_per_c_s = 0.2,
                                 .temp_limit_c = 80,
                                 .ref_energy_mj = 100};

/// An epoch of 0.5 s in which everything went wrong a little.
Observation troubled_epoch() {
  Observation out;
  out.epoch_ns = 500'000'000;
  out.energy_mj = 300;
  out.power_mw = 600;
  out.energy_preference = 0.5;
  out.cluster_count = 2;
  out.app_count = 2;
  out.cluster[0].temp_c = 84;
  out.cluster[1].temp_c = 79;
  out.app[0].active = true;
  out.app[0].required.priority = 2;
  out.app[0].missed = 3;
  out.app[0].energy_mj = 150;
  out.app[0].accuracy_shortfall_pct = 4;
  out.app[0].over_budget_mj = 20;
  out.app[1].active = true;
  out.app[1].required.power_budget_mw = 400;
  out.app[1].energy_mj = 90;
  return out;
}

Reward judged(const RewardWeights& weights, const Observation& out) {
  Reward reward;
  judge(weights, out, reward);
  return reward;
}

TEST(Reward, IsTheDocumentedSum) {
  const Reward reward = judged(kWeights, troubled_epoch());
  ASSERT_EQ(reward.apps, 2);
  EXPECT_DOUBLE_EQ(reward.app[0].energy, 1.5);  // 2 * 0.5 * 150 / 100
  EXPECT_DOUBLE_EQ(reward.app[0].misses, 18);   // 3 * 2 * 3
  EXPECT_DOUBLE_EQ(reward.app[0].accuracy, 2);  // 0.5 * 4
  EXPECT_DOUBLE_EQ(reward.app[0].budget, 0.4);  // 2 * 20 / 100
  EXPECT_DOUBLE_EQ(reward.app[1].energy, 0.9);
  EXPECT_DOUBLE_EQ(reward.app[1].total(), -0.9);
  EXPECT_DOUBLE_EQ(reward.shared.energy, 0.6);          // nobody's 60 mJ
  EXPECT_DOUBLE_EQ(reward.shared.budget, 2);            // 2 * 200 mW * 0.5 s / 100
  EXPECT_DOUBLE_EQ(reward.shared.heat, 0.2 * 4 * 0.5);  // of one cluster: the other is cool
  EXPECT_DOUBLE_EQ(reward.total(), -(3 + 18 + 2 + 2.4 + 0.4));
}

// The sum goes by the rows of the monitor table: each one that has a charge is paid for, and nothing
// else that people are shown.
TEST(Reward, ChargesTheRowsOfTheTableThatSaySo) {
  const PlatformSpec spec = round_board();
  MonitorTable table(spec, kWeights);
  table.bind(0, named("a"), {});
  table.bind(1, named("b"), {});
  int charged = 0, free = 0;
  for (const Monitor& row : table.rows()) {
    if (row.type == Monitor::Type::kDerived) continue;
    bool pays = false;
    for (const Objective objective :
         {Objective::kEnergy, Objective::kAccuracy, Objective::kLatency}) {
      Observation out = troubled_epoch();
      out.app[0].required.objective = out.app[1].required.objective = objective;
      const double before = judged(kWeights, out).total();
      const std::int64_t steps = row.resolution > 0 ? std::llround(1 / row.resolution) : 1;
      restore(row, quantised(row, out) + steps, out);
      // A hot cluster's degree and a cool one's are not the same: both above the limit.
      if (row.charge == Monitor::Charge::kHeat) restore(row, 90 * steps, out);
      pays = pays || judged(kWeights, out).total() != before;
    }
    if (row.charge != Monitor::Charge::kNone) {
      ++charged;
      EXPECT_TRUE(pays) << row.name;
    } else if (row.shown) {
      ++free;
      EXPECT_FALSE(pays) << row.name;
    }
  }
  EXPECT_EQ(charged, 2 + 2 + 2 * 10);
  EXPECT_GT(free, 20);
}

TEST(Reward, WhatAnApplicationDoesNotDesireCostsItsWeight) {
  Observation out = troubled_epoch();
  const double before = judged(kWeights, out).total();
  out.app[1].undesired = 2.5;
  const Reward reward = judged(kWeights, out);
  EXPECT_DOUBLE_EQ(reward.app[1].monitors, 2.5);
  EXPECT_DOUBLE_EQ(reward.total(), before - 2.5);
}

TEST(Reward, PreferenceScalesTheEnergyTermOnly) {
  Observation out = troubled_epoch();
  const Reward middle = judged(kWeights, out);
  out.energy_preference = 0;
  EXPECT_EQ(judged(kWeights, out).sum().energy, 0);
  out.energy_preference = 1;
  EXPECT_DOUBLE_EQ(judged(kWeights, out).sum().energy, 2 * middle.sum().energy);
  EXPECT_EQ(judged(kWeights, out).sum().misses, middle.sum().misses);
}

TEST(Reward, ACalmEpochCostsItsEnergy) {
  Observation out;
  out.epoch_ns = 50'000'000;
  out.energy_mj = 10;
  EXPECT_DOUBLE_EQ(judged(kWeights, out).total(), -0.1);
}

TEST(Reward, TwoApplicationsWithAPowerBudgetAreChargedForTheStrictestOnce) {
  Observation out = troubled_epoch();
  out.app[0].required.power_budget_mw = 500;
  EXPECT_DOUBLE_EQ(judged(kWeights, out).sum().budget, 2.4);
  out.app[0].required.power_budget_mw = 400;
  EXPECT_DOUBLE_EQ(judged(kWeights, out).sum().budget, 2.4);
  out.app[0].required.power_budget_mw = 300;
  EXPECT_DOUBLE_EQ(judged(kWeights, out).sum().budget, 3.4);
  // One that has gone asks for nothing.
  out.app[0].active = false;
  EXPECT_DOUBLE_EQ(judged(kWeights, out).sum().budget, 2.4);
}

TEST(Reward, SlotsThatAreNotInUseCostNothing) {
  Observation out = troubled_epoch();
  Reward reward = judged(kWeights, out);
  out.app_count = 1;  // what slot 1 had is still there
  judge(kWeights, out, reward);
  EXPECT_EQ(reward.apps, 1);
  EXPECT_DOUBLE_EQ(reward.sum().energy, 3);  // now nobody's
  EXPECT_EQ(reward.sum().misses, reward.app[0].misses);
}

// What is missed by a hair costs as a miss does, so that no hair beyond a bound pays.
TEST(Reward, ABoundIsABound) {
  Observation out = troubled_epoch();
  const RewardParts before = judged(kWeights, out).app[0];
  out.app[0].below_floor = 1;
  EXPECT_DOUBLE_EQ(judged(kWeights, out).app[0].misses, before.misses + 3 * 2);
  out.app[0].over_budget = 2;
  EXPECT_DOUBLE_EQ(judged(kWeights, out).app[0].misses, before.misses + 3 * 2 * 3);
  // Half of a miss is forgiven.
  out.app[0].forgiven = 0.5;
  EXPECT_DOUBLE_EQ(judged(kWeights, out).app[0].misses, before.misses + 3 * 2 * 2.5);
}

TEST(Reward, CountsWhatTheApplicationWantsTheBestOf) {
  Observation out = troubled_epoch();
  out.app[0].accuracy_lost_pct = 6;
  out.app[0].latency_sum_ns = 30'000'000;
  out.app[0].required.deadline_ns = 20'000'000;
  const RewardParts energy = judged(kWeights, out).app[0];
  EXPECT_EQ(energy.latency, 0);
  out.app[0].required.objective = Objective::kAccuracy;
  const RewardParts accuracy = judged(kWeights, out).app[0];
  // Three jobs missed what was asked, and what misses has no accuracy.
  EXPECT_DOUBLE_EQ(accuracy.accuracy, energy.accuracy + 0.5 * (6 + 3 * 100));
  EXPECT_DOUBLE_EQ(accuracy.energy, kTieBreak * energy.energy);
  EXPECT_EQ(accuracy.misses, energy.misses);
  out.app[0].required.objective = Objective::kLatency;
  const RewardParts latency = judged(kWeights, out).app[0];
  EXPECT_DOUBLE_EQ(latency.latency, 1.5);
  EXPECT_EQ(latency.accuracy, energy.accuracy);
  EXPECT_DOUBLE_EQ(latency.total(), -(latency.energy + latency.misses + latency.accuracy +
                                      latency.budget + latency.latency));
}

TEST(Reward, LatenessIsAMissByDegreesWhereThereIsGrace) {
  Requirements required;
  EXPECT_EQ(miss_of(required, 0), 0);
  EXPECT_EQ(miss_of(required, 1), 1);
  required.grace_ns = 40;
  EXPECT_EQ(miss_of(required, -5), 0);
  EXPECT_EQ(miss_of(required, 10), 0.25);
  EXPECT_EQ(miss_of(required, 40), 1);
  EXPECT_EQ(miss_of(required, 400), 1);
}

/// What a fixed setting is paid over a second: a job every 100 ms, within 40 ms, at 65 % and 150 mJ.
RewardParts paid(const PlatformSpec& spec, AppSpec app, const Action& action) {
  app.required.energy_budget_mj = 150;
  app.required.accuracy_floor_pct = 65;
  app.stop_ns = 1000 * kMs;
  const Scenario scenario = of_apps({app}, 1000);
  Simulator sim(spec, scenario);
  sim.apply(action);
  Observation out;
  RewardParts sum;
  while (true) {
    const Status status = sim.advance(ms(50), out);
    sum += judged(kWeights, out).sum();
    if (status != Status::kOk) return sum;
  }
}

// Ways to save energy at the expense of what was asked: to be late, to be less accurate, to let the
// queue overflow. Whoever pays less for energy pays more for all of it.
TEST(Reward, NoMissIsCheap) {
  const PlatformSpec spec = round_board();
  const AppSpec app = stream("camera", 100, 70);
  const Action good = big_core(spec);
  const RewardParts honest = paid(spec, app, good);
  EXPECT_EQ(honest.misses, 0);
  Action narrow = good, late = big_core(spec, 0), lost = big_core(spec, 0);
  narrow.app[0].level = 0;                             // 60 %
  lost.app[0].mapping = mapping_of(spec, kLittle, 1);  // 400 ms, so the queue fills
  for (const Action& action : {narrow, late, lost}) {
    const RewardParts cheat = paid(spec, app, action);
    EXPECT_LT(cheat.energy, honest.energy);
    EXPECT_LT(cheat.total(), honest.total());
    // By misses alone: nothing else has to be the reason.
    EXPECT_GT(cheat.misses, honest.energy);
  }
}

// A dropped job has missed everything that was asked of it, so no doomed one is worth dropping.
TEST(Reward, ADroppedJobHasMissedAll) {
  PlatformSpec spec = round_board();
  AppSpec app = stream("camera", 1, 1);
  app.required.accuracy_floor_pct = 65;
  app.required.energy_budget_mj = 1e6;
  app.required.grace_ns = 1000 * kMs;
  app.stop_ns = 30 * kMs;
  app.queue_limit = 1;
  const Scenario scenario = of_apps({app}, 40);
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec, 1));
  Observation out;
  sim.advance(ms(30), out);
  ASSERT_GT(out.app[0].dropped, 20u);
  EXPECT_EQ(out.app[0].below_floor, out.app[0].dropped);
  EXPECT_EQ(out.app[0].over_budget, out.app[0].dropped);
  EXPECT_EQ(out.app[0].forgiven, 0);
  EXPECT_DOUBLE_EQ(judged(kWeights, out).app[0].misses, 3.0 * 3 * out.app[0].dropped);
}

// Three applications of random work on random cores, at times with nobody's job running.
TEST(Reward, TheSharesSumToThePlatformsEnergy) {
  PlatformSpec spec = round_board();
  for (UnitProfile& unit : spec.apps[0].unit) unit.mcycles /= 8;
  std::vector<AppSpec> apps = {stream("a", 70, 60), stream("b", 110, 90), stream("c", 300, 100)};
  for (AppSpec& app : apps) app.work_cv = 0.4;
  apps[1].arrival.kind = Arrival::Kind::kPoisson;
  apps[2].start_ns = 700 * kMs;
  apps[2].stop_ns = 2500 * kMs;
  Scenario scenario = of_apps(apps, 4000);
  scenario.background.push_back({"build", kBig, 2, 0.5, 0.1, 1000 * kMs, 2000 * kMs});
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Simulator sim(spec, scenario, {.seed = seed});
    Random random(seed, 7);
    Observation out;
    double platform_mj = 0, jobs_mj = 0, apps_mj = 0;
    Status status = Status::kOk;
    int shared_epochs = 0;
    while (status == Status::kOk) {
      Action action = big_core(spec, static_cast<std::uint8_t>(random.below(2)), 3);
      for (int a = 0; a < 3; ++a) {
        action.app[a].mapping = static_cast<std::uint8_t>(random.below(9));
      }
      sim.apply(action);
      status = sim.advance(ms(1 + 40 * random.uniform(), random.below(2) == 0), out);
      const Reward reward = judged(kWeights, out);
      ASSERT_NEAR(reward.sum().energy, out.energy_mj / 100, 1e-9);
      int sharing = 0;
      double shares_mj = 0;
      for (int a = 0; a < 3; ++a) {
        ASSERT_GE(out.app[a].energy_mj, 0);
        sharing += out.app[a].energy_mj > 0;
        shares_mj += out.app[a].energy_mj;
      }
      ASSERT_LE(shares_mj, out.energy_mj * (1 + 1e-12));
      shared_epochs += sharing > 1;
      platform_mj += out.energy_mj;
      apps_mj += shares_mj;
      for (const JobRecord& job : out.jobs()) jobs_mj += job.energy_mj;
    }
    EXPECT_GT(shared_epochs, 10);
    EXPECT_LT(apps_mj, 0.99 * platform_mj);
    // The shares of finished jobs are what their applications had, but for those that still run.
    double running_mj = 0;
    for (int a = 0; a < 3; ++a) running_mj += out.app[a].running.busy ? 1000 : 0;
    EXPECT_LE(jobs_mj, apps_mj * (1 + 1e-12));
    EXPECT_GE(jobs_mj, apps_mj - running_mj - 1e-6);
  }
}

// 100 jobs of 0.1 ms in one epoch: a record has room for 32.
TEST(Reward, NothingIsLostBeyondTheListedJobs) {
  PlatformSpec spec = round_board();
  spec.apps[0].unit[kBig].mcycles = 0.1;
  AppSpec app = stream("camera", 1, 0.05);
  app.required.accuracy_floor_pct = 75;  // the whole network has 70
  app.required.energy_budget_mj = 1e-3;
  app.stop_ns = 100 * kMs;
  const Scenario scenario = of_apps({app});
  Simulator whole(spec, scenario), parts(spec, scenario);
  whole.apply(big_core(spec, 0));
  parts.apply(big_core(spec, 0));
  Observation out;
  whole.advance(ms(100), out);
  EXPECT_EQ(out.job_count, 32u);
  EXPECT_EQ(out.jobs_unlisted, 68u);
  EXPECT_EQ(out.app[0].finished, 100u);
  EXPECT_EQ(out.app[0].missed, 100u);
  EXPECT_NEAR(out.app[0].accuracy_shortfall_pct, 500, 1e-9);
  const RewardParts once = judged(kWeights, out).sum();
  // All are late, below the floor and over the budget.
  EXPECT_NEAR(once.misses, 3 * 300, 1e-9);
  EXPECT_NEAR(once.accuracy, 250, 1e-9);
  RewardParts sum;
  for (int epoch = 0; epoch < 10; ++epoch) {
    parts.advance(ms(10), out);
    sum += judged(kWeights, out).sum();
  }
  EXPECT_GT(once.budget, 0);
  EXPECT_NEAR(once.budget, sum.budget, 1e-9 * sum.budget);
  EXPECT_NEAR(once.accuracy, sum.accuracy, 1e-9);
}

}  // namespace
}  // namespace flyball
