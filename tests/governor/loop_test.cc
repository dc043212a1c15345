#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "allocation_count.h"
#include "fakes.h"
#include "governor/loop/control_loop.h"
#include "governor/metrics/session.h"
#include "kernels/base/clock.h"

namespace flyball::test {

namespace {

using ::testing::ElementsAre;

class LogSink : public EpochSink {
 public:
  explicit LogSink(std::vector<std::string>& log) : log_(log) {}
  void on_bind(int slot, const Binding& binding, const Observation&) override {
    log_.push_back("sink bind " + std::to_string(slot) + " " + binding.name);
  }
  void on_unbind(int slot) override { log_.push_back("sink unbind " + std::to_string(slot)); }
  void on_epoch(const EpochEvent& event) noexcept override {
    log_.push_back("sink " + std::to_string(event.before.sequence) + ">" +
                   std::to_string(event.outcome.sequence));
    verdict = event.verdict;
    decided = event.decided.action;
    probability = event.decided.probability;
    applied = event.applied;
    decide_ns = event.decide_ns;
  }
  Shield::Verdict verdict = Shield::Verdict::kPassed;
  Action decided, applied;
  std::int64_t decide_ns = -1;
  float probability = -1;

 private:
  std::vector<std::string>& log_;
};

class LoopTest : public ::testing::Test {
 protected:
  PlatformSpec spec_ = small_platform();
  Belief belief_ = Belief::of(spec_);
  Scenario scenario_ = small_scenario();
  RewardWeights weights_;
  std::vector<std::string> log_;
};

TEST_F(LoopTest, RunsAnEpochInOrderAndHandsTheOutcomeToTheNextDecision) {
  FakePlatform platform(spec_, scenario_, 2);
  FakeAgent agent(small_action(1, 0, 1, 1));
  Shield shield(belief_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  LogSink sink(log_);
  loop.add_sink(sink);
  platform.log = agent.log = &log_;
  EXPECT_EQ(loop.run(), Status::kFinished);
  EXPECT_THAT(log_, ElementsAre("bind 0 camera", "sink bind 0 camera",                  //
                                "decide 0", "apply", "advance", "learn 1", "sink 0>1",  //
                                "decide 1", "apply", "advance", "learn 2", "sink 1>2"));
}

TEST_F(LoopTest, TellsHowLongADecisionTook) {
  struct SlowAgent : FakeAgent {
    using FakeAgent::FakeAgent;
    void decide(const Observation& now, Decision& out) noexcept override {
      const std::int64_t until = monotonic_ns() + kMs;
      while (monotonic_ns() < until) continue;
      FakeAgent::decide(now, out);
    }
  };
  FakePlatform platform(spec_, scenario_, 1);
  SlowAgent agent(small_action(1, 0, 1, 1));
  Shield shield(belief_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  LogSink sink(log_);
  loop.add_sink(sink);
  loop.run();
  EXPECT_GE(sink.decide_ns, kMs);
}

TEST_F(LoopTest, TheShieldHasTheLastWordAndTheAgentLearnsWhatWasApplied) {
  FakePlatform platform(spec_, scenario_, 1);
  FakeAgent agent(small_action(9, 0, 1, 1));
  Shield shield(belief_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  LogSink sink(log_);
  loop.add_sink(sink);
  loop.run();
  EXPECT_EQ(sink.decided, small_action(9, 0, 1, 1));
  EXPECT_EQ(sink.applied, small_action(2, 0, 1, 1));
  EXPECT_EQ(sink.verdict, Shield::Verdict::kClamped);
  EXPECT_EQ(platform.applied, sink.applied);
  EXPECT_EQ(agent.learned_applied, sink.applied);
}

TEST_F(LoopTest, PaysTheRewardOfEveryEpoch) {
  FakePlatform platform(spec_, scenario_, 3);
  platform.fill = [](Observation& out) { out.energy_mj = 10; };
  FakeAgent agent(small_action(1, 0, 1, 1));
  Shield shield(belief_, {.guard = false});
  weights_.ref_energy_mj = 100;
  ControlLoop(platform, agent, shield, weights_).run();
  EXPECT_NEAR(agent.learned_reward, -0.3, 1e-12);  // preference 0.5: weight 1
}

// Three frequencies beyond the table are one and the same once they are clamped.
TEST_F(LoopTest, TheProbabilityIsThatOfAllDrawsThatComeToWhatIsExecuted) {
  const auto executed = [&](const Action& decided, const Action& expected, bool guard) {
    FakePlatform platform(spec_, scenario_, 1);
    FakeAgent agent(decided);
    agent.drawn = {{small_action(1, 0, 1, 1), 0.25},  // 100 ms of 150
                   {small_action(2, 0, 1, 1), 0.125},
                   {small_action(3, 0, 1, 1), 0.0625},
                   {small_action(9, 0, 1, 1), 0.0625},
                   {small_action(0, 2, 0, 1), 0.25},   // 200 ms: the guard has something better
                   {small_action(0, 0, 2, 1), 0.25}};  // that
    agent.probability = 0.0625f;
    Shield shield(belief_, {.guard = guard});
    ControlLoop loop(platform, agent, shield, weights_);
    LogSink sink(log_);
    loop.add_sink(sink);
    loop.run();
    EXPECT_EQ(sink.applied, expected);
    return sink.probability;
  };
  EXPECT_EQ(executed(small_action(1, 0, 1, 1), small_action(1, 0, 1, 1), false), 0.25f);
  EXPECT_EQ(executed(small_action(2, 0, 1, 1), small_action(2, 0, 1, 1), false), 0.25f);
  EXPECT_EQ(executed(small_action(9, 0, 1, 1), small_action(2, 0, 1, 1), false), 0.25f);
  EXPECT_EQ(executed(small_action(0, 2, 0, 1), small_action(0, 2, 0, 1), false), 0.25f);
  EXPECT_EQ(executed(small_action(0, 2, 0, 1), small_action(0, 0, 2, 1), true), 0.5f);
  EXPECT_EQ(executed(small_action(0, 0, 2, 1), small_action(0, 0, 2, 1), true), 0.5f)
      << "what passes may be what something else would have become";
}

TEST_F(LoopTest, WhatWasCertainIsCertainWhateverTheShieldMakesOfIt) {
  for (const float drawn : {1.0f, 0.5f}) {
    FakePlatform platform(spec_, scenario_, 1);
    FakeAgent agent(small_action(9, 0, 1, 1));
    agent.probability = drawn;  // and what else it might have been it does not say
    Shield shield(belief_, {.guard = false});
    ControlLoop loop(platform, agent, shield, weights_);
    LogSink sink(log_);
    loop.add_sink(sink);
    loop.run();
    EXPECT_EQ(sink.applied, small_action(2, 0, 1, 1));
    if (drawn == 1) {
      EXPECT_EQ(sink.probability, 1);
    } else {
      EXPECT_TRUE(std::isnan(sink.probability));
    }
  }
}

TEST_F(LoopTest, TheAgentIsToldOfWhatTakesThePlaceOfItsDecisionAndOfNothingElse) {
  for (const int big_opp : {1, 9}) {
    FakePlatform platform(spec_, scenario_, 3);
    FakeAgent agent(small_action(big_opp, 0, 1, 1));
    Shield shield(belief_, {.guard = false});
    ControlLoop(platform, agent, shield, weights_).run();
    EXPECT_EQ(agent.replacements, big_opp == 9 ? 3 : 0);
    if (big_opp == 1) continue;
    EXPECT_EQ(agent.replaced_decided, small_action(9, 0, 1, 1));
    EXPECT_EQ(agent.replaced_applied, small_action(2, 0, 1, 1));
  }
}

/// Decides once and keeps it.
class Decided final : public FakeAgent {
 public:
  Decided() : FakeAgent(Action{}, true) {}
  void begin_run() override { ++begun; }
  void end_run() override { ++ended; }
  void decide(const Observation&, Decision& out) noexcept override {
    in_force.push_back(out.action);
    if (in_force.size() > 1) return;
    out.action = small_action(9, 0, 1, 1);
    out.value = -1;
    out.fresh = true;
  }
  std::vector<Action> in_force;
  int begun = 0, ended = 0;
};

class Values final : public EpochSink {
 public:
  void on_epoch(const EpochEvent& event) noexcept override {
    value.push_back(event.decided.value);
    fresh.push_back(event.decided.fresh);
    verdict.push_back(event.verdict);
  }
  std::vector<float> value;
  std::vector<bool> fresh;
  std::vector<Shield::Verdict> verdict;
};

TEST_F(LoopTest, ADecisionBeginsWithWhatIsInForceAndWithNothingElse) {
  FakePlatform platform(spec_, scenario_, 3);
  Decided agent;
  Shield shield(belief_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  Values values;
  loop.add_sink(values);
  loop.run();
  EXPECT_THAT(agent.in_force, ElementsAre(small_action(1, 0, 0, 0), small_action(2, 0, 1, 1),
                                          small_action(2, 0, 1, 1)));
  EXPECT_THAT(values.value, ElementsAre(-1, 0, 0));
  EXPECT_THAT(values.fresh, ElementsAre(true, false, false));
  EXPECT_EQ(agent.begun, 1);
  EXPECT_EQ(agent.ended, 1);
}

TEST_F(LoopTest, TheShieldSeesWhatBecameOfEveryEpoch) {
  FakePlatform platform(spec_, scenario_, 7);
  platform.fill = [](Observation& out) {
    out.add_job(small_job(out.sequence, out.now_ns / kMs - 50, 200, 150, {1, 1}));
  };
  FakeAgent agent(small_action(2, 0, 1, 1), true);
  Shield shield(belief_, {});
  ControlLoop loop(platform, agent, shield, weights_);
  Values values;
  loop.add_sink(values);
  loop.run();
  ASSERT_EQ(values.verdict.size(), 7u);
  EXPECT_NE(values.verdict[4], Shield::Verdict::kTakenOver);
  EXPECT_EQ(values.verdict[5], Shield::Verdict::kTakenOver) << "after five misses";
}

// The action asked for is of both slots; the shield lets it through only for those that it knows of.
TEST_F(LoopTest, ApplicationsThatComeAndGoAreToldToEverybodyBeforeTheNextDecision) {
  FakePlatform platform(spec_, scenario_, 5);
  platform.bindings[1] = platform.bindings[0];
  platform.bindings[1].name = "radar";
  std::vector<AppSetting> of_second;
  platform.fill = [&](Observation& out) {
    of_second.push_back(platform.applied.app[1]);
    // The second application is there from the end of epoch 1 to that of epoch 3; at the end of
    // epoch 2 another one has taken its slot; at that of epoch 4 the first has gone, too.
    const auto sequence = static_cast<std::uint32_t>(out.sequence);
    out.roster_version = sequence + 1;
    out.app_count = sequence < 3 ? 2 : 1;
    out.app[1] = out.app[0];
    out.app[1].generation = sequence < 2 ? 1 : 3;
    if (sequence == 2) platform.bindings[1].name = "lidar";
    if (sequence == 3) out.app[1].generation = 4;
    if (sequence >= 4) {
      out.app_count = 0;
      out.app[0].generation = 2;
      out.app[0].active = false;
    }
  };
  Action action = small_action(1, 0, 1, 1);
  action.app[1] = {2, 1};
  FakeAgent agent(action);
  Shield shield(belief_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  LogSink sink(log_);
  loop.add_sink(sink);
  agent.log = &log_;
  EXPECT_EQ(loop.run(), Status::kFinished);
  EXPECT_THAT(log_, ElementsAre("bind 0 camera", "sink bind 0 camera",  //
                                "decide 0", "learn 1", "sink 0>1",      //
                                "bind 1 radar", "sink bind 1 radar",    //
                                "decide 1", "learn 2", "sink 1>2",      //
                                "unbind 1", "sink unbind 1",            //
                                "bind 1 lidar", "sink bind 1 lidar",    //
                                "decide 2", "learn 3", "sink 2>3",      //
                                "unbind 1", "sink unbind 1",            //
                                "decide 3", "learn 4", "sink 3>4",      //
                                "unbind 0", "sink unbind 0",            //
                                "decide 4", "learn 5", "sink 4>5"));
  const AppSetting none{}, asked{2, 1};
  EXPECT_THAT(of_second, ElementsAre(none, asked, asked, none, none));
  EXPECT_EQ(platform.applied.app[0], none);
}

TEST_F(LoopTest, ALostDeviceEndsTheRunWithItsLastEpochToldAndTheSafeSettingAskedFor) {
  for (const bool guard : {false, true}) {
    log_.clear();
    FakePlatform platform(spec_, scenario_, 5);
    platform.fill = [&](Observation& out) {
      if (out.sequence == 2) platform.apply_status = Status::kDeviceLost;
    };
    const Action slow = small_action(0, 0, 0, 0);
    FakeAgent agent(slow);
    Shield shield(belief_, {.guard = guard});
    ControlLoop loop(platform, agent, shield, weights_);
    LogSink sink(log_);
    loop.add_sink(sink);
    platform.log = agent.log = &log_;
    EXPECT_EQ(loop.run(), Status::kDeviceLost);
    const std::vector<std::string> last(log_.end() - 6, log_.end());
    EXPECT_THAT(last, ElementsAre("decide 2", "apply", "advance", "learn 3", "sink 2>3", "apply"));
    EXPECT_EQ(platform.applied.opp[0], 2);
    EXPECT_EQ(platform.applied.app[0], (AppSetting{2, 1}));  // two big cores, the whole network
  }
}

// Where nothing has passed there is no epoch to tell.
TEST_F(LoopTest, ADeviceThatIsLostAtOnceTellsNothing) {
  FakePlatform platform(spec_, scenario_, 5);
  platform.apply_status = Status::kDeviceLost;
  platform.fill = [](Observation& out) { out.epoch_ns = 0; };
  FakeAgent agent(small_action(1, 0, 1, 1));
  Shield shield(belief_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  LogSink sink(log_);
  loop.add_sink(sink);
  EXPECT_EQ(loop.run(), Status::kDeviceLost);
  EXPECT_THAT(log_, ElementsAre("sink bind 0 camera"));
  EXPECT_EQ(platform.applied.opp[0], 2);
}

TEST_F(LoopTest, AnInterruptedEpochIsStillRecorded) {
  FakePlatform platform(spec_, scenario_, 100);
  int epochs = 0;
  platform.fill = [&](Observation&) {
    if (++epochs == 3) platform.interrupt();
  };
  FakeAgent agent(small_action(1, 0, 1, 1));
  Shield shield(belief_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  LogSink sink(log_);
  loop.add_sink(sink);
  EXPECT_EQ(loop.run(), Status::kInterrupted);
  EXPECT_THAT(log_, ElementsAre("sink bind 0 camera", "sink 0>1", "sink 1>2", "sink 2>3"));
}

TEST_F(LoopTest, AStopFlagInterruptsASession) {
  FakePlatform platform(spec_, scenario_, 100);
  FakeAgent agent(small_action(1, 0, 1, 1));
  const std::atomic<bool> stop = true;
  SessionOptions options;
  options.stop = &stop;
  LogSink sink(log_);
  options.sinks = {&sink};
  EXPECT_EQ(run_session(platform, belief_, agent, weights_, options).status, Status::kInterrupted);
  // Asked after the first epoch, answered by the second.
  EXPECT_THAT(log_, ElementsAre("sink bind 0 camera", "sink 0>1", "sink 1>2"));
}

TEST_F(LoopTest, OnlyAgentsThatAskForItAreGuarded) {
  for (const bool learner : {false, true}) {
    for (const bool baseline : {false, true}) {
      FakePlatform platform(spec_, scenario_, 1);
      FakeAgent agent(small_action(0, 2, 0, 1), learner);  // 200 ms where 150 are allowed
      agent.baseline = baseline;
      run_session(platform, belief_, agent, weights_);
      EXPECT_EQ(platform.applied == small_action(0, 2, 0, 1), !learner || baseline);
    }
  }
}

TEST_F(LoopTest, ThePrimeLearnerIsMeasuredAsItIs) {
  const AgentContext context{belief_, weights_, 1, nullptr};
  for (const AgentInfo& info : agent_catalogue()) {
    if (!info.learns) continue;
    EXPECT_EQ(make_agent(std::string(info.name), context)->guarded(), info.name != "prime")
        << info.name;
  }
}

TEST_F(LoopTest, ABoardThatTakesNoPowerHasAFiniteReward) {
  for (AppProfile& app : spec_.apps) {
    for (UnitProfile& unit : app.unit) unit.core_nf = 0;
  }
  EXPECT_EQ(reward_weights(Belief::of(spec_)).ref_energy_mj, RewardWeights{}.ref_energy_mj);
}

std::uint64_t allocations_of_a_run(int epochs, bool guard) {
  const PlatformSpec spec = small_platform();
  const Scenario scenario = small_scenario();
  FakePlatform platform(spec, scenario, epochs);
  std::uint64_t sequence = 0;
  platform.fill = [&](Observation& out) {
    const std::int64_t start_ms = out.now_ns / kMs - 50;
    out.add_job(small_job(sequence, start_ms, sequence % 7 < 5 ? 200 : 40, 150, {2, 1}));
    ++sequence;
  };
  FakeAgent agent(small_action(0, 2, 0, 1));
  const Belief belief = Belief::of(spec);
  Shield shield(belief, {.guard = guard});
  ControlLoop loop(platform, agent, shield, {});
  MetricsSink metrics(spec);
  loop.add_sink(metrics);
  const std::uint64_t before = allocations();
  loop.run();
  return allocations() - before;
}

TEST(LoopAllocationTest, NothingIsAllocatedPerEpoch) {
  for (const bool guard : {false, true}) {
    const std::uint64_t to_begin = allocations_of_a_run(1, guard);
    EXPECT_EQ(allocations_of_a_run(1000, guard), to_begin);
  }
}

}  // namespace
}  // namespace flyball::test
