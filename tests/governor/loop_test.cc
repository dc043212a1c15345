#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "allocation_count.h"
#include "fakes.h"
#include "governor/loop/control_loop.h"
#include "governor/metrics/session.h"

namespace flyball::test {

namespace {

using ::testing::ElementsAre;

class LogSink : public EpochSink {
 public:
  explicit LogSink(std::vector<std::string>& log) : log_(log) {}
  void on_epoch(const EpochEvent& event) override {
    log_.push_back("sink " + std::to_string(event.before.sequence) + ">" +
                   std::to_string(event.outcome.sequence));
    verdict = event.verdict;
    decided = event.decided;
    applied = event.applied;
    decide_ns = event.decide_ns;
  }
  Shield::Verdict verdict = Shield::Verdict::kPassed;
  Action decided, applied;
  std::int64_t decide_ns = -1;

 private:
  std::vector<std::string>& log_;
};

class LoopTest : public ::testing::Test {
 protected:
  PlatformSpec spec_ = small_platform();
  Scenario scenario_ = small_scenario();
  RewardWeights weights_;
  std::vector<std::string> log_;
};

TEST_F(LoopTest, RunsAnEpochInOrderAndHandsTheOutcomeToTheNextDecision) {
  FakePlatform platform(spec_, scenario_, 2);
  FakeAgent agent(small_action(1, 0, 1, 1));
  Shield shield(spec_, scenario_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  LogSink sink(log_);
  loop.add_sink(sink);
  platform.log = agent.log = &log_;
  EXPECT_EQ(loop.run(), Status::kFinished);
  EXPECT_THAT(log_, ElementsAre("decide 0", "apply", "advance", "learn 1", "sink 0>1",  //
                                "decide 1", "apply", "advance", "learn 2", "sink 1>2"));
  EXPECT_GE(sink.decide_ns, 0);
}

TEST_F(LoopTest, TheShieldHasTheLastWordAndTheAgentLearnsWhatWasApplied) {
  FakePlatform platform(spec_, scenario_, 1);
  FakeAgent agent(small_action(9, 0, 1, 1));
  Shield shield(spec_, scenario_, {.guard = false});
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
  Shield shield(spec_, scenario_, {.guard = false});
  weights_.ref_energy_mj = 100;
  ControlLoop(platform, agent, shield, weights_).run();
  EXPECT_NEAR(agent.learned_reward, -0.3, 1e-12);  // preference 0.5: weight 1
}

TEST_F(LoopTest, ALostDeviceEndsTheRunWithoutAnEpoch) {
  FakePlatform platform(spec_, scenario_, 5);
  platform.apply_status = Status::kDeviceLost;
  FakeAgent agent(small_action(1, 0, 1, 1));
  Shield shield(spec_, scenario_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  LogSink sink(log_);
  loop.add_sink(sink);
  EXPECT_EQ(loop.run(), Status::kDeviceLost);
  EXPECT_TRUE(log_.empty());
}

TEST_F(LoopTest, AnInterruptedEpochIsStillRecorded) {
  FakePlatform platform(spec_, scenario_, 100);
  int epochs = 0;
  platform.fill = [&](Observation&) {
    if (++epochs == 3) platform.interrupt();
  };
  FakeAgent agent(small_action(1, 0, 1, 1));
  Shield shield(spec_, scenario_, {.guard = false});
  ControlLoop loop(platform, agent, shield, weights_);
  LogSink sink(log_);
  loop.add_sink(sink);
  EXPECT_EQ(loop.run(), Status::kInterrupted);
  EXPECT_EQ(log_.size(), 3u);
}

TEST_F(LoopTest, AStopFlagInterruptsASession) {
  FakePlatform platform(spec_, scenario_, 100);
  FakeAgent agent(small_action(1, 0, 1, 1));
  const std::atomic<bool> stop = true;
  SessionOptions options;
  options.stop = &stop;
  LogSink sink(log_);
  options.sinks = {&sink};
  EXPECT_EQ(run_session(platform, agent, weights_, options).status, Status::kInterrupted);
  EXPECT_EQ(log_.size(), 2u);  // asked after the first epoch, answered by the second
}

TEST_F(LoopTest, OnlyAgentsThatAskForItAreGuarded) {
  for (const bool learner : {false, true}) {
    for (const bool baseline : {false, true}) {
      FakePlatform platform(spec_, scenario_, 1);
      FakeAgent agent(small_action(0, 2, 0, 1), learner);  // 200 ms where 150 are allowed
      agent.baseline = baseline;
      run_session(platform, agent, weights_);
      EXPECT_EQ(platform.applied == small_action(0, 2, 0, 1), !learner || baseline);
    }
  }
}

TEST_F(LoopTest, ThePrimeLearnerIsMeasuredAsItIs) {
  const Spaces spaces = Spaces::of(spec_, scenario_);
  const AgentContext context{spec_, scenario_, spaces, weights_, 1, nullptr};
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
  EXPECT_EQ(reward_weights(spec_, scenario_).ref_energy_mj, RewardWeights{}.ref_energy_mj);
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
  Shield shield(spec, scenario, {.guard = guard});
  ControlLoop loop(platform, agent, shield, {});
  MetricsSink metrics(spec);
  loop.add_sink(metrics);
  const std::uint64_t before = allocations();
  loop.run();
  return allocations() - before;
}

TEST(LoopAllocationTest, NothingIsAllocatedPerEpoch) {
  EXPECT_EQ(allocations_of_a_run(1000, false), 0u);
  EXPECT_EQ(allocations_of_a_run(1000, true), 0u);
}

}  // namespace
}  // namespace flyball::test
