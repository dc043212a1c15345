#include "env/model/thermal.h"

#include <gtest/gtest.h>

#include <cmath>

namespace flyball {
namespace {

/// Two clusters, one sensor each; the second answers like a board whose fan spins up.
PlatformSpec make_spec() {
  PlatformSpec spec;
  for (const char* name : {"big", "little"}) {
    ClusterSpec cluster;
    cluster.name = name;
    for (int mhz = 200; mhz <= 2000; mhz += 200) cluster.opps.push_back({mhz * 1000, 1000});
    spec.clusters.push_back(cluster);
  }
  spec.thermal = {{"big", 0, 10, {{4, 2}, {3, 60}}}, {"little", 1, 5, {{5, 4}, {-1.5, 60}}}};
  using Kind = TripPoint::Kind;
  spec.trips = {
      {.kind = Kind::kStepDown,
       .temp_c = 70,
       .hysteresis_c = 10,
       .cluster = 0,
       .node = 0,
       .steps = 2},
      {.kind = Kind::kCap,
       .temp_c = 85,
       .hysteresis_c = 10,
       .cluster = 0,
       .node = 0,
       .cap_khz = 700'000},
      {.kind = Kind::kCritical, .temp_c = 120, .hysteresis_c = 10, .cluster = 1, .node = 0}};
  return spec;
}

/// Settles the big sensor at `temp_c`: 25 C ambient, 10 K offset, 7 K/W.
void settle_big_at(const PlatformSpec& spec, double temp_c, ThermalState& state) {
  const auto tripped = state.tripped;
  thermal_reset(spec, 25, (temp_c - 35) / 7, state);
  state.tripped = tripped;
  ASSERT_NEAR(state.temp_c[0], temp_c, 1e-9);
}

TEST(Thermal, SettlesAtResistanceTimesPowerAboveAmbientAndOffset) {
  const PlatformSpec spec = make_spec();
  for (const double watts : {0.0, 1.0, 6.5}) {
    ThermalState state;
    thermal_reset(spec, 25, 0, state);
    thermal_advance(spec, watts, 3600, state);
    EXPECT_NEAR(state.temp_c[0], 25 + 10 + 7 * watts, 1e-6);
    EXPECT_NEAR(state.temp_c[1], 25 + 5 + 3.5 * watts, 1e-6);
    ThermalState settled;
    thermal_reset(spec, 25, watts, settled);
    EXPECT_NEAR(settled.temp_c[0], state.temp_c[0], 1e-6);
  }
}

TEST(Thermal, StepResponseIsTheSumOfItsExponentials) {
  const PlatformSpec spec = make_spec();
  ThermalState state;
  thermal_reset(spec, 25, 1, state);
  thermal_advance(spec, 6, 2, state);  // one time constant of the fast term
  const double expected =
      35 + 4 * (1 + 5 * (1 - std::exp(-1.0))) + 3 * (1 + 5 * (1 - std::exp(-2.0 / 60)));
  EXPECT_NEAR(state.temp_c[0], expected, 1e-9);
}

TEST(Thermal, SplittingAStepChangesNothing) {
  const PlatformSpec spec = make_spec();
  ThermalState whole, split;
  thermal_reset(spec, 30, 0.5, whole);
  split = whole;
  thermal_advance(spec, 4, 1, whole);
  for (int i = 0; i < 1000; ++i) thermal_advance(spec, 4, 0.001, split);
  for (int n = 0; n < 2; ++n) EXPECT_NEAR(split.temp_c[n], whole.temp_c[n], 1e-9);
}

TEST(Thermal, ANegativeTermLetsTheTemperatureOvershoot) {
  const PlatformSpec spec = make_spec();
  ThermalState state;
  thermal_reset(spec, 25, 0, state);
  thermal_advance(spec, 5, 15, state);
  const double after_15s = state.temp_c[1];
  thermal_advance(spec, 5, 600, state);
  EXPECT_GT(after_15s, state.temp_c[1] + 1);
}

TEST(Thermal, AWarmerAmbientShiftsEverything) {
  const PlatformSpec spec = make_spec();
  ThermalState state;
  thermal_reset(spec, 25, 2, state);
  const double before_c = state.temp_c[0];
  state.ambient_c = 40;
  thermal_advance(spec, 2, 0.05, state);
  EXPECT_NEAR(state.temp_c[0], before_c + 15, 1e-9);
}

TEST(Thermal, TripsHoldTheClusterUntilItIsCoolerByTheHysteresis) {
  const PlatformSpec spec = make_spec();  // ten OPPs, 200 to 2000 MHz
  ThermalState state;
  const auto cap_at = [&](double temp_c) {
    settle_big_at(spec, temp_c, state);
    thermal_poll_trips(spec, state);
    return static_cast<int>(state.opp_cap[0]);
  };
  EXPECT_EQ(cap_at(69.9), 9);
  EXPECT_EQ(cap_at(70.1), 7);  // two OPPs down
  EXPECT_EQ(cap_at(60.1), 7);  // not cool enough yet
  EXPECT_EQ(cap_at(59.9), 9);
  EXPECT_EQ(cap_at(85.1), 2);  // 600 MHz is the highest not above 700
  EXPECT_EQ(cap_at(75.1), 2);
  EXPECT_EQ(cap_at(74.9), 7);  // the second trip is left, the first is not
  EXPECT_EQ(cap_at(65.0), 7);
  EXPECT_EQ(cap_at(59.0), 9);
}

TEST(Thermal, ATripActsOnItsClusterAndWatchesItsSensor) {
  const PlatformSpec spec = make_spec();
  ThermalState state;
  settle_big_at(spec, 121, state);
  thermal_poll_trips(spec, state);
  // The little sensor is at 73 C: only the big one, which the trip watches, is critical.
  EXPECT_EQ(state.opp_cap[1], 0);
  settle_big_at(spec, 100, state);
  thermal_poll_trips(spec, state);
  EXPECT_EQ(state.opp_cap[1], 9);
  EXPECT_EQ(state.opp_cap[0], 2);
}

TEST(Thermal, AClusterWithoutSensorIsAtAmbient) {
  PlatformSpec spec = make_spec();
  spec.thermal.pop_back();
  ThermalState state;
  thermal_reset(spec, 31, 3, state);
  EXPECT_DOUBLE_EQ(cluster_temp_c(spec, state, 1), 31);
  EXPECT_DOUBLE_EQ(cluster_temp_c(spec, state, 0), state.temp_c[0]);
}

TEST(Thermal, TheHottestSensorOfAClusterCounts) {
  PlatformSpec spec = make_spec();
  spec.thermal[1].cluster = 0;
  ThermalState state;
  thermal_reset(spec, 25, 5, state);
  EXPECT_DOUBLE_EQ(cluster_temp_c(spec, state, 0), state.temp_c[0]);
  spec.thermal[1].offset_c = 50;
  thermal_reset(spec, 25, 5, state);
  EXPECT_DOUBLE_EQ(cluster_temp_c(spec, state, 0), state.temp_c[1]);
}

}  // namespace
}  // namespace flyball
