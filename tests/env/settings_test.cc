#include "env/ledger/settings.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/env/round_board.h"

// capture() and restore(): the knobs as text that a supervisor keeps.

namespace flyball {
namespace {

Scenario two_apps() {
  AppSpec later = stream("later", 100, 100);
  later.start_ns = 300 * kMs;
  return of_apps({stream("camera", 100, 100), later});
}

Action some_action(const PlatformSpec& spec) {
  Action action = big_core(spec, 1, 2);
  action.opp[kLittle] = 0;
  action.app[0] = {mapping_of(spec, kLittle, 3), 0};
  action.app[1] = {mapping_of(spec, kBig, 2), 1};
  return action;
}

std::string value_of(const std::vector<KnobSetting>& settings, const std::string& knob) {
  for (const KnobSetting& setting : settings) {
    if (setting.knob == knob) return setting.value;
  }
  return "none";
}

TEST(Settings, AreTheKnobsInForceOfEveryBoundSlot) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = two_apps();
  Simulator sim(spec, scenario);
  EXPECT_EQ(sim.capture(), (std::vector<KnobSetting>{{"big.freq", "1000000"},
                                                     {"little.freq", "500000"},
                                                     {"camera.mapping", "bigx1"},
                                                     {"camera.level", "100"}}))
      << "as the platform was found";
  sim.apply(some_action(spec));
  Observation out;
  sim.advance(ms(310), out);
  sim.apply(some_action(spec));  // the slot of 'later' is taken now
  sim.advance(ms(1), out);
  EXPECT_EQ(sim.capture(), (std::vector<KnobSetting>{{"big.freq", "2000000"},
                                                     {"little.freq", "500000"},
                                                     {"camera.mapping", "littlex3"},
                                                     {"camera.level", "50"},
                                                     {"later.mapping", "bigx2"},
                                                     {"later.level", "100"}}));
}

TEST(Settings, WhatWasCapturedCanBeRestored) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = two_apps();
  Simulator sim(spec, scenario);
  Observation out;
  sim.apply(some_action(spec));
  sim.advance(ms(310), out);
  const std::vector<KnobSetting> before = sim.capture();
  Action other = big_core(spec, 0, 2);
  other.app[1].level = 0;
  sim.apply(other);
  sim.advance(ms(100), out);
  ASSERT_NE(sim.capture(), before);
  const std::vector<KnobOutcome> outcomes = sim.restore(before);
  ASSERT_EQ(outcomes.size(), before.size());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].knob, before[i].knob);
    EXPECT_EQ(outcomes[i].asked, before[i].value);
    EXPECT_EQ(outcomes[i].error, 0);
  }
  // A clock takes its 0.1 ms: what is said to be in force is.
  EXPECT_EQ(before[0].knob, "big.freq");
  EXPECT_EQ(outcomes[0].in_force, "1000000");
  EXPECT_EQ(outcomes[2].in_force, before[2].value) << "a mapping holds at once";
  sim.advance(ms(100), out);
  EXPECT_EQ(sim.capture(), before);
}

// Asked and in force are not the same where heat or the application says no.
TEST(Settings, WhatIsInForceIsReadBack) {
  PlatformSpec spec = round_board();
  spec.clusters[kLittle].transition_latency_us = 0;
  TripPoint hot{TripPoint::Kind::kCap, 0, 1, kBig};  // it is above 0 C from the start
  hot.cap_khz = 1'000'000;
  spec.trips = {hot};
  spec.trip_poll_ms = 1;
  spec.apps[0].unit[kLittle].supported = false;
  const Scenario scenario = two_apps();
  Simulator sim(spec, scenario);
  Observation out;
  sim.advance(ms(10), out);
  ASSERT_EQ(out.cluster[kBig].opp_cap, 0);
  const auto outcomes = sim.restore(
      {{"big.freq", "2000000"}, {"camera.mapping", "littlex2"}, {"camera.level", "50"}});
  EXPECT_EQ(outcomes[0].error, 0);
  EXPECT_EQ(outcomes[0].in_force, "1000000") << "held down by heat";
  EXPECT_EQ(outcomes[1].error, EINVAL) << "it does not run there";
  EXPECT_EQ(outcomes[1].in_force, "bigx1");
  EXPECT_EQ(outcomes[2].in_force, "50");
}

