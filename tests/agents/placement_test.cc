#include "agents/placement.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "agents/job_tracker.h"
#include "tests/agents/closed_loop.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

int place(Placement& placement, const Observation& now, int app = 0) {
  Action action;
  placement.place(now, action);
  EXPECT_EQ(action.app[app].level, 3) << "full width";
  return action.app[app].mapping;
}

/// With every application of the world.
template <class T, class... Args>
T with_apps(const TinyWorld& world, Args... args) {
  T made(args..., world.platform);
  for (int a = 0; a < static_cast<int>(world.scenario.apps.size()); ++a) {
    const AppSpec& app = world.scenario.apps[static_cast<std::size_t>(a)];
    made.bind(a, world.platform.apps[static_cast<std::size_t>(app.profile)], app.threads);
  }
  return made;
}
Placement placement_of(const TinyWorld& world, Placement::Kind kind) {
  return with_apps<Placement>(world, kind);
}

/// A job of application 0 that ran for `run_ms` at the end of an epoch of 10 ms, on `mapping`.
Observation ran(const TinyWorld& world, std::int64_t now_ms, std::int64_t run_ms,
                std::uint8_t mapping, int opp) {
  Observation o = world.idle(now_ms * 1'000'000, 10'000'000);
  for (int c = 0; c < 2; ++c)
    world.set_opp(o, c, std::min(opp, world.platform.clusters[c].max_opp()));
  if (run_ms > 0) {
    for (int c = 0; c < 2; ++c) {
      ClusterObservation& seen = o.cluster[c];
      seen.util_max = world.platform.mappings[mapping].cores[c] > 0 ? run_ms / 10.0 : 0;
      seen.util_mean = seen.util_max * world.platform.mappings[mapping].cores[c] / 2;
    }
    JobRecord job;
    job.start_ns = (now_ms - run_ms) * 1'000'000;
    job.finish_ns = now_ms * 1'000'000;
    job.setting.mapping = mapping;
    o.add_job(job);
    o.app[0].finished = 1;
  }
  o.app[0].setting.mapping = o.app[0].last_setting.mapping = mapping;
  return o;
}

TEST(Placement, FitsWith20PercentToSpare) {
  EXPECT_TRUE(RunQueues::fits(819, 1024));
  EXPECT_FALSE(RunQueues::fits(819.2, 1024));
}

TEST(Placement, CapacityFollowsPeakSpeed) {
  TinyWorld world;
  const Placement placement = placement_of(world, Placement::Kind::kEnergyAware);
  EXPECT_DOUBLE_EQ(placement.queues().capacity(0), 1024);
  EXPECT_DOUBLE_EQ(placement.queues().capacity(1), 256);  // half per MHz, half the MHz
}

TEST(Placement, ANewApplicationFillsBigCoresThenLittleOnes) {
  TinyWorld world;
  for (const auto& [threads, mapping] :
       {std::pair{1, "bigx1"}, {2, "bigx2"}, {4, "bigx2+littlex2"}}) {
    world.scenario.apps[0].threads = threads;
    Placement placement = placement_of(world, Placement::Kind::kIdleSibling);
    EXPECT_EQ(world.platform.mappings[place(placement, world.idle())].name, mapping);
  }
}

TEST(Placement, ASecondNewApplicationGetsWhatIsFree) {
  TinyWorld world;
  world.scenario.apps.push_back(world.scenario.apps[0]);
  world.scenario.apps[0].threads = 2;
  world.scenario.apps[1].threads = 2;
  Placement placement = placement_of(world, Placement::Kind::kIdleSibling);
  EXPECT_EQ(world.platform.mappings[place(placement, world.idle(), 0)].name, "bigx2");
  EXPECT_EQ(world.platform.mappings[place(placement, world.idle(), 1)].name, "littlex2");
}

TEST(Placement, NoMappingForTheMixtureMeansBigCores) {
  TinyWorld world;
  world.scenario.apps[0].threads = 3;  // bigx2+littlex1 is not offered
  Placement placement = placement_of(world, Placement::Kind::kIdleSibling);
  EXPECT_EQ(world.platform.mappings[place(placement, world.idle())].name, "bigx2");
}

TEST(Placement, AnApplicationThatCannotRunOnBigCoresGoesWhereItCan) {
  TinyWorld world;
  world.platform.apps[0].unit[0].supported = false;
  Placement placement = placement_of(world, Placement::Kind::kIdleSibling);
  EXPECT_EQ(world.platform.mappings[place(placement, world.idle())].name, "littlex1");
}

