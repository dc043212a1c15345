#include "env/spaces/spaces.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/env/round_board.h"

namespace flyball {
namespace {

const MonitorSpec& monitor(const Spaces& spaces, const std::string& name) {
  for (const MonitorSpec& m : spaces.monitors) {
    if (m.name == name) return m;
  }
  static const MonitorSpec kNone{};
  ADD_FAILURE() << "no monitor " << name;
  return kNone;
}

TEST(Spaces, KnobsAreTheFrequenciesMappingsAndWidths) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 100, 80), stream("audio", 50, 40)});
  const Spaces spaces = Spaces::of(spec, scenario);
  ASSERT_EQ(spaces.knobs.size(), 6u);
  EXPECT_EQ(spaces.knobs[0].name, "big.freq");
  EXPECT_EQ(spaces.knobs[0].unit, "kHz");
  EXPECT_EQ(spaces.knobs[1].values, (std::vector<std::string>{"500000", "1000000"}));
  EXPECT_EQ(spaces.knobs[2].name, "camera.mapping");
  EXPECT_EQ(spaces.knobs[2].values.size(), spec.mappings.size());
  EXPECT_EQ(spaces.knobs[2].values[1], "bigx2");
  EXPECT_EQ(spaces.knobs[5].name, "audio.width");
  EXPECT_EQ(spaces.knobs[5].unit, "%");
  EXPECT_EQ(spaces.knobs[5].values, (std::vector<std::string>{"50", "100"}));

  Action action;
  action.opp = {1, 0};
  action.app[0] = {3, 1};
  action.app[1] = {5, 0};
  const int expected[] = {1, 0, 3, 1, 5, 0};
  for (int k = 0; k < 6; ++k) EXPECT_EQ(setting_of(spaces.knobs[k], action), expected[k]);
}

TEST(Spaces, MonitorsCarryUnitDirectionRangeAndWeight) {
  PlatformSpec spec = round_board();
  spec.trips.push_back({});
  spec.trips[0].kind = TripPoint::Kind::kStepDown;
  spec.trips[0].cluster = kBig;
  spec.trips[0].temp_c = 70;
  Scenario scenario = of_apps({stream("camera", 100, 80)});
  scenario.apps[0].required.accuracy_floor_pct = 65;
  scenario.apps[0].required.power_budget_mw = 1500;
  scenario.apps[0].required.priority = 2;
  const Spaces spaces = Spaces::of(spec, scenario);
  const MonitorSpec& power = monitor(spaces, "power");
  EXPECT_EQ(power.unit, "mW");
  EXPECT_EQ(power.direction, MonitorSpec::Direction::kLowerIsBetter);
  EXPECT_EQ(power.desired_max, 1500);
  EXPECT_EQ(power.weight, 1);
  EXPECT_EQ(monitor(spaces, "big.temp").desired_max, 65);
  EXPECT_EQ(monitor(spaces, "little.temp").desired_max, 80);
  EXPECT_EQ(monitor(spaces, "camera.latency").desired_max, 80);
  EXPECT_EQ(monitor(spaces, "camera.latency").unit, "ms");
  EXPECT_EQ(monitor(spaces, "camera.misses").weight, 6);
  EXPECT_EQ(monitor(spaces, "camera.accuracy").desired_min, 65);
  EXPECT_EQ(monitor(spaces, "camera.accuracy").direction, MonitorSpec::Direction::kHigherIsBetter);
  EXPECT_EQ(monitor(spaces, "little.freq").desired_max, 1'000'000);
}

TEST(Spaces, ReadsEveryMonitorFromAnObservation) {
  const PlatformSpec spec = round_board();
  const Spaces spaces = Spaces::of(spec, of_apps({stream("camera", 100, 80)}));
  Observation out;
  out.sequence = 9;
  out.now_ns = 1234;
  out.power_mw = 700;
  out.battery_pct = 33;
  out.cluster[kBig] = {2'000'000, 0.5, 0.25, 600, 61, 1, 1};
  out.app[0].last_latency_ns = 42 * kMs;
  out.app[0].missed = 2;
  out.app[0].backlog = 3;
  JobRecord job;
  job.accuracy_pct = 60;
  out.add_job(job);
  job.accuracy_pct = 70;
  out.add_job(job);
  job.dropped = true;
  job.accuracy_pct = 0;
  out.add_job(job);
  const auto value = [&](const char* name) { return read(monitor(spaces, name), out).value; };
  EXPECT_EQ(value("power"), 700);
  EXPECT_EQ(value("battery"), 33);
  EXPECT_EQ(value("big.freq"), 2'000'000);
  EXPECT_EQ(value("big.util"), 50);
  EXPECT_EQ(value("big.power"), 600);
  EXPECT_EQ(value("big.temp"), 61);
  EXPECT_EQ(value("camera.latency"), 42);
  EXPECT_EQ(value("camera.misses"), 2);
  EXPECT_EQ(value("camera.accuracy"), 65);
  EXPECT_EQ(value("camera.backlog"), 3);
  const Reading reading = read(spaces.monitors[0], out);
  EXPECT_EQ(reading.stamp_ns, 1234);
  EXPECT_EQ(reading.sequence, 9u);
}

TEST(Spaces, TheHashIsOfTheStructure) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 100, 80)});
  const std::uint64_t hash = Spaces::of(spec, scenario).hash;
  EXPECT_EQ(Spaces::of(spec, scenario).hash, hash);

  // Another scenario of the same shape: other names, times and requirements.
  Scenario other = of_apps({stream("door", 500, 20)}, 99);
  other.name = "other";
  other.ambient_c = 40;
  other.apps[0].required.accuracy_floor_pct = 70;
  EXPECT_EQ(Spaces::of(spec, other).hash, hash);

  EXPECT_NE(Spaces::of(spec, of_apps({stream("a", 1, 1), stream("b", 1, 1)})).hash, hash);
  PlatformSpec changed = spec;
  changed.clusters[0].opps[1].freq_khz += 1;
  EXPECT_NE(Spaces::of(changed, scenario).hash, hash);
  changed = spec;
  changed.mappings.pop_back();
  EXPECT_NE(Spaces::of(changed, scenario).hash, hash);
  changed = spec;
  changed.apps[0].levels[0].width_pct = 25;
  EXPECT_NE(Spaces::of(changed, scenario).hash, hash);
  changed = spec;
  changed.apps[0].name = "net2";
  EXPECT_NE(Spaces::of(changed, scenario).hash, hash);
}

}  // namespace
}  // namespace flyball
