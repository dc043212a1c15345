// What is learned belongs to a kind of application and a platform, not to who runs it when.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agents/q_learning.h"
#include "env/model/model.h"
#include "kernels/base/error.h"
#include "tests/agents/closed_loop.h"
#include "tests/agents/learned_tables.h"

namespace flyball {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// A policy that has been taught by punishment not to use the mapping that an untrained one chooses.
std::vector<std::uint8_t> taught(const TinyWorld& world, int avoid) {
  QLearning agent(world.context());
  ClosedLoop loop(world, agent);
  loop.alter = [&](Observation& now, Reward& reward) {
    for (const JobRecord& job : now.jobs()) {
      if (job.setting.mapping == avoid) reward.app[0].misses += 20;
    }
  };
  loop.all();
  return saved_of(agent);
}
/// The first setting for an application that has just come to this slot.
AppSetting first_choice(const TinyWorld& world, Agent& agent, int slot) {
  Observation now = world.idle();
  agent.bind(slot, world.binding(slot), now);
  Decision decision;
  agent.decide(now, decision);
  return decision.action.app[static_cast<std::size_t>(slot)];
}

TEST(QLearningProfiles, AnotherOfTheKindThatComesInMidRunIsServedByWhatWasLearned) {
  TinyWorld world;
  world.scenario.duration_ns = 30'000'000'000;
  QLearning untrained(world.context());
  untrained.set_learning(false);
  const AppSetting naive = first_choice(world, untrained, 0);
  const auto payload = taught(world, naive.mapping);

  QLearning trained(world.context());
  trained.load(payload, false);
  trained.set_learning(false);
  const AppSetting learned = first_choice(world, trained, 0);
  EXPECT_NE(learned.mapping, naive.mapping);

  TinyWorld two = world;
  two.scenario.apps.push_back(two.scenario.apps[0]);
  two.scenario.apps[1].name = "second";
  QLearning agent(two.context());
  agent.load(payload, false);
  agent.set_learning(false);
  EXPECT_EQ(first_choice(two, agent, 0), learned);
  Decision decision;
  for (int i = 0; i < 20; ++i) agent.decide(two.idle(i * 1'000'000, 1'000'000), decision);
  EXPECT_EQ(first_choice(two, agent, 1), learned) << "20 epochs later, in another slot";
}

TEST(QLearningProfiles, TwoOfAKindLearnTogether) {
  TinyWorld world;
  world.scenario.duration_ns = 2'000'000'000;
  world.scenario.apps.push_back(world.scenario.apps[0]);
  world.scenario.apps[1].name = "second";
  world.scenario.apps[1].start_ns = 500'000'000;
  QLearning agent(world.context());
  ClosedLoop loop(world, agent);
  loop.all();
  const LearnedTables tables = LearnedTables::of(agent);
  ASSERT_EQ(tables.profile.size(), 1u);
  EXPECT_GT(loop.finished[1], 20);
  EXPECT_EQ(tables.profile[0].jobs,
            static_cast<std::uint64_t>(loop.finished[0] + loop.finished[1]));
}

TEST(QLearningProfiles, OfAnUnknownKindItKnowsTheTimesAfterFourJobsAndMeetsDeadlinesAfterTen) {
  TinyWorld world;
  world.platform = load_platform("odroid_xu3");
  world.scenario = load_scenario("background", world.platform);
  world.scenario.background.clear();
  const int profile = world.scenario.apps[0].profile;
  world.weights.ref_energy_mj =
      reference_energy_mj(world.platform, world.platform.apps[static_cast<std::size_t>(profile)]);
  TinyWorld ignorant = world;
  ignorant.platform.apps[static_cast<std::size_t>(profile)].name = "something_else";
  QLearning agent(ignorant.context());
  ClosedLoop loop(world, agent);
  Forecast forecast;
  int jobs = 0, late = 0;
  while (loop.step()) {
    if (loop.decision.forecasts > 0 && loop.decision.forecast[0].sequence != forecast.sequence) {
      forecast = loop.decision.forecast[0];
    }
    for (const JobRecord& job : loop.now.jobs()) {
      ++jobs;
      if (jobs > 10) late += job.missed;
      if (jobs <= 4 || forecast.sequence != job.sequence) continue;
      // Clocks may change on the way, to a higher one when it runs long.
      const double ns = static_cast<double>(job.execution_ns());
      EXPECT_NEAR(static_cast<double>(forecast.time_ns), ns, 0.35 * ns) << "job " << jobs;
    }
  }
  EXPECT_GT(jobs, 200);
  EXPECT_EQ(late, 0);
}

struct PayloadTest : testing::Test {
  PayloadTest() {
    world.scenario.duration_ns = 2'000'000'000;
    world.platform.apps[0].content_hash = 5;
    QLearning trained(world.context());
    ClosedLoop(world, trained).all();
    good = saved_of(trained);
  }
  /// Why another agent refuses it; it must be left as it was. Empty: it takes it.
  std::string refusal(const TinyWorld& here, const std::vector<std::uint8_t>& payload,
                      bool as_prior = false) {
    QLearning agent(here.context());
    if (here.platform.mappings.size() == world.platform.mappings.size() &&
        here.platform.apps[0].content_hash == world.platform.apps[0].content_hash) {
      agent.load(good, false);
    }
    const auto before = saved_of(agent);
    try {
      agent.load(payload, as_prior);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kInput);
      EXPECT_THAT(error.what(), StartsWith("policy of 'q_learning': "));
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      EXPECT_EQ(saved_of(agent), before) << "a refused payload changes nothing";
      return error.what();
    }
    return "";
  }
  TinyWorld world;
  std::vector<std::uint8_t> good;
};

