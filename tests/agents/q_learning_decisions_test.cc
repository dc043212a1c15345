// A decision says what was done, how likely that was, and what is expected of it.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "agents/q_learning.h"
#include "env/model/model.h"
#include "tests/agents/closed_loop.h"
#include "tests/agents/drawn.h"
#include "tests/governor/allocation_count.h"

namespace flyball {
namespace {

TinyWorld xu3(const std::string& scenario) {
  TinyWorld world;
  world.platform = load_platform("odroid_xu3");
  world.scenario = load_scenario(scenario, world.platform);
  world.weights = {};
  world.weights.ref_energy_mj = reference_energy_mj(
      world.platform,
      world.platform.apps[static_cast<std::size_t>(world.scenario.apps[0].profile)]);
  return world;
}

/// Decisions that were drawn from the same: how often each came, beside what was said.
struct Counted {
  std::map<std::string, int> times;
  std::map<std::string, double> said;
  int draws = 0;
  void add(const Decision& decision, const Drawn& drawn) {
    if (draws++ == 0) said = drawn.of;
    ASSERT_EQ(said.size(), drawn.of.size());
    for (const auto& [action, p] : drawn.of) ASSERT_NEAR(said[action], p, 1e-9);
    ++times[Drawn::key(decision.action)];
  }
  void expect_fits() const {
    for (const auto& [action, count] : times) EXPECT_TRUE(said.contains(action));
    for (const auto& [action, p] : said) {
      const auto found = times.find(action);
      const int count = found == times.end() ? 0 : found->second;
      EXPECT_NEAR(count, draws * p, 4 * std::sqrt(draws * p * (1 - p)) + 1e-6) << p;
    }
  }
};

// One that is never told how it went decides the same again and again, but for the dice.
TEST(QLearningDecision, FrequenciesAreThoseThatItSays) {
  const TinyWorld world = xu3("background");
  constexpr int kDraws = 20'000, kTrials = 4'000;
  Counted idle;
  std::map<int, Counted> running;  // by the mapping of the job
  QLearning agent(world.context());
  world.bind(agent);
  int drew = 0;
  AppSetting setting;
  const auto decided = [&](const Observation& now, Counted& counted) {
    Decision decision;
    agent.decide(now, decision);
    Drawn drawn;
    ASSERT_TRUE(agent.alternatives(now, decision, drawn));
    ASSERT_NEAR(drawn.sum, 1, 1e-9);
    drew += decision.probability < 1;
    counted.add(decision, drawn);
    setting = decision.action.app[0];
  };
  // First come trials, which are no draws and end when they teach nothing.
  for (int i = -kTrials; i < kDraws; ++i) {
    if (i <= 0) idle = {}, running.clear(), drew = 0;
    Observation now = world.idle();
    now.app[0].required.period_ns += i & 1;  // asked anew, it chooses anew
    decided(now, idle);
    const Requirements required = now.app[0].required;
    now = world.release(50'000'000, 50'000'000);
    now.app[0].required = required;
    now.app[0].setting = now.app[0].running.setting = setting;
    now.app[0].running.sequence = static_cast<std::uint64_t>(i);
    decided(now, running[setting.mapping]);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(drew, kDraws);
  EXPECT_GT(idle.said.size(), 1u) << "there must be a choice";
  idle.expect_fits();
  for (const auto& [mapping, counted] : running) counted.expect_fits();
}

// Two applications that decide at once draw each for itself.
TEST(QLearningDecision, WhatSeveralDrawAtOnceIsOneDecision) {
  TinyWorld world = xu3("dual_dnn");
  constexpr int kDraws = 20'000, kTrials = 4'000;
  QLearning agent(world.context());
  world.bind(agent);
  Counted counted;
  for (int i = -kTrials; i < kDraws; ++i) {
    if (i <= 0) counted = {};
    Observation now = world.idle();
    for (int a = 0; a < 2; ++a) now.app[a].required.period_ns += i & 1;
    Decision decision;
    agent.decide(now, decision);
    Drawn drawn;
    ASSERT_TRUE(agent.alternatives(now, decision, drawn));
    ASSERT_NEAR(drawn.sum, 1, 1e-9);
    counted.add(decision, drawn);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(counted.said.size(), 3u);
  counted.expect_fits();
}

TEST(QLearningDecision, WhatItMightHaveDecidedIsKnownInEveryEpoch) {
  for (const char* scenario : {"background", "dual_dnn", "bursty"}) {
    const TinyWorld world = xu3(scenario);
    QLearning agent(world.context());
    ClosedLoop loop(world, agent);
    int drew = 0, several = 0;
    while (loop.step([&] {
      if (loop.decision.probability == 1) return;
      ++drew;
      Drawn drawn;
      ASSERT_TRUE(agent.alternatives(loop.now, loop.decision, drawn)) << scenario;
      ASSERT_NEAR(drawn.sum, 1, 1e-9) << scenario;
      ASSERT_GE(drawn.probability(loop.action),
                static_cast<double>(loop.decision.probability) - 1e-6)
          << scenario;
      several += drawn.of.size() > 1;
    })) {
      if (HasFatalFailure()) return;
    }
    EXPECT_GT(drew, 50) << scenario;
    EXPECT_GT(several, 50) << scenario;
  }
}

/// How often what came of a job lay within what was said when it started.
struct Coverage {
  int jobs = 0;
  double time = 0, energy = 0;  ///< shares
};

Coverage coverage(const TinyWorld& truth, const TinyWorld& believed, std::uint64_t from_job) {
  QLearning agent(believed.context());
  ClosedLoop loop(truth, agent);
  std::map<int, Forecast> said;  // of the last job of each application
  Coverage result;
  int time = 0, energy = 0;
  while (loop.step()) {
    for (int i = 0; i < loop.decision.forecasts; ++i) {
      const Forecast& forecast = loop.decision.forecast[static_cast<std::size_t>(i)];
      EXPECT_GE(forecast.miss_probability, 0);
      EXPECT_LE(forecast.miss_probability, 1);
      const auto [first, is_new] = said.try_emplace(forecast.app, forecast);
      if (!is_new && first->second.sequence != forecast.sequence) first->second = forecast;
    }
    for (const JobRecord& job : loop.now.jobs()) {
      const auto found = said.find(job.app);
      if (job.dropped || job.sequence < from_job || found == said.end()) continue;
      const Forecast& forecast = found->second;
      if (forecast.sequence != job.sequence) continue;
      ++result.jobs;
      constexpr double kNinetyPercent = 1.645;  // standard deviations of a normal one
      time += std::abs(static_cast<double>(job.execution_ns()) -
                       static_cast<double>(forecast.time_ns)) <=
              kNinetyPercent * static_cast<double>(forecast.time_sd_ns);
      energy += std::abs(job.energy_mj - static_cast<double>(forecast.energy_mj)) <=
                kNinetyPercent * static_cast<double>(forecast.energy_sd_mj);
    }
  }
  result.time = static_cast<double>(time) / std::max(1, result.jobs);
  result.energy = static_cast<double>(energy) / std::max(1, result.jobs);
  return result;
}

TEST(QLearningDecision, NinetyPercentIntervalsHoldAsOftenAsTheyShould) {
  for (const char* scenario : {"background", "single_periodic", "bursty", "dual_dnn"}) {
    SCOPED_TRACE(scenario);
    const TinyWorld world = xu3(scenario);
    const Coverage held = coverage(world, world, 50);
    EXPECT_GT(held.jobs, 200);
    EXPECT_GE(held.time, 0.80);
    EXPECT_LE(held.time, 0.97);
    EXPECT_GE(held.energy, 0.80);
    EXPECT_LE(held.energy, 0.97);
  }
}

// What is believed is wrong in time and power, and more on one cluster than on the other. From the
// first job on, surprises included.
TEST(QLearningDecision, IntervalsGrowWithSurprises) {
  for (const char* scenario : {"background", "single_periodic", "bursty", "dual_dnn"}) {
    SCOPED_TRACE(scenario);
    const TinyWorld believed = xu3(scenario);
    TinyWorld truth = believed;
    for (AppProfile& app : truth.platform.apps) {
      UnitProfile& big = app.unit[static_cast<std::size_t>(truth.platform.find_cluster("A15"))];
      UnitProfile& little = app.unit[static_cast<std::size_t>(truth.platform.find_cluster("A7"))];
      big.mcycles *= 1.2;
      big.core_nf *= 1.3;
      little.mcycles *= 1.6;
      little.memory_ms *= 1.6;
      little.core_nf *= 0.7;
    }
    const Coverage held = coverage(truth, believed, 0);
    EXPECT_GT(held.jobs, 200);
    EXPECT_GE(held.time, 0.75);
    EXPECT_LE(held.time, 0.97);
    EXPECT_GE(held.energy, 0.75);
    EXPECT_LE(held.energy, 0.97);
  }
}

TEST(QLearningDecision, TheRunnerUpIsAnother) {
  for (const char* scenario : {"background", "dual_dnn", "bursty"}) {
    const TinyWorld world = xu3(scenario);
    QLearning agent(world.context());
    ClosedLoop loop(world, agent);
    int seen = 0;
    while (loop.step()) {
      if (!loop.decision.has_runner_up) continue;
      ++seen;
      ASSERT_NE(loop.decision.runner_up, loop.action.app[loop.decision.reason.index]) << scenario;
      ASSERT_GT(loop.decision.runner_up_energy_mj, 0) << scenario;
    }
    EXPECT_GT(seen, 20) << scenario;
  }
}

TEST(QLearningDecision, LittleCoresHalfAsFastAsBelievedCostNoDeadlines) {
  const TinyWorld belief = xu3("background");
  TinyWorld truth = belief;
  const auto little = static_cast<std::size_t>(truth.platform.find_cluster("A7"));
  for (AppProfile& app : truth.platform.apps) {
    app.unit[little].mcycles *= 2;
    app.unit[little].memory_ms *= 2;
  }
  QLearning agent(belief.context());
  ClosedLoop loop(truth, agent);
  int jobs = 0, late = 0;
  while (loop.step()) {
    for (const JobRecord& job : loop.now.jobs()) {
      if (job.sequence < 50) continue;
      ++jobs;
      late += job.missed;
    }
  }
  ASSERT_GT(jobs, 300);
  EXPECT_LT(late, 0.02 * jobs);
}

TEST(QLearningDecision, NeitherDecidingNorLearningAllocates) {
  const TinyWorld world = xu3("dual_dnn");
  QLearning agent(world.context());
  ClosedLoop loop(world, agent);
  int epochs = 0;
  std::uint32_t roster = ~0u;  // that the agent knows
  std::uint64_t allocations = 0;
  for (bool going = true; going; ++epochs) {
    const bool binds = loop.now.roster_version != roster;
    roster = loop.now.roster_version;
    const std::uint64_t before = test::allocations();
    going = loop.step();
    if (!binds) allocations += test::allocations() - before;
  }
  EXPECT_GT(epochs, 1000);
  EXPECT_GT(loop.finished[1], 50);
  EXPECT_EQ(allocations, 0u);
}

}  // namespace
}  // namespace flyball
