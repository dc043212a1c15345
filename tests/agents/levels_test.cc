#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agents/explain.h"
#include "agents/profile_table.h"
#include "agents/static_best.h"
#include "env/sim/simulator.h"
#include "kernels/base/error.h"
#include "tests/agents/tiny_platform.h"

// What agents make of a width knob whose levels are widths in fp32 and int8.

namespace flyball {
namespace {

using ::testing::HasSubstr;

/// The tiny platform with every width in int8 as well: 0.3 points less accurate, and so quick that
/// the next wider one in int8 is quicker than the narrower one in fp32.
struct World : TinyWorld {
  World() {
    std::vector<WidthCosts> both;
    for (const WidthCosts& width : widths_of(platform.apps[0])) {
      WidthCosts int8 = width;
      int8.int8 = true;
      int8.time_factor *= 0.5;
      int8.accuracy_pct -= 0.3;
      both.push_back(int8);
      both.push_back(width);
    }
    give_widths(platform.apps[0], both);
  }
};

constexpr int kWhole = 7;  // 100 % in fp32, the last level

// Floor 68: 75 % in fp32 (68.8) takes 0.75, in int8 (68.5) 0.375, 100 % in int8 (70.9) 0.5.
TEST(AgentLevels, TheProfileTakesTheQuickestThatReachesTheFloor) {
  const World world;
  const Profile profile(world.platform, world.platform.apps[0], 0);
  EXPECT_EQ(profile.level_for(68), 4);
  EXPECT_EQ(profile.level_for(68.6), 6) << "100 % in int8 before 75 % in fp32";
  EXPECT_EQ(profile.level_for(71), kWhole);
  EXPECT_TRUE(profile.reaches(5, 68.6));
  EXPECT_FALSE(profile.reaches(4, 68.6));
  EXPECT_TRUE(profile.reaches(kWhole, 99)) << "none does, it comes nearest";
  EXPECT_FALSE(profile.reaches(6, 99));
}

TEST(AgentLevels, LinuxsGovernorsRunTheWholeNetworkInFp32) {
  const World world;
  for (const char* policy : {"performance", "schedutil", "ondemand", "interactive", "prime"}) {
    Decision decision;
    world.bound(policy)->decide(world.release(0), decision);
    EXPECT_EQ(decision.action.app[0].level, kWhole) << policy;
  }
}

TEST(AgentLevels, TheRuleAndTheLearnerUseInt8AndSaySo) {
  const World world;
  for (const char* policy : {"rule", "q_learning"}) {
    Decision decision;
    world.bound(policy)->decide(world.release(0), decision);
    EXPECT_EQ(decision.action.app[0].level, 4) << policy;
    EXPECT_THAT(explain(decision, world.platform, world.binding(0)), HasSubstr("width 75 int8"))
        << policy;
  }
}

// The rule may also climb to wider levels, but never to one below the floor.
TEST(AgentLevels, TheRuleStaysAboveTheFloorHoweverManyMisses) {
  World world;
  world.scenario.apps[0].required.accuracy_floor_pct = 68.6;
  const auto rule = world.bound("rule");
  Decision decision;
  for (int i = 0; i < 60; ++i) {
    rule->decide(world.release(0), decision);
    EXPECT_GE(world.platform.apps[0].levels[decision.action.app[0].level].accuracy_pct, 68.6);
    Observation outcome = world.release(0, 1);
    JobRecord job;
    job.missed = true;
    outcome.add_job(job);
    rule->learn(outcome, decision.action, {});
  }
}

// Dynamic-OFA turns the width alone: from 100 to 75 % in fp32, past 100 % in int8.
TEST(AgentLevels, Mean20StepsOverWidthsInFp32) {
  const World world;
  const auto agent = world.bound("mean20");
  Decision decision;
  const auto feed = [&](std::int64_t latency_ms) {
    for (int i = 0; i < 20; ++i) {
      Observation outcome = world.idle(0, 1);
      JobRecord job;
      job.finish_ns = latency_ms * 1'000'000;
      outcome.add_job(job);
      agent->learn(outcome, decision.action, {});
    }
    agent->decide(world.release(0), decision);
    return static_cast<int>(decision.action.app[0].level);
  };
  EXPECT_EQ(feed(50), 5);
  EXPECT_EQ(feed(50), 5) << "the floor of 68 % needs 75 %";
  EXPECT_EQ(feed(28), 5);
  EXPECT_EQ(feed(26), kWhole);
  EXPECT_EQ(feed(26), kWhole);
}

TEST(AgentLevels, StaticBestNamesThePrecision) {
  const World world;
  const std::string text = "big=1500000,little=500000;camera=bigx2@75int8";
  const Action action = parse_action(world.platform, world.scenario, text);
  EXPECT_EQ(action.app[0].level, 4);
  EXPECT_EQ(format_action(world.platform, world.scenario, action), text);
  EXPECT_EQ(parse_action(world.platform, world.scenario, "big=500000;camera=bigx2@75").app[0].level,
            5);
  try {
    const TinyWorld without;
    parse_action(without.platform, without.scenario, "big=500000;camera=bigx2@75int8");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cnn has no level '75int8'"));
  }
}

/// The tiny platform with an application of three knobs, whose order by cost is another one than
/// that by accuracy.
struct ThreeKnobs : TinyWorld {
  ThreeKnobs() {
    AppProfile& app = platform.apps[0];
    app.knobs = {{"resolution", "px", {"320", "640"}},
                 {"model", "", {"small", "large"}},
                 {"frames", "", {"1", "4"}}};
    app.levels.clear();
    const auto add = [&](KnobValues at, double time, double accuracy) {
      LevelProfile& level = app.levels.emplace_back();
      level.knob = at;
      level.time_factor = time;
      level.accuracy_pct = accuracy;
    };
    add({0, 0, 0}, 0.1, 50);
    add({0, 1, 0}, 0.5, 69);
    add({0, 1, 1}, 0.8, 70);
    add({1, 0, 0}, 0.3, 68.5);
    add({1, 1, 1}, 1, 75);
  }
};

// Floor 68: three levels reach it, and the quickest of them is not the first.
TEST(AgentLevels, WhateverTheKnobsTheQuickestThatReachesTheFloorIsTaken) {
  const ThreeKnobs world;
  for (const char* policy : {"rule", "q_learning"}) {
    Decision decision;
    world.bound(policy)->decide(world.release(0), decision);
    EXPECT_EQ(decision.action.app[0].level, 3) << policy;
    EXPECT_THAT(explain(decision, world.platform, world.binding(0)),
                HasSubstr(", resolution 640, model small, frames 1"))
        << policy;
  }
  for (const char* policy : {"performance", "schedutil", "prime"}) {
    Decision decision;
    world.bound(policy)->decide(world.release(0), decision);
    EXPECT_EQ(decision.action.app[0].level, 4) << policy << " leaves the application whole";
  }
}

TEST(AgentLevels, Mean20TurnsTheFirstKnobAlone) {
  const ThreeKnobs world;
  const auto agent = world.bound("mean20");
  Decision decision;
  for (int i = 0; i < 20; ++i) {
    Observation outcome = world.idle(0, 1);
    JobRecord job;
    job.finish_ns = 50'000'000;
    outcome.add_job(job);
    agent->learn(outcome, decision.action, {});
  }
  agent->decide(world.release(0), decision);
  EXPECT_EQ(decision.action.app[0].level, 2) << "320 px, the other knobs as they were";
}

TEST(AgentLevels, StaticBestNamesEveryValue) {
  const ThreeKnobs world;
  const std::string text = "big=1500000,little=500000;camera=bigx2@640/small/1";
  const Action action = parse_action(world.platform, world.scenario, text);
  EXPECT_EQ(action.app[0].level, 3);
  EXPECT_EQ(format_action(world.platform, world.scenario, action), text);
  try {
    parse_action(world.platform, world.scenario, "big=500000;camera=bigx2@640/smal/1");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("cnn has no level '640/smal/1' (did you mean '640/small/1'?)"));
  }
}

}  // namespace
}  // namespace flyball