/// Application 0 has run on `mapping` for `run_ms` of every 10 ms, for a second.
struct Settled {
  Settled(const TinyWorld& world, std::uint8_t mapping, std::int64_t run_ms)
      : placement(placement_of(world, Placement::Kind::kIdleSibling)) {
    for (std::int64_t ms = 10; ms <= 1000; ms += 10) {
      last = ran(world, ms, run_ms, mapping, 3);
      placement.observe(last);
    }
  }
  Placement placement;
  Observation last;
};

TEST(IdleSibling, StaysWhereItRanWhileItFits) {
  TinyWorld world;
  for (const std::uint8_t home : {0, 2}) {  // bigx1, littlex1
    Settled settled(world, home, 5);
    EXPECT_EQ(place(settled.placement, settled.last), home);
  }
}

TEST(IdleSibling, WhatDoesNotFitOnASmallCoreGoesToABigOne) {
  TinyWorld world;
  Settled settled(world, 2, 9);  // 90 % of a little core
  EXPECT_EQ(world.platform.mappings[place(settled.placement, settled.last)].name, "bigx1");
}

TEST(IdleSibling, WhatFitsNowhereGoesToTheBiggestThatIsIdle) {
  TinyWorld world;
  Settled settled(world, 0, 9);
  EXPECT_EQ(world.platform.mappings[place(settled.placement, settled.last)].name, "bigx1");
  // Somebody else keeps both big cores busy.
  Observation crowded = ran(world, 1010, 9, 2, 3);
  crowded.cluster[0].util_max = crowded.cluster[0].util_mean = 1;
  settled.placement.observe(crowded);
  EXPECT_EQ(world.platform.mappings[place(settled.placement, crowded)].name, "littlex1");
}

