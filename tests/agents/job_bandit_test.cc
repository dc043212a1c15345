// Learners of arms as agents: what they learn on a board, keep in a policy file, and leave to chance.

#include "agents/job_bandit.h"

#include <gtest/gtest.h>

#include "kernels/base/error.h"
#include "tests/agents/closed_loop.h"
#include "tests/agents/drawn.h"
#include "tests/agents/learned_tables.h"
#include "tests/governor/allocation_count.h"

namespace flyball {
namespace {

constexpr const char* kBandits[] = {"ucb", "linucb", "thompson", "sarsa", "q_lambda", "mixture", "dqn"};

/// A board whose little cores are believed to take four times what they take.
struct LyingWorld {
  TinyWorld truth, believed;
  explicit LyingWorld(std::int64_t seconds) {
    truth.scenario.duration_ns = believed.scenario.duration_ns = seconds * 1'000'000'000;
    truth.scenario.apps[0].required.deadline_ns = 60'000'000;
    truth.scenario.apps[0].arrival.period_ns = truth.scenario.apps[0].required.period_ns =
        60'000'000;
    believed.scenario = truth.scenario;
    believed.platform.apps[0].unit[1].core_nf *= 4;
    believed.platform.clusters[1].uncore_nf *= 4;
    believed.platform.clusters[1].leak_c_a *= 4;
  }
};

double later_energy_mj(const LyingWorld& world, const std::string& policy) {
  const auto agent = world.believed.make(policy);
  ClosedLoop loop(world.truth, *agent);
  double sum = 0;
  while (loop.step()) {
    if (loop.now.now_ns > world.truth.scenario.duration_ns / 2) sum += loop.now.energy_mj;
  }
  agent->end_run();
  EXPECT_EQ(loop.missed[0], 0) << policy;
  return sum;
}

TEST(JobBandit, FindsOutThatABeliefIsWrong) {
  const LyingWorld world(20);
  const double model = later_energy_mj(world, "model"), informed = [&] {
    LyingWorld told(20);
    told.believed = told.truth;
    return later_energy_mj(told, "model");
  }();
  ASSERT_GT(model, 1.03 * informed);
  for (const char* policy : kBandits) {
    EXPECT_LT(later_energy_mj(world, policy), informed + 0.5 * (model - informed)) << policy;
  }
}

TEST(JobBandit, DqnSpoiltLosesWhatItGained) {
  const LyingWorld world(20);
  const auto agent = world.believed.make("dqn");
  ClosedLoop(world.truth, *agent).all();
  const std::vector<std::uint8_t> learned = saved_of(*agent);
  const auto energy_mj = [&](const Ablation* how) {
    const auto copy = world.believed.make("dqn");
    copy->load(learned, false);
    copy->set_learning(false);
    Random random(1);
    if (how != nullptr) dynamic_cast<Spoilable&>(*copy).ablate(*how, random);
    ClosedLoop loop(world.truth, *copy);
    double sum = 0;
    while (loop.step()) sum += loop.now.energy_mj;
    return sum;
  };
  const double intact = energy_mj(nullptr);
  for (const Ablation how : {Ablation::kZeroed, Ablation::kNegated, Ablation::kShuffled}) {
    EXPECT_GT(energy_mj(&how), 1.03 * intact) << static_cast<int>(how);
  }
}

TEST(JobBandit, WhatItKeepsIsWhatItWasAndTheSameSeedGivesTheSame) {
  const LyingWorld world(6);
  for (const char* policy : kBandits) {
    SCOPED_TRACE(policy);
    const auto run = [&] {
      auto agent = world.believed.make(policy);
      ClosedLoop(world.truth, *agent).all();
      return agent;
    };
    const auto agent = run();
    const std::vector<std::uint8_t> bytes = saved_of(*agent);
    EXPECT_EQ(bytes, saved_of(*run()));
    EXPECT_LE(bytes.size(), agent->saved_bytes());
    const auto loaded = world.believed.make(policy);
    const std::vector<std::uint8_t> nothing = saved_of(*loaded);
    loaded->load(bytes, false);
    EXPECT_EQ(saved_of(*loaded), bytes);
    // Whatever is cut off is refused, and nothing has changed then.
    const auto fresh = world.believed.make(policy);
    for (std::size_t size = 0; size < bytes.size(); size += 97) {
      EXPECT_THROW(
          fresh->load({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}, false),
          Error);
    }
    EXPECT_EQ(saved_of(*fresh), nothing);
    EXPECT_TRUE(fresh->load(bytes, true).empty()) << "as a prior it fits this board as well";
  }
}

TEST(JobBandit, AnEpochAllocatesNothing) {
  const LyingWorld world(3);
  for (const char* policy : kBandits) {
    const auto agent = world.believed.make(policy);
    std::uint64_t allocated = 0;
    ClosedLoop loop(world.truth, *agent);
    loop.step();
    std::uint64_t before = 0;
    loop.alter = [&](Observation&, Reward&) { before = test::allocations(); };  // then it learns
    while (loop.step()) {
      allocated += test::allocations() - before;
      Decision decision;
      before = test::allocations();
      agent->decide(loop.now, decision);
      allocated += test::allocations() - before;
    }
    EXPECT_EQ(allocated, 0u) << policy;
  }
}

TEST(JobBandit, SaysHowLikelyAChoiceWas) {
  TinyWorld world;
  const auto agent = world.bound("random");
  Decision decision;
  const Observation now = world.release(0);
  agent->decide(now, decision);
  ASSERT_LT(decision.probability, 1);
  Drawn drawn;
  ASSERT_TRUE(agent->alternatives(now, decision, drawn));
  EXPECT_NEAR(drawn.sum, 1, 1e-9);
  EXPECT_NEAR(drawn.probability(decision.action), static_cast<double>(decision.probability), 1e-6);
  EXPECT_GE(drawn.of.size(), 2u);
}

TEST(JobBandit, ThompsonDoesNotPretendToKnowHowLikelyADrawWas) {
  TinyWorld world;
  const auto agent = world.bound("thompson");
  Decision decision;
  const Observation now = world.release(0);
  agent->decide(now, decision);
  EXPECT_TRUE(std::isnan(decision.probability));
  Drawn drawn;
  EXPECT_FALSE(agent->alternatives(now, decision, drawn));
}

}  // namespace
}  // namespace flyball
