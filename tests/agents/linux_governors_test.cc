#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "agents/conservative.h"
#include "agents/interactive.h"
#include "agents/linux_governor.h"
#include "agents/load_sample.h"
#include "agents/ondemand.h"
#include "agents/opp_search.h"
#include "agents/pelt.h"
#include "agents/schedutil.h"
#include "tests/agents/closed_loop.h"
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
  signal.sleep(32'000'000);
  EXPECT_NEAR(signal.util(), 512, 1e-6);
  signal.sleep(64'000'000);
  EXPECT_NEAR(signal.util(), 128, 1e-6);
}

TEST(Pelt, HasAClockThatGoesAsFastAsWorkIsDone) {
  Pelt signal;
  signal.run(64'000'000, 1, 0.5);  // the work of 32 ms at full speed
  EXPECT_NEAR(signal.util(), 512, 1e-6);
  signal.sleep(32'000'000);  // and of the 32 ms that its clock is behind
  EXPECT_NEAR(signal.util(), 128, 1e-6);
  signal.sleep(32'000'000);
  EXPECT_NEAR(signal.util(), 64, 1e-6);
  for (int i = 0; i < 100; ++i) signal.run(32'000'000, 1, 0.25);
  EXPECT_NEAR(signal.util(), 1024, 1e-3) << "it never idled";
  signal.sleep(32'000'000);
  EXPECT_NEAR(signal.util(), 512, 1e-3) << "full: nothing to catch up with";
}

TEST(Pelt, RisesTowardsTheScaledCapacityWhereTheCpuIdlesBetween) {
  Pelt signal;
  signal.run_in_parts(32'000'000, 1, 0.5);
  EXPECT_NEAR(signal.util(), 256, 1e-6);
  for (int i = 0; i < 100; ++i) signal.run_in_parts(32'000'000, 1, 0.5);
  EXPECT_NEAR(signal.util(), 512, 1e-6);
}

TEST(Pelt, OneMillisecondIsOneStep) {
  Pelt signal;
  signal.run(1'000'000, 1, 1);
  EXPECT_NEAR(signal.util(), 1024 * (1 - 0.978572), 1e-3);  // y = 2^(-1/32)
}