TEST_F(PayloadTest, RefusedWithTheReason) {
  EXPECT_EQ(refusal(world, good), "");
  auto bad = good;
  bad[0] = 1;
  EXPECT_THAT(refusal(world, bad), HasSubstr("payload version is 1"));
  TinyWorld other = world;
  other.platform.mappings.pop_back();
  EXPECT_THAT(refusal(other, good), HasSubstr("5 mappings where this platform has 4"));
  other = world;
  other.platform.apps[0].content_hash = 77;
  EXPECT_THAT(refusal(other, good), HasSubstr("'cnn' had other costs or levels"));
  bad = good;
  bad.push_back(0);
  EXPECT_THAT(refusal(world, bad), HasSubstr("longer"));
}

TEST_F(PayloadTest, CutOffAnywhereItIsRefused) {
  for (std::size_t size = 0; size < 200; ++size) {
    EXPECT_NE(refusal(world, {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}), "")
        << size;
  }
  EXPECT_NE(refusal(world, {good.begin(), good.end() - 1}), "");
}

TEST_F(PayloadTest, NumbersThatAreNoneAreRefused) {
  // After version, mappings, profiles, "cnn" with its length, hash, jobs, states and actions.
  const std::size_t first_entry = 4 + 4 + 4 + 7 + 8 + 8 + 4 + 4;
  auto bad = good;
  bad[first_entry + 2] = 0xc0, bad[first_entry + 3] = 0x7f;
  EXPECT_THAT(refusal(world, bad), HasSubstr("not finite"));
  bad[first_entry + 2] = 0x80;
  EXPECT_THAT(refusal(world, bad), HasSubstr("not finite")) << "infinity";
}

TEST_F(PayloadTest, AsAPriorMarginsOfAnotherPlatformAreTakenWithANote) {
  TinyWorld other = world;
  other.platform.mappings.pop_back();
  other.platform.apps[0].content_hash = 77;
  QLearning from(world.context()), to(other.context());
  from.load(good, false);
  const auto notes = to.load(good, true);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0],
            "of 'cnn' only the margins are taken, not which mapping is best: mappings differ");
  const LearnedTables before = LearnedTables::of(from), after = LearnedTables::of(to);
  EXPECT_GT(before.fast().visits, 30u);
  EXPECT_EQ(after.fast().visits, before.fast().visits);
  EXPECT_EQ(after.fast().penalty, before.fast().penalty);
  EXPECT_EQ(after.slow().visits, 0u);
}

TEST_F(PayloadTest, WhatNobodyHereKnowsIsKeptWithANote) {
  TinyWorld other = world;
  other.platform.apps[0].name = "fft";
  QLearning agent(other.context());
  const auto notes = agent.load(good, false);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_THAT(notes[0], HasSubstr("'cnn' is kept"));
  // The tables; what is believed of the board is of those whom it knows.
  const std::vector<std::uint8_t> kept = saved_of(agent);
  const std::size_t tables = LearnedTables::of(agent).bytes;
  ASSERT_GT(tables, 1000u);
  EXPECT_TRUE(
      std::equal(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(tables), kept.begin()));
  QLearning same(world.context());
  EXPECT_THAT(same.load(good, false), IsEmpty());
}

TEST(QLearningProfiles, ANameThatNobodyKnowsIsNotedCleanly) {
  TinyWorld evil;
  evil.platform.apps[0].name = "cnn\x1b[2J";
  const auto payload = taught(evil, 0);
  const TinyWorld world;
  QLearning agent(world.context());
  EXPECT_THAT(agent.load(payload, false),
              testing::ElementsAre(StartsWith("what was learned of 'cnn?[2J'")));
}

}  // namespace
}  // namespace flyball
