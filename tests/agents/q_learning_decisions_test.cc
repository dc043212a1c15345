// A decision says what was done, how likely that was, and what is expected of it.

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "agents/q_learning.h"
#include "env/model/model.h"
#include "tests/agents/closed_loop.h"
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

// One that is never told how it went decides the same again and again, but for the dice.
TEST(QLearningDecision, TheProbabilityIsThatOfTheAction) {
  const TinyWorld world = xu3("background");
  constexpr int kDraws = 20'000;
  struct Count {
    int times = 0;
    double probability = 0;
    void add(const Decision& decision) {
      if (times++ > 0) {
        ASSERT_FLOAT_EQ(static_cast<float>(probability), decision.probability);
      }
      probability = decision.probability;
    }
  };
  std::map<int, Count> mapping;                  // of the next job
  std::map<std::pair<int, int>, Count> actions;  // when it runs, by its mapping
  std::map<int, int> runs;                       // with that mapping
  QLearning agent(world.context());
  world.bind(agent);
  for (int i = 0; i < kDraws; ++i) {
    Decision decision;
    Observation now = world.idle();
    now.app[0].required.period_ns += i % 2;  // asked anew, it chooses anew
    agent.decide(now, decision);
    const AppSetting setting = decision.action.app[0];
    mapping[setting.mapping].add(decision);

    const Requirements required = now.app[0].required;
    now = world.release(50'000'000, 50'000'000);
    now.app[0].required = required;
    now.app[0].setting = now.app[0].running.setting = setting;
    now.app[0].running.sequence = static_cast<std::uint64_t>(i);
    decision.reset();
    agent.decide(now, decision);
    int key = decision.action.app[0].mapping;
    for (int c = 0; c < now.cluster_count; ++c) key = key * 64 + decision.action.opp[c];
    actions[{setting.mapping, key}].add(decision);
    ++runs[setting.mapping];
  }
  const auto expect_fits = [](const Count& count, int of) {
    const double p = count.probability;
    EXPECT_NEAR(count.times, of * p, 4 * std::sqrt(of * p * (1 - p)) + 1e-6) << p;
  };
  EXPECT_GT(mapping.size(), 1u) << "there must be a choice";
  EXPECT_GT(actions.size(), mapping.size());
  for (const auto& [m, count] : mapping) expect_fits(count, kDraws);
  for (const auto& [key, count] : actions) expect_fits(count, runs[key.first]);
}

TEST(QLearningDecision, NinetyPercentIntervalsHoldAsOftenAsTheyShould) {
  const TinyWorld world = xu3("background");
  QLearning agent(world.context());
  ClosedLoop loop(world, agent);
  Forecast forecast;
  int jobs = 0, held = 0, energy_held = 0;
  while (loop.step()) {
    // What was said when the job started.
    if (loop.decision.forecasts > 0 && loop.decision.forecast[0].sequence != forecast.sequence) {
      forecast = loop.decision.forecast[0];
      EXPECT_GE(forecast.miss_probability, 0);
      EXPECT_LE(forecast.miss_probability, 1);
    }
    for (const JobRecord& job : loop.now.jobs()) {
      if (job.sequence != forecast.sequence || job.sequence < 50) continue;
      ++jobs;
      const double off =
          static_cast<double>(job.execution_ns()) - static_cast<double>(forecast.time_ns);
      energy_held += std::abs(job.energy_mj - static_cast<double>(forecast.energy_mj)) <=
                     1.645 * static_cast<double>(forecast.energy_sd_mj);
      held += std::abs(off) <= 1.645 * static_cast<double>(forecast.time_sd_ns);
    }
  }
  ASSERT_GT(jobs, 300);
  EXPECT_GE(held, 0.80 * jobs);
  EXPECT_LE(held, 0.97 * jobs);
  EXPECT_GE(energy_held, 0.80 * jobs);
  EXPECT_LE(energy_held, 0.97 * jobs);
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
