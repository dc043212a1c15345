#include <gtest/gtest.h>

#include "agents/conservative.h"
#include "agents/interactive.h"
#include "agents/linux_governor.h"
#include "agents/ondemand.h"
#include "agents/opp_search.h"
#include "agents/pelt.h"
#include "agents/schedutil.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

const ClusterSpec& big() {
  static const PlatformSpec platform = tiny_platform();
  return platform.clusters[0];  // 500, 1000, 1500, 2000 MHz
}

TEST(OppSearch, LowestAtLeast) {
  EXPECT_EQ(lowest_at_least(big(), 0, 3), 0);
  EXPECT_EQ(lowest_at_least(big(), 500'000, 3), 0);
  EXPECT_EQ(lowest_at_least(big(), 500'001, 3), 1);
  EXPECT_EQ(lowest_at_least(big(), 1'900'000, 3), 3);
  EXPECT_EQ(lowest_at_least(big(), 9'000'000, 3), 3);
  EXPECT_EQ(lowest_at_least(big(), 1'900'000, 1), 1) << "the thermal cap holds";
}

TEST(OppSearch, HighestAtMost) {
  EXPECT_EQ(highest_at_most(big(), 100'000, 3), 0) << "nothing is lower than the lowest";
  EXPECT_EQ(highest_at_most(big(), 999'999, 3), 0);
  EXPECT_EQ(highest_at_most(big(), 1'000'000, 3), 1);
  EXPECT_EQ(highest_at_most(big(), 9'000'000, 2), 2);
}

TEST(OppSearch, Closest) {
  EXPECT_EQ(closest(big(), 740'000, 3), 0);
  EXPECT_EQ(closest(big(), 750'000, 3), 0) << "equally close: the lower";
  EXPECT_EQ(closest(big(), 760'000, 3), 1);
  EXPECT_EQ(closest(big(), 9'000'000, 3), 3);
  EXPECT_EQ(closest(big(), 1, 3), 0);
}

TEST(Pelt, HalvesIn32Ms) {
  Pelt signal;
  signal.set(1024);
  signal.advance(32'000'000, 0, 0);
  EXPECT_NEAR(signal.util(), 512, 1e-6);
  signal.advance(64'000'000, 0, 0);
  EXPECT_NEAR(signal.util(), 128, 1e-6);
}

TEST(Pelt, RisesTowardsTheScaledCapacity) {
  Pelt signal;
  signal.advance(32'000'000, 1, 0.5);  // always running at half speed: half of 512
  EXPECT_NEAR(signal.util(), 256, 1e-6);
  for (int i = 0; i < 100; ++i) signal.advance(32'000'000, 1, 0.5);
  EXPECT_NEAR(signal.util(), 512, 1e-6);
}

TEST(Pelt, OneMillisecondIsOneStep) {
  Pelt signal;
  signal.advance(1'000'000, 1, 1);
  EXPECT_NEAR(signal.util(), 1024 * (1 - 0.978572), 1e-3);  // y = 2^(-1/32)
}

TEST(Pelt, PartsOfAPeriodAreKept) {
  Pelt in_one, in_parts;
  in_one.advance(10'000'000, 0.5, 1);
  for (int i = 0; i < 40; ++i) in_parts.advance(250'000, 0.5, 1);
  EXPECT_NEAR(in_one.util(), in_parts.util(), 1e-9);
}

TEST(Pelt, WhatIsVeryOldIsGone) { EXPECT_EQ(Pelt::decay(63 * 32), 0); }

TEST(Schedutil, TargetHasAQuarterOfHeadroom) {
  EXPECT_DOUBLE_EQ(Schedutil::target_khz(512, 1024, 2'000'000), 1'250'000);
  EXPECT_DOUBLE_EQ(Schedutil::target_khz(256, 512, 1'000'000), 625'000);
}

/// Drives a governor by hand with a busy share per cluster; the frequencies follow at once.
class Driver {
 public:
  explicit Driver(const std::string& policy)
      : world_(big_only()), agent_(world_.make(policy)), now_(world_.idle()) {
    agent_->decide(now_, action_);
    obey();
  }
  /// One epoch; returns the OPP of the big cluster for the next.
  int step(double busy, std::int64_t ms = 10) {
    const Observation before = now_;
    now_ = world_.idle(before.now_ns + ms * 1'000'000, ms * 1'000'000);
    obey();
    now_.cluster[0].util_max = busy;
    now_.cluster[0].util_mean = busy / 2;
    now_.cluster[0].opp_cap = static_cast<std::uint8_t>(cap);
    for (int a = 0; a < now_.app_count; ++a)
      now_.app[a].setting = now_.app[a].last_setting = action_.app[a];
    agent_->decide(now_, action_);
    return action_.opp[0];
  }
  const Action& action() const { return action_; }
  int cap = 3;

 private:
  static TinyWorld big_only() {
    TinyWorld world;
    world.platform.apps[0].unit[1].supported = false;  // no task leaves and takes utilisation along
    return world;
  }
  void obey() {
    for (int c = 0; c < now_.cluster_count; ++c) world_.set_opp(now_, c, action_.opp[c]);
  }
  TinyWorld world_;
  std::unique_ptr<Agent> agent_;
  Observation now_;
  Action action_;
};

TEST(Schedutil, RisesFromIdleByHand) {
  Driver linux_governor("schedutil");
  // At 500 of 2000 MHz a busy CPU can never show more than 256 of 1024: 1.25 * 2000 * 256/1024 =
  // 625 MHz, so with the signal near its limit the governor climbs one OPP at a time. 10 ms: 256 *
  // (1 - 2^(-10/32)) = 49.8 -> 122 MHz -> 500. The signal passes 204.8 (500 MHz) after 74 ms.
  int epochs = 0;
  while (linux_governor.step(1) == 0) ++epochs;
  EXPECT_EQ(epochs, 7);
  for (int i = 0; i < 50; ++i) linux_governor.step(1);
  EXPECT_EQ(linux_governor.step(1), 3);
  // Idle: 1024 falls under 614.4 (1500 MHz) after 23.6 ms, so at the third epoch.
  EXPECT_EQ(linux_governor.step(0), 3);
  EXPECT_EQ(linux_governor.step(0), 3);
  EXPECT_EQ(linux_governor.step(0), 2);
}

TEST(Schedutil, ChangesNoMoreThanOncePer10Ms) {
  Driver linux_governor("schedutil");
  for (int i = 0; i < 60; ++i) linux_governor.step(1);
  int changes = 0, last = linux_governor.action().opp[0];
  for (int i = 0; i < 100; ++i) {  // 100 ms in epochs of 1 ms, falling all the time
    const int opp = linux_governor.step(0, 1);
    changes += opp != last;
    last = opp;
  }
  EXPECT_EQ(last, 0);
  EXPECT_GT(changes, 1);
  EXPECT_LE(changes, 10);
}

TEST(Schedutil, KeepsASingleCpuThatNeverIdledFast) {
  TinyWorld world;
  world.platform.clusters[0].cores = 1;
  const auto agent = world.make("schedutil");
  Action action;
  Observation now = world.idle();
  world.set_opp(now, 0, 3);
  agent->decide(now, action);
  now = world.idle(10'000'000, 10'000'000);
  world.set_opp(now, 0, 3);
  now.cluster[0].util_max = 1;
  agent->decide(now, action);
  EXPECT_EQ(action.opp[0], 3) << "utilisation of 10 ms asks for less, but it has not idled";
  now = world.idle(20'000'000, 10'000'000);
  world.set_opp(now, 0, 3);
  now.cluster[0].util_max = 0.5;
  agent->decide(now, action);
  EXPECT_LT(action.opp[0], 3);
}

TEST(Ondemand, ByHand) {
  // f_min + load * (f_max - f_min) / 100 = 500 + 15 * load MHz, closest.
  EXPECT_EQ(Ondemand::opp_for_load(big(), 0, 3), 0);
  EXPECT_EQ(Ondemand::opp_for_load(big(), 16, 3), 0);  // 740
  EXPECT_EQ(Ondemand::opp_for_load(big(), 17, 3), 1);  // 755
  EXPECT_EQ(Ondemand::opp_for_load(big(), 50, 3), 1);  // 1250, equally close: the lower
  EXPECT_EQ(Ondemand::opp_for_load(big(), 51, 3), 2);  // 1265
  EXPECT_EQ(Ondemand::opp_for_load(big(), 83, 3), 2);  // 1745
  EXPECT_EQ(Ondemand::opp_for_load(big(), 84, 3), 3);  // 1760
  EXPECT_EQ(Ondemand::opp_for_load(big(), 95, 3), 3);
  EXPECT_EQ(Ondemand::opp_for_load(big(), 96, 2), 2) << "max is the highest allowed";
  EXPECT_EQ(load_pct(0.29), 29);
  EXPECT_EQ(load_pct(0.959), 95);
}

TEST(Ondemand, FollowsTheLoad) {
  Driver linux_governor("ondemand");
  EXPECT_EQ(linux_governor.step(0.97), 3);
  EXPECT_EQ(linux_governor.step(0.60), 2);
  EXPECT_EQ(linux_governor.step(0.05), 0);
}

TEST(Conservative, StepsOf100MHzByHand) {
  double wanted = 500'000;
  int opp = 0;
  for (int i = 0; i < 4; ++i) opp = Conservative::step(big(), 90, opp, 3, wanted);
  EXPECT_DOUBLE_EQ(wanted, 900'000);
  EXPECT_EQ(opp, 0) << "on the way up the highest at or below";
  opp = Conservative::step(big(), 81, opp, 3, wanted);
  EXPECT_EQ(opp, 1);
  EXPECT_EQ(Conservative::step(big(), 80, opp, 3, wanted), 1) << "80 is not above 80";
  EXPECT_EQ(Conservative::step(big(), 20, opp, 3, wanted), 1) << "20 is not below 20";
  EXPECT_DOUBLE_EQ(wanted, 1'000'000);
  opp = Conservative::step(big(), 19, opp, 3, wanted);
  EXPECT_DOUBLE_EQ(wanted, 900'000);
  EXPECT_EQ(opp, 1) << "on the way down the lowest at or above";
  for (int i = 0; i < 9; ++i) opp = Conservative::step(big(), 0, opp, 3, wanted);
  EXPECT_DOUBLE_EQ(wanted, 500'000);
  EXPECT_EQ(opp, 0);
}

TEST(Conservative, StartsAnewWhenTheCapFell) {
  double wanted = 2'000'000;
  EXPECT_EQ(Conservative::step(big(), 50, 1, 1, wanted), 1);
  EXPECT_DOUBLE_EQ(wanted, 1'000'000);
}

TEST(Interactive, HighSpeedAndTargetLoad) {
  EXPECT_EQ(Interactive::opp_for_load(big(), 99, 500'000, 3), 3);
  EXPECT_EQ(Interactive::opp_for_load(big(), 98, 1'000'000, 3), 2);  // 1089 MHz
  EXPECT_EQ(Interactive::opp_for_load(big(), 90, 1'000'000, 3), 1);  // 1000 MHz
  EXPECT_EQ(Interactive::opp_for_load(big(), 45, 1'000'000, 3), 0);  // 500 MHz
}

TEST(Interactive, WaitsBeforeItSlowsDown) {
  Driver linux_governor("interactive");
  EXPECT_EQ(linux_governor.step(1, 20), 3);
  EXPECT_EQ(linux_governor.step(0, 20), 3);
  EXPECT_EQ(linux_governor.step(0, 20), 3);
  EXPECT_EQ(linux_governor.step(0, 20), 3);
  EXPECT_EQ(linux_governor.step(0, 20), 0) << "80 ms after the last time it was needed";
}

TEST(SimpleOndemand, ByHand) {
  EXPECT_DOUBLE_EQ(simple_ondemand_khz(91, 400'000, 900'000), 900'000);
  EXPECT_DOUBLE_EQ(simple_ondemand_khz(90, 400'000, 900'000), 400'000);
  EXPECT_DOUBLE_EQ(simple_ondemand_khz(86, 400'000, 900'000), 400'000);
  EXPECT_DOUBLE_EQ(simple_ondemand_khz(44, 400'000, 900'000), 200'000);
}

TEST(FixedFrequency, MaxMinAndFixed) {
  Driver performance("performance"), powersave("powersave"), userspace("userspace:1200000");
  EXPECT_EQ(performance.step(0), 3);
  EXPECT_EQ(performance.action().opp[1], 1) << "the idle cluster too";
  performance.cap = 1;
  EXPECT_EQ(performance.step(1), 1) << "thermal cap";
  EXPECT_EQ(powersave.step(1), 0);
  EXPECT_EQ(userspace.step(1), 2) << "resolved upwards";
}

TEST(LinuxGovernors, KeepFullWidth) {
  for (const char* policy :
       {"performance", "powersave", "ondemand", "conservative", "interactive", "schedutil"}) {
    Driver linux_governor(policy);
    linux_governor.step(0.5);
    EXPECT_EQ(linux_governor.action().app[0].level, 3) << policy;
  }
}

}  // namespace
}  // namespace flyball
