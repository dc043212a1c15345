// The laws of the governor of plain load, beside schedutil on a simulated Exynos 5422.

#include "agents/plain_load.h"

#include <gtest/gtest.h>

#include "tests/env/network_levels.h"
#include "tests/agents/closed_loop.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// One program on the board, with so many Mcycles of work on a big core every period.
TinyWorld world_of(double mcycles, std::int64_t period_ns, double memory_ms = 0) {
  TinyWorld world;
  world.platform = load_platform("odroid_xu3");
  std::erase_if(world.platform.apps, [](const AppProfile& app) { return !app.plain_load; });
  AppProfile task;
  task.name = "task";
  give_widths(task, {{100, 1, 1, 50}});
  // An A7 takes 1.74 times the cycles, as with the network.
  task.unit[0] = {true, mcycles, memory_ms, 0.386, 0, true};
  task.unit[1] = {true, 1.74 * mcycles, memory_ms, 0.076, 0, true};
  world.platform.apps.push_back(task);
  world.scenario.duration_ns = 20'000 * kMs;
  AppSpec& app = world.scenario.apps[0];
  app.profile = static_cast<int>(world.platform.apps.size()) - 1;
  app.arrival.period_ns = period_ns;
  app.required = {};
  app.required.period_ns = app.required.deadline_ns = period_ns;
  return world;
}

struct Outcome {
  double energy_mj = 0;
  int finished = 0, missed = 0;
};

Outcome run(const TinyWorld& world, const std::string& policy) {
  ClosedLoop loop(world, policy);
  Outcome outcome;
  bool going = true;
  while (going) {
    going = loop.step();
    outcome.energy_mj += loop.now.energy_mj;
  }
  outcome.finished = loop.finished[0];
  outcome.missed = loop.missed[0];
  return outcome;
}

/// What is seen of a cluster that was so busy for an epoch.
void be_busy(const TinyWorld& world, Observation& o, int cluster, int opp, double util,
             double stalled = -1) {
  o.now_ns += PlainLoad::kEpochNs;
  o.epoch_ns = PlainLoad::kEpochNs;
  world.set_opp(o, cluster, opp);
  ClusterObservation& seen = o.cluster[cluster];
  seen.util_max = util;
  seen.util_mean = util / world.platform.clusters[static_cast<std::size_t>(cluster)].cores;
  seen.counters = {};
  if (stalled < 0) return;
  const double cycles =
      util * static_cast<double>(seen.freq_khz) * 1e-6 * static_cast<double>(PlainLoad::kEpochNs);
  seen.counters.cycles = cycles;
  seen.counters.stalled_cycles = stalled * cycles;
  seen.counters.instructions = (1 - stalled) * cycles;
  seen.counters.valid = Counters::kCycles | Counters::kStalls | Counters::kInstructions;
}

/// The agent alone, with a cluster whose busy shares the test says.
struct Alone {
  TinyWorld world = world_of(20, 100 * kMs);
  std::unique_ptr<Agent> agent = world.make("plain_load");
  Observation now = world.idle();
  Decision decision;
  int top = world.platform.clusters[0].max_opp();

  Alone() {
    now.app_count = 0;
    agent->begin_run();
  }
  /// One epoch at the clock that was decided on.
  int see(double util, double stalled = -1) {
    be_busy(world, now, 0, decision.action.opp[0], util, stalled);
    agent->decide(now, decision);
    return decision.action.opp[0];
  }
};

TEST(PlainLoad, AfterANapTheClockIsThereWithinOneEpochOfTheLoad) {
  for (const double share : {0.3, 0.6, 1.0}) {  // of the epoch in which it sets in
    Alone alone;
    for (int i = 0; i < 50; ++i) EXPECT_EQ(alone.see(0), 0);
    EXPECT_EQ(alone.see(share), alone.top) << share;
  }
  Alone late;  // at the very end of an epoch: the next one sees all of it
  for (int i = 0; i < 50; ++i) late.see(0);
  late.see(0.1);
  EXPECT_EQ(late.see(1), late.top);
}

TEST(PlainLoad, ASaturatedCoreIsAtTheTopWithin50Ms) {
  for (double share = 0; share < 1; share += 0.05) {  // of the epoch in which it saturates
    Alone alone;
    for (int i = 0; i < 100; ++i) alone.see(0.3);
    ASSERT_LT(alone.decision.action.opp[0], alone.top);
    double since_ns = share * static_cast<double>(PlainLoad::kEpochNs);
    alone.see(0.3 * (1 - share) + share);
    while (alone.decision.action.opp[0] < alone.top) {
      alone.see(1);
      since_ns += static_cast<double>(PlainLoad::kEpochNs);
      ASSERT_LE(since_ns, 50e6) << share;
    }
  }
}

TEST(PlainLoad, PicturesThatFillTwoEpochsAreAsUsualAndALongerOneIsNot) {
  // 640 MHz of work in the mean, in pieces that fill more than an epoch at the clock for that.
  Alone alone;
  const auto& opps = alone.world.platform.clusters[0].opps;
  double left = 0;
  int at_top = 0;
  for (int i = 0; i < 300; ++i) {
    if (i % 2 == 0) left += 2 * 640'000;
    const auto khz = static_cast<double>(opps[alone.decision.action.opp[0]].freq_khz);
    const double done = std::min(left, khz);
    left -= done;
    const int opp = alone.see(done / khz);
    if (i >= 100 && opp == alone.top) ++at_top;
  }
  EXPECT_EQ(at_top, 0);
  int epochs = 0;
  while (alone.see(1) < alone.top) ASSERT_LT(++epochs, 3);
}