TEST(Settings, WhatCannotBeHadIsSaidAndTheOthersAreSet) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = two_apps();
  Simulator sim(spec, scenario);
  Observation out;
  sim.apply(big_core(spec, 0, 2));
  sim.advance(ms(10), out);
  const auto outcomes = sim.restore({{"gpu.freq", "100000"},
                                     {"big.freq", "1234567"},
                                     {"little.freq", "1000000"},
                                     {"camera.mapping", "bigx9"},
                                     {"camera.level", "50 int8"},
                                     {"later.mapping", "bigx2"},
                                     {"camera.colour", "red"},
                                     {"camera.level", "50"}});
  const int errors[] = {ENOENT, EINVAL, 0, EINVAL, EINVAL, ENOENT, ENOENT, 0};
  ASSERT_EQ(outcomes.size(), std::size(errors));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].error, errors[i]) << outcomes[i].knob << " " << outcomes[i].asked;
  }
  EXPECT_EQ(outcomes[1].in_force, "1000000");
  EXPECT_EQ(outcomes[3].in_force, "bigx1");
  EXPECT_EQ(outcomes[4].in_force, "50") << "as the last one of that knob left it";
  EXPECT_EQ(outcomes[5].in_force, "") << "it has not come yet";
  EXPECT_EQ(outcomes[7].in_force, "50");
  sim.advance(ms(10), out);
  const std::vector<KnobSetting> now = sim.capture();
  EXPECT_EQ(value_of(now, "big.freq"), "1000000");
  EXPECT_EQ(value_of(now, "little.freq"), "1000000");
  EXPECT_EQ(value_of(now, "camera.mapping"), "bigx1");
  EXPECT_EQ(value_of(now, "camera.level"), "50");
}

TEST(Settings, NothingToRestoreChangesNothing) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = two_apps();
  Simulator sim(spec, scenario);
  Observation out;
  sim.apply(some_action(spec));
  sim.advance(ms(10), out);
  const std::vector<KnobSetting> before = sim.capture();
  EXPECT_TRUE(sim.restore({}).empty());
  sim.advance(ms(10), out);
  EXPECT_EQ(sim.capture(), before);
}

// At a setting that was asked for and is not in force yet, restoring something else must not undo
// it: what is asked is what the knob will have.
TEST(Settings, RestoringOneKnobLeavesWhatWasAskedOfTheOthers) {
  PlatformSpec spec = round_board();
  spec.clusters[kLittle].transition_latency_us = 5000;
  const Scenario scenario = two_apps();
  Simulator sim(spec, scenario);
  Observation out;
  sim.apply(big_core(spec, 1, 2));
  sim.advance(ms(1), out);
  ASSERT_EQ(out.cluster[kLittle].opp, 0);
  sim.restore({{"camera.level", "50"}});
  sim.advance(ms(10), out);
  EXPECT_EQ(out.cluster[kBig].opp, 1);
  EXPECT_EQ(out.cluster[kLittle].opp, 1);
}

TEST(Settings, RestoringOneKnobLeavesWhatWasDecidedAndIsNotInForceYet) {
  PlatformSpec spec = round_board();
  spec.decision_latency_us = 5000;
  const Scenario scenario = two_apps();
  Simulator sim(spec, scenario);
  Observation out;
  sim.apply(some_action(spec));
  sim.restore({{"camera.level", "100"}});
  sim.advance(ms(10), out);
  EXPECT_EQ(out.cluster[kBig].asked_opp, 1);
  EXPECT_EQ(out.app[0].setting, (AppSetting{mapping_of(spec, kLittle, 3), 1}));
}

}  // namespace
}  // namespace flyball