TEST(Pelt, PartsOfAPeriodAreKept) {
  Pelt in_one, in_parts;
  in_one.run_in_parts(10'000'000, 0.5, 1);
  for (int i = 0; i < 40; ++i) in_parts.run_in_parts(250'000, 0.5, 1);
  EXPECT_NEAR(in_one.util(), in_parts.util(), 1e-9);
}

TEST(Pelt, WhatIsVeryOldIsGone) {
  EXPECT_EQ(Pelt::decay(63 * 1024), 0);
  EXPECT_GT(Pelt::decay(62 * 1024), 0);
}

TEST(UtilEst, RisesAtOnceAndFallsByAQuarter) {
  UtilEst est;
  est.sleep(400, 1024);
  EXPECT_DOUBLE_EQ(est.value(), 400);
  est.sleep(200, 1024);  // 400 - (400 - 200) / 4
  EXPECT_DOUBLE_EQ(est.value(), 350);
  est.sleep(200, 1024);  // 350 - (350 - 200) / 4
  EXPECT_DOUBLE_EQ(est.value(), 312.5);
  est.sleep(600, 1024);
  EXPECT_DOUBLE_EQ(est.value(), 600);
}

TEST(UtilEst, KeepsItsAverageWithinOnePercentOfTheScale) {
  UtilEst est;
  est.sleep(400, 1024);
  est.sleep(391, 1024);
  EXPECT_DOUBLE_EQ(est.ewma, 400);
  est.sleep(389, 1024);
  EXPECT_DOUBLE_EQ(est.ewma, 397.25);
}

TEST(UtilEst, DoesNotBelieveInLessFromATaskThatFillsItsCpu) {
  UtilEst est;
  est.sleep(400, 1024);
  est.sleep(257, 256);  // moved to a small CPU, which is too small for it
  EXPECT_DOUBLE_EQ(est.value(), 400);
}

TEST(Schedutil, TargetHasAQuarterOfHeadroom) {
  EXPECT_DOUBLE_EQ(Schedutil::target_khz(512, 1024, 2'000'000), 1'250'000);
  EXPECT_DOUBLE_EQ(Schedutil::target_khz(256, 512, 1'000'000), 625'000);
}

/// Drives a governor by hand with a busy share per cluster; the frequencies follow at once.
class Driver {
 public:
  explicit Driver(const std::string& policy)
      : world_(big_only()), agent_(world_.bound(policy)), now_(world_.idle()) {
    agent_->decide(now_, decision_);
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
      now_.app[a].setting = now_.app[a].last_setting = action().app[a];
    agent_->decide(now_, decision_);
    return action().opp[0];
  }
  const Action& action() const { return decision_.action; }
  int cap = 3;

 private:
  static TinyWorld big_only() {
    TinyWorld world;
    world.platform.apps[0].unit[1].supported = false;  // no task leaves and takes utilisation along
    return world;
  }
  void obey() {
    for (int c = 0; c < now_.cluster_count; ++c) world_.set_opp(now_, c, action().opp[c]);
  }
  TinyWorld world_;
  std::unique_ptr<Agent> agent_;
  Observation now_;
  Decision decision_;
};

/// What a periodic job of `mcycles` makes of schedutil on two big cores: the clock that each activation
/// woke at, and the share of the top speed that it needed by the definition of PELT.
struct Activation {
  int woke_at = 0;
  double needs_khz = 0;  ///< 1.25 times its utilisation at its end, as a frequency
};
std::vector<Activation> activations(double mcycles, std::int64_t period_ms, int count) {
  TinyWorld world;
  world.platform.apps[0].unit[0].mcycles = mcycles;
  world.platform.apps[0].unit[1].supported = false;
  world.platform.trips.clear();
  world.scenario.apps[0].arrival.period_ns = period_ms * 1'000'000;
  world.scenario.duration_ns = (count + 1) * period_ms * 1'000'000;
  ClosedLoop loop(world, "schedutil");
  std::vector<Activation> list;
  while (loop.step()) {
    if (loop.now.app[0].released > 0) {
      loop.step();  // the decision at the release is in force now
      list.push_back({.woke_at = loop.action.opp[0]});
    }
    for (const JobRecord& job : loop.now.jobs()) {
      if (list.empty()) continue;
      // Running for r of every p at relative speed s settles at (1 - y^rs) / (1 - y^p) when it ends.
      const double ran = static_cast<double>(job.execution_ns()) / 32e6;
      const double period = static_cast<double>(period_ms) / 32;
      const double speed = static_cast<double>(loop.now.cluster[0].freq_khz) / 2e6;
      list.back().needs_khz = 1.25 * 2e6 * (1 - std::exp2(-ran * speed)) / (1 - std::exp2(-period));
    }
  }
  return list;
}

TEST(Schedutil, ATaskWakesAtTheClockThatItsLastActivationNeeded) {
  // These need more than the half of a CPU that a new task counts as: estimates rise at once.
  for (const double mcycles : {90.0, 100.0, 120.0}) {
    const std::vector<Activation> list = activations(mcycles, 150, 20);
    ASSERT_GE(list.size(), 20U);
    for (std::size_t i = 2; i < list.size(); ++i) {
      EXPECT_EQ(list[i].woke_at, lowest_at_least(big(), list[i - 1].needs_khz, 3))
          << mcycles << " Mcycles, activation " << i;
    }
  }
}

TEST(Schedutil, ALighterTaskComesDownToWhatItNeedsAndNeverBelow) {
  for (const double mcycles : {5.0, 20.0, 60.0}) {
    const std::vector<Activation> list = activations(mcycles, 150, 25);
    ASSERT_GE(list.size(), 25U);
    for (std::size_t i = 2; i < list.size(); ++i) {
      const int needs = lowest_at_least(big(), list[i - 1].needs_khz, 3);
      EXPECT_GE(list[i].woke_at, needs) << mcycles << " Mcycles, activation " << i;
      EXPECT_LE(list[i].woke_at, list[i - 1].woke_at);
      // A quarter of the way at a time from 512 to 20: 492 * 0.75^13 is under 1 % of the scale, 10.
      if (i > 16) {
        EXPECT_EQ(list[i].woke_at, needs) << mcycles << " Mcycles, activation " << i;
      }
    }
  }
}

TEST(Schedutil, AsksForNoLessWhenThereIsMoreToDo) {
  int last = 0;
  for (double mcycles = 2; mcycles < 250; mcycles *= 1.3) {
    const int opp = activations(mcycles, 150, 12)[10].woke_at;
    EXPECT_GE(opp, last) << mcycles;
    last = opp;
  }
  EXPECT_EQ(last, 3);
}

TEST(Schedutil, ReachesTheTopUnderFullLoadAndTheBottomUnderNearlyNone) {
  Driver linux_governor("schedutil");
  int last = 0;
  for (int i = 0; i < 60; ++i) {
    const int opp = linux_governor.step(1);
    EXPECT_GE(opp, last);
    last = opp;
  }
  EXPECT_EQ(last, 3);
  last = linux_governor.step(0);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(linux_governor.step(0), last) << "nobody looks";
  for (int i = 0; i < 60; ++i) {
    const int opp = linux_governor.step(0.01);
    EXPECT_LE(opp, last);
    last = opp;
  }
  EXPECT_EQ(last, 0);
}

TEST(Schedutil, RisesFromIdleByHand) {
  Driver linux_governor("schedutil");
  // At 500 of 2000 MHz the signal of a busy CPU rises a quarter as fast: 1024 * (1 - 2^(-t / 128 ms))
  // passes 204.8 (1.25 * 2000 * 204.8 / 1024 = 500 MHz) after 41 ms.
  int epochs = 0;
  while (linux_governor.step(1) == 0) ++epochs;
  EXPECT_EQ(epochs, 4);
}

TEST(Schedutil, RateLimitFollowsTheTransitionLatency) {
  ClusterSpec cluster = big();
  for (const auto& [latency_us, limit_ms] : {std::pair{140, 10}, {10, 10}, {4, 4}, {0, 1}}) {
    cluster.transition_latency_us = latency_us;
    EXPECT_EQ(Schedutil::rate_limit_ns(cluster), limit_ms * 1'000'000);
  }
}

TEST(Schedutil, ACapHoldsAtOnceAndForAllLoads) {
  Driver linux_governor("schedutil");
  for (int i = 0; i < 60; ++i) linux_governor.step(1);
  linux_governor.cap = 1;
  EXPECT_EQ(linux_governor.step(1, 1), 1) << "not only after the rate limit";
  for (int i = 0; i < 60; ++i) EXPECT_LE(linux_governor.step(1), 1);
  linux_governor.cap = 3;
  EXPECT_EQ(linux_governor.step(1, 1), 1) << "it runs on, and no tick has come";
  EXPECT_GT(linux_governor.step(1, 4), 1);
}

TEST(Schedutil, ChangesNoMoreThanOncePer10Ms) {
  Driver linux_governor("schedutil");
  for (int i = 0; i < 60; ++i) linux_governor.step(1);
  int changes = 0, last = linux_governor.action().opp[0], since_ms = 10;
  for (int i = 0; i < 400; ++i) {  // busy and nearly idle in turn, in epochs of 1 ms
    const int opp = linux_governor.step(i / 70 % 2 == 0 ? 0.01 : 1, 1);
    ++since_ms;
    if (opp == last) continue;
    EXPECT_GE(since_ms, 10);
    last = opp;
    since_ms = 0;
    ++changes;
  }
  EXPECT_GT(changes, 5);
}

TEST(Schedutil, KeepsASingleCpuThatNeverIdledFast) {
  TinyWorld world;
  world.platform.clusters[0].cores = 1;
  const auto agent = world.bound("schedutil");
  Decision decision;
  const auto decide = [&](std::int64_t ms, double busy) {
    Observation now = world.idle(ms * 1'000'000, 10'000'000);
    world.set_opp(now, 0, 3);
    now.cluster[0].util_max = now.cluster[0].util_mean = busy;
    agent->decide(now, decision);
    return decision.action.opp[0];
  };
  int ms = 0;
  while (ms < 500) decide(ms += 10, 1);
  ASSERT_EQ(decision.action.opp[0], 3);
  // Somebody else lowered the clock: the signal falls to a quarter where the CPU idles.
  const auto slow = [&](double busy) {
    Observation now = world.idle((ms += 100) * 1'000'000, 100'000'000);
    now.cluster[0].util_max = now.cluster[0].util_mean = busy;
    agent->decide(now, decision);
    return decision.action.opp[0];
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(slow(1), 3);
  EXPECT_LT(slow(0.9), 3);
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
  EXPECT_EQ(Ondemand::opp_for_load(big(), 51, 2), 2) << "in proportion to the hardware's range";
  EXPECT_EQ(Ondemand::opp_for_load(big(), 84, 2), 2);
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
  for (int i = 0; i < 4; ++i) opp = Conservative::step(big(), {90, 0}, opp, 3, wanted);
  EXPECT_DOUBLE_EQ(wanted, 900'000);
  EXPECT_EQ(opp, 0) << "on the way up the highest at or below";
  opp = Conservative::step(big(), {81, 0}, opp, 3, wanted);
  EXPECT_EQ(opp, 1);
  EXPECT_EQ(Conservative::step(big(), {80, 0}, opp, 3, wanted), 1) << "80 is not above 80";
  EXPECT_EQ(Conservative::step(big(), {20, 0}, opp, 3, wanted), 1) << "20 is not below 20";
  EXPECT_DOUBLE_EQ(wanted, 1'000'000);
  opp = Conservative::step(big(), {19, 0}, opp, 3, wanted);
  EXPECT_DOUBLE_EQ(wanted, 900'000);
  EXPECT_EQ(opp, 1) << "on the way down the lowest at or above";
  for (int i = 0; i < 9; ++i) opp = Conservative::step(big(), {0, 0}, opp, 3, wanted);
  EXPECT_DOUBLE_EQ(wanted, 500'000);
  EXPECT_EQ(opp, 0);
}

TEST(Conservative, StepsUnderACapAreOfTheCappedMaximum) {
  double wanted = 500'000;
  for (int i = 0; i < 200; ++i) {
    const double before = wanted;
    const int opp = Conservative::step(big(), {i / 50 % 2 == 0 ? 100 : 0, 0}, 0, 1, wanted);
    EXPECT_LE(opp, 1);
    EXPECT_GE(wanted, 500'000);
    EXPECT_LE(wanted, 1'000'000);
    if (wanted != before) {
      EXPECT_DOUBLE_EQ(std::abs(wanted - before), 50'000) << "5 % of 1000 MHz";
    }
  }
}

TEST(Conservative, StartsAnewWhenTheCapFell) {
  double wanted = 2'000'000;
  EXPECT_EQ(Conservative::step(big(), {50, 0}, 1, 1, wanted), 1);
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

TEST(LinuxGovernors, NeverExceedTheCap) {
  for (const char* policy : {"performance", "userspace:2000000", "ondemand", "conservative",
                             "interactive", "schedutil"}) {
    Driver linux_governor(policy);
    for (int i = 0; i < 300; ++i) {
      linux_governor.cap = i / 7 % 4;
      EXPECT_LE(linux_governor.step(i / 40 % 2 == 0 ? 1 : 0.3), linux_governor.cap) << policy;
    }
  }
}

TEST(FixedFrequency, MaxMinAndFixed) {
  Driver performance("performance"), powersave("powersave"), userspace("userspace:1500000");
  EXPECT_EQ(performance.step(0), 3);
  EXPECT_EQ(performance.action().opp[1], 1) << "the idle cluster too";
  performance.cap = 1;
  EXPECT_EQ(performance.step(1), 1) << "thermal cap";
  EXPECT_EQ(powersave.step(1), 0);
  EXPECT_EQ(userspace.step(1), 2);
  EXPECT_EQ(userspace.action().opp[1], 1) << "no more than the other cluster has";
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
