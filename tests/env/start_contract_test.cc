#include <gtest/gtest.h>

#include "tests/env/round_board.h"

// When a job starts, with what, and when a decision takes effect (EpochRequest).

namespace flyball {
namespace {

constexpr std::int64_t kUs = 1000;

PlatformSpec board_deciding_in(double us) {
  PlatformSpec spec = round_board();
  spec.decision_latency_us = us;
  return spec;
}

constexpr EpochRequest kUntilRelease{.interval_ns = 1000 * kMs, .stop_at_release = true};

TEST(StartContract, ARunningJobGoesOnAsBeforeUntilTheDecisionIsInForce) {
  // 100 us for the decision, 100 us for the clock: 0.2 ms at 1000 MHz, 99.8 Mcycles at 2000.
  const PlatformSpec spec = board_deciding_in(100);
  const Scenario scenario = of_apps({stream("camera", 200, 100)});
  Simulator sim(spec, scenario);
  Observation out;
  sim.apply(big_core(spec, 0));
  sim.advance(kUntilRelease, out);
  ASSERT_EQ(out.now_ns, 200 * kMs);
  ASSERT_TRUE(out.app[0].running.busy) << "it starts at its release";
  EXPECT_EQ(out.app[0].running.start_ns, 200 * kMs);
  Action action = big_core(spec, 1);
  action.app[0].mapping = mapping_of(spec, kBig, 4);
  sim.apply(action);
  const auto jobs = play(sim, 490);
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].start_ns, 200 * kMs);
  EXPECT_EQ(jobs[0].execution_ns(), 200 * kUs + 49'900 * kUs);
  EXPECT_EQ(jobs[0].setting.mapping, mapping_of(spec, kBig, 1));
  EXPECT_EQ(jobs[1].start_ns, 400 * kMs);
  EXPECT_EQ(jobs[1].execution_ns(), 12'500 * kUs);
  EXPECT_EQ(jobs[1].setting.mapping, mapping_of(spec, kBig, 4));
}

TEST(StartContract, WithoutLatencyTheClockTurnsAtOnceAndTheMappingStillHoldsForTheNext) {
  const PlatformSpec spec = board_deciding_in(0);
  const Scenario scenario = of_apps({stream("camera", 200, 100)});
  Simulator sim(spec, scenario);
  Observation out;
  sim.advance(kUntilRelease, out);
  Action action = big_core(spec, 1);
  action.app[0].mapping = mapping_of(spec, kBig, 4);
  sim.apply(action);
  const auto jobs = play(sim, 490);
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].execution_ns(), 100 * kUs + 49'950 * kUs);
  EXPECT_EQ(jobs[0].setting.mapping, mapping_of(spec, kBig, 1));
  EXPECT_EQ(jobs[1].setting.mapping, mapping_of(spec, kBig, 4));
}

// At the n-th release a mapping is asked for that the (n+1)-th job has; the n-th keeps its own.
TEST(StartContract, WhatIsAskedAtAReleaseHoldsForTheNextJob) {
  const PlatformSpec spec = board_deciding_in(100);
  const Scenario scenario = of_apps({stream("camera", 450, 450)});
  Simulator sim(spec, scenario);
  Observation out;
  Action action = big_core(spec, 0);
  sim.apply(action);
  std::vector<JobRecord> jobs;
  std::vector<AppSetting> asked = {action.app[0]};
  Random random(4);
  for (int n = 1; n < 15; ++n) {
    do {
      sim.advance(kUntilRelease, out);
      jobs.insert(jobs.end(), out.jobs().begin(), out.jobs().end());
    } while (out.app[0].released == 0);
    ASSERT_EQ(out.app[0].running.sequence, static_cast<std::uint64_t>(n));
    action.app[0] = {static_cast<std::uint8_t>(random.below(9)),
                     static_cast<std::uint8_t>(random.below(2))};
    sim.apply(action);
    asked.push_back(action.app[0]);
  }
  ASSERT_GT(jobs.size(), 10u);
  for (std::size_t i = 1; i < jobs.size(); ++i) {
    EXPECT_EQ(jobs[i].sequence, i);
    EXPECT_EQ(jobs[i].start_ns, jobs[i].release_ns);
    EXPECT_EQ(jobs[i].setting, asked[i - 1]) << i;
  }
}

TEST(StartContract, AnEpochEndsNotBeforeItsActionIsInForce) {
  const PlatformSpec spec = board_deciding_in(100);
  AppSpec app = stream("camera", 200, 100);
  app.arrival.kind = Arrival::Kind::kBursty;
  app.arrival.burst_jobs = 2;
  app.arrival.burst_gap_ns = 50 * kUs;  // the second release falls into the decision on the first
  const Scenario scenario = of_apps({app}, 1000);
  Simulator sim(spec, scenario);
  Observation out;
  Action action = big_core(spec, 0);
  sim.apply(action);
  sim.advance(kUntilRelease, out);
  EXPECT_EQ(out.now_ns, 100 * kUs);
  EXPECT_EQ(out.app[0].released, 2u);  // at 0 and at 0.05 ms
  sim.advance(kUntilRelease, out);
  ASSERT_EQ(out.now_ns, 200 * kMs);
  action.opp[kBig] = 1;
  action.app[0].level = 0;
  sim.apply(action);
  sim.advance(kUntilRelease, out);
  EXPECT_EQ(out.now_ns, 200 * kMs + 100 * kUs);
  EXPECT_EQ(out.app[0].released, 1u);
  EXPECT_EQ(out.cluster[kBig].asked_opp, 1);
  EXPECT_EQ(out.app[0].setting.level, 0);
  // The interval, too, waits for it.
  action.app[0].level = 1;
  sim.apply(action);
  sim.advance({.interval_ns = 10 * kUs}, out);
  EXPECT_EQ(out.epoch_ns, 100 * kUs);
  EXPECT_EQ(out.app[0].setting.level, 1);
  // Nothing was decided: nothing to wait for.
  sim.advance({.interval_ns = 10 * kUs}, out);
  EXPECT_EQ(out.epoch_ns, 10 * kUs);
}

TEST(StartContract, TheEndOfTheScenarioWaitsForNothing) {
  const PlatformSpec spec = board_deciding_in(100);
  const Scenario scenario = of_apps({stream("camera", 200, 100)}, 10);
  Simulator sim(spec, scenario);
  Observation out;
  sim.advance({.interval_ns = 10 * kMs - 30 * kUs}, out);
  sim.apply(big_core(spec, 1));
  EXPECT_EQ(sim.advance({.interval_ns = 10 * kUs}, out), Status::kFinished);
  EXPECT_EQ(out.now_ns, 10 * kMs);
  EXPECT_EQ(out.cluster[kBig].asked_opp, 0);
}

TEST(StartContract, AForkWaitsAsTheSimulationDoes) {
  const PlatformSpec spec = board_deciding_in(100);
  const Scenario scenario = of_apps({stream("camera", 200, 100)});
  Simulator sim(spec, scenario);
  SimState state;
  sim.fork(state);
  sim.step(state, big_core(spec, 1), {.interval_ns = 10 * kUs});
  EXPECT_EQ(state.now_ns, 100 * kUs);
}

TEST(StartContract, AnUnchangedActionIsNotDecidedAgain) {
  const PlatformSpec spec = board_deciding_in(100);
  const Scenario scenario = of_apps({stream("camera", 200, 100)});
  Simulator sim(spec, scenario);
  Observation out;
  sim.apply(big_core(spec, 1));
  sim.advance(ms(1), out);
  sim.apply(big_core(spec, 1));
  sim.advance({.interval_ns = 10 * kUs}, out);
  EXPECT_EQ(out.epoch_ns, 10 * kUs);
}

TEST(StartContract, TheFirstJobHasWhatThePlatformWasFoundWith) {
  const PlatformSpec spec = board_deciding_in(100);
  const Scenario scenario = of_apps({stream("camera", 200, 100)});
  Simulator sim(spec, scenario);
  Action action = big_core(spec, 1);
  action.app[0].mapping = mapping_of(spec, kBig, 4);
  sim.apply(action);
  const auto jobs = play(sim, 490);
  ASSERT_EQ(jobs.size(), 3u);
  EXPECT_EQ(jobs[0].start_ns, 0);
  EXPECT_EQ(jobs[0].setting.mapping, mapping_of(spec, kBig, 1));
  EXPECT_EQ(jobs[0].execution_ns(), 200 * kUs + 49'900 * kUs);
  EXPECT_EQ(jobs[1].setting.mapping, mapping_of(spec, kBig, 4));
}

}  // namespace
}  // namespace flyball
