#include <gtest/gtest.h>

#include "tests/env/round_board.h"

namespace flyball {
namespace {

using Kind = ScenarioEvent::Kind;

TEST(SimEvents, RequirementsChangeForTheJobsReleasedFromThenOn) {
  const PlatformSpec spec = round_board();
  Scenario scenario = of_apps({stream("camera", 200, 100)});
  Requirements harder = scenario.apps[0].required;
  harder.deadline_ns = 40 * kMs;
  harder.accuracy_floor_pct = 65;
  harder.priority = 3;
  scenario.events.push_back({410 * kMs, Kind::kRequirements, 0, harder, 0});
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec));  // 50 ms a job
  Observation out;
  sim.observe(out);
  std::vector<JobRecord> jobs = play(sim, 800);
  sim.observe(out);
  EXPECT_EQ(out.app[0].required, harder);
  ASSERT_EQ(jobs.size(), 4u);
  EXPECT_FALSE(jobs[2].missed);  // released at 400, before the change
  EXPECT_EQ(jobs[2].deadline_ns, 500 * kMs);
  EXPECT_TRUE(jobs[3].missed);
  EXPECT_FALSE(jobs[3].infeasible);
  EXPECT_FLOAT_EQ(jobs[3].accuracy_floor_pct, 65);
}

TEST(SimEvents, ThePeriodChangesAfterTheNextRelease) {
  const PlatformSpec spec = round_board();
  Scenario scenario = of_apps({stream("camera", 100, 100)});
  scenario.events.push_back({250 * kMs, Kind::kPeriod, 0, {}, 30e6});
  Simulator sim(spec, scenario);
  Action action = big_core(spec);
  action.app[0].mapping = mapping_of(spec, kBig, 4);
  sim.apply(action);
  const auto jobs = play(sim, 400);
  ASSERT_GE(jobs.size(), 6u);
  const std::int64_t expected_ms[] = {0, 100, 200, 300, 330, 360};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(jobs[i].release_ns, expected_ms[i] * kMs);
  Observation out;
  sim.observe(out);
  EXPECT_EQ(out.app[0].required.period_ns, 30 * kMs);
  EXPECT_EQ(out.app[0].required.deadline_ns, 100 * kMs) << "nothing else has changed";
}

TEST(SimEvents, APeriodIsThatOfOneJobOfABurstAndNoneOfAPoissonStream) {
  const PlatformSpec spec = round_board();
  AppSpec burst = stream("burst", 300, 100), poisson = stream("poisson", 300, 100);
  burst.arrival.kind = Arrival::Kind::kBursty;
  burst.arrival.burst_jobs = 3;
  burst.arrival.burst_gap_ns = 10 * kMs;
  poisson.arrival.kind = Arrival::Kind::kPoisson;
  poisson.required.period_ns = 0;
  Scenario scenario = of_apps({burst, poisson});
  scenario.events.push_back({50 * kMs, Kind::kPeriod, 0, {}, 150e6});
  scenario.events.push_back({50 * kMs, Kind::kPeriod, 1, {}, 150e6});
  Simulator sim(spec, scenario);
  Observation out;
  sim.advance(ms(60), out);
  EXPECT_EQ(out.app[0].required.period_ns, 50 * kMs);
  EXPECT_EQ(out.app[1].required.period_ns, 0);
}

TEST(SimEvents, AmbientPreferenceAndBattery) {
  const PlatformSpec spec = round_board();
  Scenario scenario = of_apps({stream("camera", 100, 100)});
  scenario.battery_mj = 1e9;
  scenario.battery_pct = 90;
  scenario.energy_preference = 0.25;
  scenario.events.push_back({100 * kMs, Kind::kPreference, -1, {}, 0.75});
  scenario.events.push_back({200 * kMs, Kind::kBattery, -1, {}, 20});
  scenario.events.push_back({300 * kMs, Kind::kAmbient, -1, {}, 40});
  Simulator sim(spec, scenario);
  Observation out;
  sim.observe(out);
  EXPECT_EQ(out.energy_preference, 0.25);
  EXPECT_EQ(out.battery_pct, 90);
  sim.advance(ms(150), out);
  EXPECT_EQ(out.energy_preference, 0.75);
  EXPECT_NEAR(out.battery_pct, 90, 0.01);
  sim.advance(ms(100), out);
  EXPECT_NEAR(out.battery_pct, 20, 0.01);
  const double before_c = out.cluster[kLittle].temp_c;
  sim.advance(ms(100), out);
  EXPECT_NEAR(out.cluster[kLittle].temp_c, before_c + 15, 0.5);
}

TEST(SimEvents, ApplicationsStartAndStop) {
  const PlatformSpec spec = round_board();
  AppSpec late = stream("late", 100, 100);
  late.start_ns = 250 * kMs;
  late.stop_ns = 450 * kMs;
  const Scenario scenario = of_apps({stream("camera", 100, 100), late});
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec, 1, 2));
  Observation out;
  sim.advance(ms(240), out);
  EXPECT_TRUE(out.app[0].active);
  EXPECT_FALSE(out.app[1].active);
  EXPECT_EQ(out.app[1].released, 0u);
  sim.advance(ms(200), out);
  EXPECT_TRUE(out.app[1].active);
  EXPECT_EQ(out.app[1].released, 2u);
  sim.advance(ms(200), out);
  EXPECT_FALSE(out.app[1].active);
  EXPECT_EQ(out.app[1].released, 0u);
}

TEST(SimEvents, BackgroundShowsInPowerWhileItRuns) {
  const PlatformSpec spec = round_board();
  Scenario scenario = of_apps({stream("camera", 5000, 5000)});
  scenario.apps[0].start_ns = 5000 * kMs;
  scenario.background.push_back({"build", kBig, 2, 0.6, 0, 100 * kMs, 200 * kMs});
  Simulator sim(spec, scenario);
  Observation quiet, loud, after;
  sim.advance(ms(100), quiet);
  sim.advance(ms(100), loud);
  sim.advance(ms(100), after);
  // Two cores of 0.6 nF in place of two idle ones of 0.05 at 1 V and 1000 MHz: 1100 mW.
  EXPECT_NEAR(loud.power_mw - quiet.power_mw, 1100, 10);
  EXPECT_NEAR(after.power_mw, quiet.power_mw, 10);
}

}  // namespace
}  // namespace flyball