// Who sleeps takes no CPU from anybody: the last of five is not on a small core because four are listed
// before it.
TEST(IdleSibling, SleepersKeepNobodyOffTheBigCores) {
  TinyWorld world;
  for (int i = 0; i < 2; ++i) world.scenario.apps.push_back(world.scenario.apps[0]);
  Placement placement = placement_of(world, Placement::Kind::kIdleSibling);
  Observation now;
  for (std::int64_t ms = 10; ms <= 1000; ms += 10) {
    now = ran(world, ms, 2, 0,
              3);  // the first on a big core, the second too, the third on a little one
    JobRecord job = now.jobs()[0];
    job.app = 1;
    now.add_job(job);
    job.app = 2;
    job.start_ns = (ms - 9) * 1'000'000;
    job.setting.mapping = 2;
    now.add_job(job);
    for (int a = 1; a < 3; ++a) now.app[a].finished = 1;
    now.cluster[0].util_max = now.cluster[0].util_mean = 0.2;
    now.cluster[1].util_max = 0.9;
    now.cluster[1].util_mean = 0.45;
    placement.observe(now);
  }
  EXPECT_EQ(world.platform.mappings[place(placement, now, 2)].name, "bigx1");
  // Unless they wake at the same instant, one after the other.
  now = world.idle(1'020'000'000, 20'000'000);
  for (int a = 0; a < 3; ++a) now.app[a].released = 1;
  placement.observe(now);
  EXPECT_EQ(world.platform.mappings[place(placement, now, 2)].name, "littlex1");
}

TEST(IdleSibling, WhereNothingIsIdleItStays) {
  TinyWorld world;
  Settled settled(world, 2, 5);
  Observation crowded = ran(world, 1010, 5, 2, 3);
  for (int c = 0; c < 2; ++c) crowded.cluster[c].util_max = crowded.cluster[c].util_mean = 1;
  settled.placement.observe(crowded);
  EXPECT_EQ(world.platform.mappings[place(settled.placement, crowded)].name, "littlex1");
}

/// The names of the mappings that the jobs of a stream ran on under schedutil, in order.
std::vector<std::string> homes(const TinyWorld& world, int app = 0) {
  std::vector<std::string> names;
  ClosedLoop loop(world, "schedutil");
  while (loop.step()) {
    for (const JobRecord& job : loop.now.jobs())
      if (job.app == app) names.push_back(world.platform.mappings[job.setting.mapping].name);
  }
  return names;
}
TinyWorld stream(double mcycles, int threads = 1) {
  TinyWorld world;
  world.platform.apps[0].unit[0].mcycles = mcycles;
  world.platform.apps[0].unit[1].mcycles = 2 * mcycles;
  world.scenario.apps[0].threads = threads;
  return world;
}
const auto kSettled = [](const std::vector<std::string>& names) {
  return std::set<std::string>(names.begin() + 20, names.end());
};
using Names = std::set<std::string>;

TEST(EnergyAware, ALightTaskStartsBigAndEndsUpOnALittleCore) {
  const std::vector<std::string> names = homes(stream(1));
  ASSERT_GT(names.size(), 200U);
  EXPECT_EQ(names.front(), "bigx1") << "fork places by load";
  EXPECT_EQ(kSettled(names), Names{"littlex1"});
}

TEST(EnergyAware, AHeavyTaskEndsUpOnABigCore) {
  EXPECT_EQ(kSettled(homes(stream(40))), Names{"bigx1"});
}

TEST(EnergyAware, FourLightThreadsStayPut) {
  const std::vector<std::string> names = homes(stream(1, 4));
  ASSERT_GT(names.size(), 200U);
  EXPECT_EQ(kSettled(names), Names{"littlex2"}) << "two a core";
}

TEST(EnergyAware, FourThreadsOnTheXu3SettleAndMissNothing) {
  TinyWorld world;
  world.platform = load_platform("odroid_xu3");
  world.scenario = load_scenario("full_accuracy", world.platform);
  world.scenario.apps[0].threads = 4;
  ClosedLoop loop(world, "schedutil");
  Names settled;
  int jobs = 0;
  while (loop.step()) {
    for (const JobRecord& job : loop.now.jobs()) {
      EXPECT_FALSE(job.missed) << "job " << job.sequence;
      if (++jobs > 30) settled.insert(world.platform.mappings[job.setting.mapping].name);
    }
  }
  EXPECT_GT(jobs, 100);
  EXPECT_EQ(settled.size(), 1U);
}

TEST(EnergyAware, ATaskThatGrowsHeavyMovesUpAndTheLightOneStays) {
  TinyWorld world;
  world.scenario.apps.push_back(world.scenario.apps[0]);
  Placement placement = placement_of(world, Placement::Kind::kEnergyAware);
  // Both run on LITTLE cores at 1000 MHz, a CPU each; `first` and `second` of every 10 ms.
  std::int64_t ms = 0;
  const auto run = [&](std::int64_t first, std::int64_t second) {
    ms += 10;
    Observation now = ran(world, ms, first, 2, 1);
    JobRecord job = now.jobs()[0];
    job.app = 1;
    job.start_ns = (ms - second) * 1'000'000;
    now.add_job(job);
    now.app[1].finished = 1;
    now.app[1].setting = now.app[0].setting;
    now.cluster[1].util_max = static_cast<double>(std::max(first, second)) / 10;
    now.cluster[1].util_mean = static_cast<double>(first + second) / 20;
    placement.observe(now);
    Action action;
    placement.place(now, action);
    return Names{world.platform.mappings[action.app[0].mapping].name + "/" +
                 world.platform.mappings[action.app[1].mapping].name};
  };
  for (int i = 0; i < 100; ++i) run(1, 1);
  EXPECT_EQ(run(1, 1), Names{"littlex1/littlex1"});
  for (int i = 0; i < 20; ++i) run(7, 1);
  EXPECT_EQ(run(7, 1), Names{"littlex1/littlex1"}) << "70 % of a small core still fit";
  for (int i = 0; i < 20; ++i) run(9, 1);
  placement.observe(world.idle((ms += 200) * 1'000'000, 200'000'000));
  Action action;
  placement.place(world.release(ms * 1'000'000), action);
  EXPECT_EQ(world.platform.mappings[action.app[0].mapping].name, "bigx1");
  EXPECT_EQ(world.platform.mappings[action.app[1].mapping].name, "littlex1");
}

TEST(EnergyAware, TheKernelsModelDecidesAndNotTheTruth) {
  TinyWorld world = stream(1);
  world.platform.clusters[0].dynamic_power_coefficient = 100;
  world.platform.clusters[1].dynamic_power_coefficient = 1000;
  EXPECT_EQ(kSettled(homes(world)), Names{"bigx1"});
}

TEST(EnergyAware, OneOverutilisedCpuEndsItForAll) {
  TinyWorld world = stream(1);
  world.scenario.background = {{.name = "hog",
                                .cluster = 1,
                                .cores = 1,
                                .core_nf = 0.1,
                                .start_ns = 0,
                                .stop_ns = world.scenario.duration_ns}};
  EXPECT_EQ(kSettled(homes(world)), Names{"bigx1"}) << "though the other small core is free";
  world.scenario.background[0].cores = 0.5;
  EXPECT_EQ(kSettled(homes(world)), Names{"littlex1"});
}

TEST(EnergyAware, NeedsCpusOfDifferentCapacity) {
  TinyWorld world = stream(1);
  world.platform.clusters[1].opps.back().freq_khz = 2'000'000;
  world.platform.clusters[1].capacity_per_mhz = 1024;
  EXPECT_EQ(kSettled(homes(world)), Names{"bigx1"}) << "by load, which is the same everywhere";
}

TEST(EnergyModel, CoefficientsOfTheDeviceTreeOrOfTheApplications) {
  const PlatformSpec xu3 = load_platform("odroid_xu3");
  const EnergyModel given(xu3);
  EXPECT_DOUBLE_EQ(given.coefficient(xu3.find_cluster("A15")), 310);
  EXPECT_DOUBLE_EQ(given.coefficient(xu3.find_cluster("A7")), 90);
  const EnergyModel derived(tiny_platform());  // 0.6 and 0.12 nF
  EXPECT_DOUBLE_EQ(derived.coefficient(0), 600);
  EXPECT_DOUBLE_EQ(derived.coefficient(1), 120);
}

TEST(EnergyModel, EnergyGrowsWithWorkAndWithTheClockOfTheBusiestCpu) {
  const PlatformSpec platform = tiny_platform();
  const EnergyModel model(platform);
  EXPECT_DOUBLE_EQ(model.energy(0, 100, 200, 1024), 2 * model.energy(0, 100, 100, 1024));
  // 1.25 * 800 of 1024 at 2000 MHz ask for 1953 MHz at 1.2 V; 100 of it for 500 MHz at 0.8 V.
  EXPECT_NEAR(model.energy(0, 800, 100, 1024) / model.energy(0, 100, 100, 1024),
              1.2 * 1.2 / (0.8 * 0.8), 1e-12);
}

TEST(RunQueues, HelpersOfASerialJobNeedNothing) {
  for (const double fraction : {0.0, 1.0}) {
    TinyWorld world;
    world.scenario.apps[0].threads = 2;
    world.platform.apps[0].parallel_fraction = fraction;
    RunQueues queues = with_apps<RunQueues>(world);
    for (int i = 1; i <= 100; ++i) {
      Observation now = ran(world, 10 * i, 5, 1, 3);
      now.cluster[0].util_mean = fraction > 0 ? 0.5 : 0.25;
      queues.observe(now);
    }
    const auto& tasks = queues.app(0).tasks;
    EXPECT_NE(tasks[0].cpu, tasks[1].cpu);
    EXPECT_GT(tasks[0].est.value(), 500);
    EXPECT_NEAR(tasks[1].est.value(), fraction * tasks[0].est.value(), 10)
        << "but for what is left of a new task's half";
    EXPECT_NEAR(queues.cluster_util(0), tasks[0].util.util(), 1e-9) << "the busiest CPU";
  }
}

TEST(RunQueues, WhatNobodyGovernedDidIsOtherLoadOnOtherCpus) {
  TinyWorld world;
  RunQueues queues = with_apps<RunQueues>(world);
  for (int i = 1; i <= 100; ++i) {
    Observation now = ran(world, 10 * i, 2, 0, 3);
    now.cluster[0].util_max = 0.6;
    now.cluster[0].util_mean = (0.2 + 0.6) / 2;
    queues.observe(now);
  }
  const int home = queues.app(0).tasks[0].cpu;
  EXPECT_NEAR(queues.other_share(1 - home), 0.6, 1e-9);
  EXPECT_NEAR(queues.other_share(home), 0, 1e-9);
  EXPECT_NEAR(queues.cluster_util(0), 0.6 * 1024, 5);
}

TEST(RunningShare, CountsFinishedAndWaitingJobs) {
  TinyWorld world;
  Observation o = ran(world, 20, 4, 0, 0);  // 16 .. 20 ms of the epoch 10 .. 20 ms
  EXPECT_DOUBLE_EQ(running_share(o, 0), 0.4);
  o = world.release(20'000'000, 10'000'000);
  EXPECT_DOUBLE_EQ(running_share(o, 0), 0) << "released just now";
  o.app[0].running.start_ns = 13'000'000;
  EXPECT_DOUBLE_EQ(running_share(o, 0), 0.7);
  o.app[0].running.start_ns = 0;
  EXPECT_DOUBLE_EQ(running_share(o, 0), 1);
  o.app[0].running.busy = false;
  o.app[0].waiting_count = 1;
  EXPECT_DOUBLE_EQ(running_share(o, 0), 0) << "it waits";
}

}  // namespace
}  // namespace flyball
