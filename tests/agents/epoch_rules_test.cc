// What holds for every agent within an epoch: no allocation, every index within the platform's
// tables, something to say.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "agents/explain.h"
#include "env/model/model.h"
#include "kernels/base/random.h"
#include "tests/agents/drawn.h"
#include "tests/agents/tiny_platform.h"
#include "tests/governor/allocation_count.h"

namespace flyball {
namespace {

/// An arbitrary but possible observation.
Observation arbitrary(const TinyWorld& world, Random& rng, std::int64_t now_ns,
                      const Action& action) {
  Observation o =
      rng.below(3) == 0 ? world.release(now_ns, 10'000'000) : world.idle(now_ns, 10'000'000);
  for (int c = 0; c < o.cluster_count; ++c) {
    o.cluster[c].opp_cap =
        static_cast<std::uint8_t>(rng.below(world.platform.clusters[c].opps.size()));
    world.set_opp(o, c, std::min<int>(action.opp[c], o.cluster[c].opp_cap));
    o.cluster[c].util_max = rng.uniform();
    o.cluster[c].util_mean = rng.uniform() * o.cluster[c].util_max;
    o.cluster[c].temp_c = rng.uniform(20, 100);
  }
  AppObservation& app = o.app[0];
  app.setting = app.last_setting = action.app[0];
  if (app.running.busy) app.running.setting = action.app[0];
  app.active = rng.below(20) != 0;
  app.required.accuracy_floor_pct = rng.uniform(0, 80);
  app.required.deadline_ns =
      rng.below(10) == 0 ? 0 : static_cast<std::int64_t>(rng.uniform(1e6, 1e8));
  if (rng.below(4) == 0) {  // one runs that came before, and others wait
    app.waiting_count = rng.below(kMaxQueue + 1);
    app.backlog = app.waiting_count + 1;
    RunningJobObservation& run = app.running;
    run.busy = true;
    run.release_ns = now_ns - static_cast<std::int64_t>(rng.below(100'000'000));
    run.start_ns = run.release_ns + static_cast<std::int64_t>(rng.below(3'000'000));
    run.deadline_ns = run.release_ns + app.required.deadline_ns;
    run.setting = action.app[0];
    for (std::uint32_t i = 0; i < app.waiting_count; ++i) {
      app.waiting[i] = {i + 1, now_ns - 1000, now_ns - 1000 + app.required.deadline_ns};
    }
  }
  app.running.sequence = static_cast<std::uint64_t>(now_ns / 30'000'000);
  for (std::uint32_t i = rng.below(3); i > 0; --i) {
    JobRecord job;
    job.start_ns = now_ns - 8'000'000;
    job.finish_ns = now_ns - 1'000'000 * i;
    job.setting = action.app[0];
    job.missed = rng.below(5) == 0;
    job.dropped = rng.below(20) == 0;
    job.energy_mj = rng.uniform(0, 20);
    o.add_job(job);
    ++app.finished;
  }
  return o;
}

/// A policy of every agent that needs no simulator.
std::vector<std::string> policies() {
  std::vector<std::string> all;
  for (const AgentInfo& info : agent_catalogue()) {
    if (info.knows_future) continue;  // oracle_test.cc
    std::string policy(info.name);
    if (policy == "userspace") policy += ":1000000";
    if (policy == "static_best") policy += ":big=2000000;camera=bigx1@100";
    all.push_back(policy);
  }
  return all;
}

TEST(EpochRules, NoAllocationAndEveryIndexInRange) {
  TinyWorld world;
  for (const std::string& policy : policies()) {
    // These choose by table; the platform's cap is above them.
    const bool ignores_cap =
        policy.starts_with("static_best") || policy == "prime" || policy == "rule";
    const auto agent = world.bound(policy);
    Random rng(11);
    Decision decision;
    Reward reward;
    const Action& action = decision.action;
    const auto before = test::allocations();
    for (int i = 0; i < 5000; ++i) {
      const Observation now = arbitrary(world, rng, std::int64_t{i} * 10'000'000, action);
      reward.apps = 1;
      reward.app[0].energy = rng.uniform();
      if (i > 0) agent->learn(now, action, reward);
      decision.reset();
      agent->decide(now, decision);
      for (int c = 0; c < 2; ++c) {
        ASSERT_LE(action.opp[c], world.platform.clusters[c].max_opp()) << policy;
        if (!ignores_cap) {
          ASSERT_LE(action.opp[c], now.cluster[c].opp_cap) << policy << " at " << i;
        }
      }
      ASSERT_LT(action.app[0].mapping, world.platform.mappings.size()) << policy;
      ASSERT_LT(action.app[0].level, 4) << policy;
      for (std::size_t c = 2; c < kMaxClusters; ++c) ASSERT_EQ(action.opp[c], 0) << policy;
      for (std::size_t a = 1; a < kMaxApps; ++a) ASSERT_EQ(action.app[a], AppSetting{}) << policy;
      if (std::isnan(decision.probability)) continue;
      ASSERT_GT(decision.probability, 0) << policy;
      ASSERT_LE(decision.probability, 1) << policy;
    }
    EXPECT_EQ(test::allocations(), before) << policy;
  }
}

// Whoever says that it drew, says from what: the probabilities sum to 1, and the action is there, no
// less likely than the draw.
TEST(EpochRules, WhatWasDrawnIsAmongAllThatMightHaveBeen) {
  TinyWorld world;
  int drew = 0;
  for (const std::string& policy : policies()) {
    const auto agent = world.bound(policy);
    Random rng(12);
    Decision decision;
    Reward reward;
    for (int i = 0; i < 3000; ++i) {
      const Observation now = arbitrary(world, rng, std::int64_t{i} * 10'000'000, decision.action);
      reward.apps = 1;
      reward.app[0].energy = rng.uniform();
      if (i > 0) agent->learn(now, decision.action, reward);
      decision.reset();
      agent->decide(now, decision);
      if (decision.probability == 1) continue;
      Drawn drawn;
      if (std::isnan(decision.probability)) {  // drawn from a posterior, and nobody can say
        ASSERT_EQ(policy, "thompson");
        ASSERT_FALSE(agent->alternatives(now, decision, drawn));
        continue;
      }
      ++drew;
      ASSERT_TRUE(agent->alternatives(now, decision, drawn)) << policy;
      ASSERT_NEAR(drawn.sum, 1, 1e-9) << policy << " at " << i;
      ASSERT_GE(drawn.probability(decision.action),
                static_cast<double>(decision.probability) - 1e-6)
          << policy << " at " << i;
    }
  }
  EXPECT_GT(drew, 500);
}

TEST(EpochRules, EveryDecisionCanBeExplainedInOneLine) {
  TinyWorld world;
  for (const std::string& policy : policies()) {
    const auto agent = world.bound(policy);
    Decision decision;
    agent->decide(world.release(0), decision);
    const std::string text = explain(decision, world.platform, world.binding(0));
    EXPECT_FALSE(text.empty()) << policy;
    EXPECT_EQ(text.find('\n'), std::string::npos) << policy;
  }
}

}  // namespace
}  // namespace flyball
