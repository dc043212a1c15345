#include "agents/placement.h"

#include <gtest/gtest.h>

#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

int place(const TinyWorld& world, Placement& placement, const Observation& now, int app = 0) {
  Action action;
  placement.place(now, action);
  EXPECT_EQ(action.app[app].level, 3) << "full width";
  return action.app[app].mapping;
  (void)world;
}

/// A job of application 0 that ran for `run_ms` at the end of an epoch of 10 ms, on `mapping`.
Observation ran(const TinyWorld& world, std::int64_t now_ms, std::int64_t run_ms,
                std::uint8_t mapping, int opp) {
  Observation o = world.idle(now_ms * 1'000'000, 10'000'000);
  for (int c = 0; c < 2; ++c)
    world.set_opp(o, c, std::min(opp, world.platform.clusters[c].max_opp()));
  if (run_ms > 0) {
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
  EXPECT_TRUE(Placement::fits(819, 1024));
  EXPECT_FALSE(Placement::fits(819.2, 1024));
}

TEST(Placement, CapacityFollowsPeakSpeed) {
  TinyWorld world;
  const Placement placement(Placement::Kind::kEnergyAware, world.platform, world.scenario);
  EXPECT_DOUBLE_EQ(placement.capacity(0), 1024);
  EXPECT_DOUBLE_EQ(placement.capacity(1), 256);  // half per MHz, half the MHz
}

TEST(Placement, BigFirstFillsBigCoresThenLittleOnes) {
  TinyWorld world;
  for (const auto& [threads, mapping] :
       {std::pair{1, "bigx1"}, {2, "bigx2"}, {4, "bigx2+littlex2"}}) {
    world.scenario.apps[0].threads = threads;
    Placement placement(Placement::Kind::kBigFirst, world.platform, world.scenario);
    EXPECT_EQ(world.platform.mappings[place(world, placement, world.idle())].name, mapping);
  }
}

TEST(Placement, BigFirstGivesTheSecondApplicationWhatIsFree) {
  TinyWorld world;
  world.scenario.apps.push_back(world.scenario.apps[0]);
  world.scenario.apps[0].threads = 2;
  world.scenario.apps[1].threads = 2;
  Placement placement(Placement::Kind::kBigFirst, world.platform, world.scenario);
  EXPECT_EQ(world.platform.mappings[place(world, placement, world.idle(), 0)].name, "bigx2");
  EXPECT_EQ(world.platform.mappings[place(world, placement, world.idle(), 1)].name, "littlex2");
}

TEST(Placement, NoMappingForTheMixtureMeansBigCores) {
  TinyWorld world;
  world.scenario.apps[0].threads = 3;  // bigx2+littlex1 is not offered
  Placement placement(Placement::Kind::kBigFirst, world.platform, world.scenario);
  EXPECT_EQ(world.platform.mappings[place(world, placement, world.idle())].name, "bigx2");
}

TEST(Placement, AnApplicationThatCannotRunOnBigCoresGoesWhereItCan) {
  TinyWorld world;
  world.platform.apps[0].unit[0].supported = false;
  Placement placement(Placement::Kind::kBigFirst, world.platform, world.scenario);
  EXPECT_EQ(world.platform.mappings[place(world, placement, world.idle())].name, "littlex1");
}

TEST(Placement, EnergyAwareStartsBigAndMovesALightTaskToALittleCore) {
  TinyWorld world;
  Placement placement(Placement::Kind::kEnergyAware, world.platform, world.scenario);
  // A new task counts as half of a big core until something is known of it: 512 * 1.25 > 256.
  EXPECT_EQ(world.platform.mappings[place(world, placement, world.idle())].name, "bigx1");
  // 1 ms of 10 at 500 of 2000 MHz: the signal settles near 26, and 26 * 1.25 < 256.
  Observation now = world.idle();
  for (int i = 1; i <= 100; ++i) placement.observe(now = ran(world, 10 * i, 1, 0, 0));
  EXPECT_NEAR(placement.utilisation(0), 25.6, 0.5);
  EXPECT_EQ(world.platform.mappings[place(world, placement, now)].name, "littlex1");
}

TEST(Placement, EnergyAwareMovesATaskThatFillsALittleCoreUp) {
  TinyWorld world;
  Placement placement(Placement::Kind::kEnergyAware, world.platform, world.scenario);
  Observation now = world.idle();
  for (int i = 1; i <= 200; ++i) placement.observe(now = ran(world, 10 * i, 10, 2, 1));
  EXPECT_NEAR(placement.utilisation(0), 256, 1) << "no more than the core can give";
  EXPECT_EQ(world.platform.mappings[place(world, placement, now)].name, "bigx1");
}

TEST(Placement, EnergyAwareAvoidsLittleCoresThatOtherLoadFills) {
  TinyWorld world;
  Placement placement(Placement::Kind::kEnergyAware, world.platform, world.scenario);
  Observation now = world.idle();
  for (int i = 1; i <= 100; ++i) placement.observe(now = ran(world, 10 * i, 1, 0, 0));
  now.cluster[1].util_max = now.cluster[1].util_mean = 1;
  EXPECT_EQ(world.platform.mappings[place(world, placement, now)].name, "bigx1");
  now.cluster[1].util_mean = 0.5;  // one of two is free
  EXPECT_EQ(world.platform.mappings[place(world, placement, now)].name, "littlex1");
}

TEST(RunningShare, CountsFinishedAndWaitingJobs) {
  TinyWorld world;
  Observation o = ran(world, 20, 4, 0, 0);  // 16 .. 20 ms of the epoch 10 .. 20 ms
  EXPECT_DOUBLE_EQ(running_share(o, 0), 0.4);
  o = world.release(20'000'000, 10'000'000);
  EXPECT_DOUBLE_EQ(running_share(o, 0), 0) << "released just now";
  o.app[0].oldest_release_ns = 13'000'000;
  EXPECT_DOUBLE_EQ(running_share(o, 0), 0.7);
  o.app[0].oldest_release_ns = 0;
  EXPECT_DOUBLE_EQ(running_share(o, 0), 1);
}

}  // namespace
}  // namespace flyball