TEST(PlainLoad, ALoadThatIsMeasuredAtTheTopSettlesAtOnce) {
  Alone alone;
  for (int i = 0; i < 50; ++i) alone.see(0);
  alone.see(1);
  const int opp = alone.see(0.4);  // of 2000 MHz: 800 MHz of work
  const double khz = static_cast<double>(alone.world.platform.clusters[0].opps[opp].freq_khz);
  EXPECT_NEAR(khz, 800'000 / 0.8, 100'000);
}

TEST(PlainLoad, IdlenessStaysAtTheLowestClockAndRareTicksAtTheLowestVoltage) {
  Alone alone;
  for (int i = 0; i < 400; ++i) EXPECT_EQ(alone.see(0), 0);
  const auto& opps = alone.world.platform.clusters[0].opps;
  for (int i = 0; i < 400; ++i) {
    const int opp = alone.see(i % 20 == 0 ? 0.05 : 0);
    EXPECT_EQ(opps[static_cast<std::size_t>(opp)].voltage_mv, opps[0].voltage_mv);
  }
}

TEST(PlainLoad, ASteadyMemoryBoundLoadGoesDownAndAComputingOneDoesNot) {
  Alone computing;
  for (int i = 0; i < 100; ++i) computing.see(1, 0.05);
  EXPECT_EQ(computing.decision.action.opp[0], computing.top);
  Alone unknown;
  for (int i = 0; i < 100; ++i) unknown.see(1);
  EXPECT_EQ(unknown.decision.action.opp[0], unknown.top) << "nobody counts stalls";
}

TEST(PlainLoad, AStallShareThatMisleadsIsFoundOut) {
  // The instructions follow the clock whatever the stalls say.
  Alone alone;
  int low = 0;
  for (int i = 0; i < 200; ++i) low += alone.see(1, 0.95) < alone.top ? 1 : 0;
  EXPECT_GT(low, 0) << "tried";
  EXPECT_LT(low, 20) << "and given up";
}

TEST(PlainLoad, NeverCapsBelowWhatTheLoadNeeds) {
  for (const double need : {0.1, 0.25, 0.5, 0.75, 0.9}) {  // of the top
    Alone alone;
    const auto& opps = alone.world.platform.clusters[0].opps;
    const double work_khz = need * static_cast<double>(opps.back().freq_khz);
    const auto clock_khz = [&] {
      return static_cast<double>(opps[alone.decision.action.opp[0]].freq_khz);
    };
    for (int i = 0; i < 200; ++i) {
      alone.see(std::min(1.0, work_khz / clock_khz()));
      if (i > 5) {
        EXPECT_GE(clock_khz(), work_khz) << need;
      }
    }
  }
}

TEST(PlainLoad, StaysBelowTheTripPointByItself) {
  Alone alone;
  const auto& trips = alone.world.platform.trips;
  double trip_c = 1e9;
  for (const TripPoint& trip : trips) {
    if (trip.cluster == 0 && trip.kind != TripPoint::Kind::kCritical)
      trip_c = std::min(trip_c, trip.temp_c);
  }
  ASSERT_LT(trip_c, 1e9);
  alone.now.cluster[0].temp_c = trip_c - 1;
  for (int i = 0; i < 20; ++i) alone.see(1);
  EXPECT_EQ(alone.decision.action.opp[0], alone.top - 1) << "a step at a time";
  for (int i = 0; i < 60; ++i) alone.see(1);
  EXPECT_LT(alone.decision.action.opp[0], alone.top - 3);
  alone.now.cluster[0].temp_c = trip_c - 4;
  const int held = alone.see(1);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(alone.see(1), held) << "neither hot nor cool";
  alone.now.cluster[0].temp_c = trip_c - 10;
  for (int i = 0; i < 500; ++i) alone.see(1);
  EXPECT_EQ(alone.decision.action.opp[0], alone.top);
}

TEST(PlainLoad, AMemoryBoundStreamKeepsItsThroughputForLessEnergy) {
  // 30 ms at memory beside 2 Mcycles (1 ms at the top), one job behind another.
  const TinyWorld world = world_of(2, 10 * kMs, 30);
  const Outcome own = run(world, "plain_load");
  const Outcome linux_governor = run(world, "schedutil");
  EXPECT_GE(own.finished, 0.98 * linux_governor.finished);
  EXPECT_LT(own.energy_mj, 0.9 * linux_governor.energy_mj);
}

struct PlainScenario {
  const char* name;
  double mcycles;
  std::int64_t period_ms;
};

TEST(PlainLoad, IsNotWorseThanSchedutilOnPlainLoads) {
  for (const PlainScenario& scenario :
       {PlainScenario{"audio", 1.5, 20}, PlainScenario{"video", 20, 40},
        PlainScenario{"browser", 300, 1500}, PlainScenario{"build", 4000, 1000},
        PlainScenario{"idle phone", 2, 1000}}) {
    const TinyWorld world = world_of(scenario.mcycles, scenario.period_ms * kMs);
    const Outcome own = run(world, "plain_load");
    const Outcome linux_governor = run(world, "schedutil");
    EXPECT_LE(own.energy_mj, 1.02 * linux_governor.energy_mj) << scenario.name;
    EXPECT_LE(own.missed, linux_governor.missed) << scenario.name;
    EXPECT_GE(own.finished, linux_governor.finished) << scenario.name;
  }
}

}  // namespace
}  // namespace flyball
