#include <gtest/gtest.h>

#include "env/model/content_hash.h"
#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/spaces/monitors.h"
#include "tests/env/network_levels.h"
#include "tests/env/round_board.h"

// The width knob with precision: a level is a width in fp32 or int8.

namespace flyball {
namespace {

/// Widths 50 and 100, each in int8 and in fp32; int8 takes 0.6 of the time.
PlatformSpec board_with_int8() {
  PlatformSpec spec = round_board();
  give_widths(spec.apps[0], {{50, 0.3, 1, 59, "test", true},
                             {50, 0.5, 1, 60, "test"},
                             {100, 0.6, 1, 69, "test", true},
                             {100, 1, 1, 70, "test"}});
  return spec;
}

TEST(Levels, KnowTheirNetworkWidth) {
  const AppProfile app = board_with_int8().apps[0];
  for (const int level : {0, 1, 2, 3}) {
    const NetworkLevel of = network_level(app, level);
    EXPECT_EQ(of.width, level / 2);
    EXPECT_EQ(of.width_pct, level < 2 ? 50 : 100);
    EXPECT_EQ(of.int8, level % 2 == 0);
  }
  EXPECT_EQ(network_level(round_board().apps[0], 1).width, 1);
  EXPECT_FALSE(network_level(round_board().apps[0], 0).int8);
}

// int8 may be the quicker way to an accuracy than a narrower fp32, or the other way round.
TEST(Levels, TheQuickestThatIsAccurateEnoughIsChosen) {
  AppProfile app = board_with_int8().apps[0];
  EXPECT_EQ(app.level_for(0), 0);
  EXPECT_EQ(app.level_for(59.5), 1);
  EXPECT_EQ(app.level_for(60.5), 2);
  EXPECT_EQ(app.level_for(69.5), 3);
  EXPECT_EQ(app.level_for(90), 3) << "none reaches it: the most accurate";
  app.levels[2].time_factor = 0.45;
  EXPECT_EQ(app.level_for(59.5), 2) << "the whole network in int8 before half of it in fp32";
  app.levels[2].time_factor = 0.5;
  EXPECT_EQ(app.level_for(59.5), 2) << "of two that are equally quick the more accurate";
  app.levels[2].accuracy_pct = 70.5;
  EXPECT_EQ(app.level_for(90), 2);
  EXPECT_DOUBLE_EQ(app.attainable_pct(90), 70.5);
  EXPECT_DOUBLE_EQ(app.attainable_pct(10), 10);
}

TEST(Levels, NeverDearerLooksAtEveryNumberOfCores) {
  AppProfile app = board_with_int8().apps[0];
  EXPECT_TRUE(app.never_dearer(0, 1));
  EXPECT_FALSE(app.never_dearer(1, 0));
  EXPECT_TRUE(app.never_dearer(2, 2));
  // On two cores 0.3 becomes 0.3, and 0.5 becomes 0.25.
  app.levels[0].parallel_fraction = {0};
  app.levels[1].parallel_fraction = {1};
  EXPECT_FALSE(app.never_dearer(0, 1));
  app = board_with_int8().apps[0];
  app.levels[0].activity_factor = 2;  // 0.3 of the time at twice the power
  EXPECT_FALSE(app.never_dearer(0, 1));
}

// 100 ms on one core at 1000 MHz; a measured half of it spreads over two cores, and 0.9 over three.
TEST(Levels, AMeasuredSpeedUpReplacesTheApplicationsOwn) {
  PlatformSpec spec = board_with_int8();
  AppProfile& app = spec.apps[0];
  app.levels[3].parallel_fraction = {0.5, 0.9};
  const auto ms = [&](int cores) {
    return execution_ns(spec, app, spec.mappings[spec.find_mapping(kBig, cores)], 3, OppChoice{}) *
           1e-6;
  };
  EXPECT_NEAR(ms(1), 100, 1e-9);
  EXPECT_NEAR(ms(2), 75, 1e-9);
  EXPECT_NEAR(ms(3), 40, 1e-9);
  EXPECT_NEAR(ms(4), 10 + 90 / 4.0, 1e-9);  // the last one holds
  // Half of the time one core is busy, half of it two.
  const auto load = job_load(spec, app, spec.mappings[spec.find_mapping(kBig, 2)], 3, OppChoice{});
  EXPECT_NEAR(load[kBig].busy_cores, (50 * 1 + 25 * 2) / 75.0, 1e-9);
}

TEST(Levels, TheKnobAndTheHashTellPrecisionsApart) {
  const PlatformSpec spec = board_with_int8();
  const Scenario scenario = of_apps({stream("camera", 100, 80)});
  const Simulator sim(spec, scenario);
  const std::vector<KnobSpec> knobs = knobs_of(spec, 0, sim.binding(0));
  const KnobSpec& knob = knobs.back();
  EXPECT_EQ(knob.kind, KnobSpec::Kind::kLevel);
  EXPECT_EQ(knob.values, (std::vector<std::string>{"50 int8", "50", "100 int8", "100"}));
  PlatformSpec swapped = board_with_int8();
  swapped.apps[0].levels[0].knob[1] = 1;
  EXPECT_NE(content_hash(swapped, swapped.apps[0]), content_hash(spec, spec.apps[0]));
}

// At 2000 MHz one core needs 50 ms for the whole network in fp32; four of them need 12.5, and 7.5
// in int8. A job that runs on one core misses all of these deadlines, but not all had to be missed.
TEST(Levels, AJobIsFeasibleIfAnyLevelIs) {
  const PlatformSpec spec = board_with_int8();
  const auto infeasible = [&](double deadline_ms, double floor_pct) {
    Scenario scenario = of_apps({stream("camera", 100, deadline_ms)});
    scenario.apps[0].required.accuracy_floor_pct = floor_pct;
    Simulator sim(spec, scenario);
    Action action = big_core(spec);
    action.app[0].level = 3;
    sim.apply(action);
    const std::vector<JobRecord> jobs = play(sim, 90);
    EXPECT_EQ(jobs.size(), 1u);
    EXPECT_TRUE(jobs.front().missed);
    return jobs.front().infeasible;
  };
  EXPECT_FALSE(infeasible(13, 70));
  EXPECT_TRUE(infeasible(8, 70));
  EXPECT_FALSE(infeasible(8, 69));
}

}  // namespace
}  // namespace flyball
