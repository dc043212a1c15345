// What `flyball shadow` predicts, by hand, and the verb itself on a tree of files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/linux/shadow_platform.h"
#include "tests/status/governed.h"

namespace flyball {
namespace {

using testing::LinuxTree;

/// The XU3 of files, whose big cores have 200, 400, 800, 1200, 1600 and 2000 MHz.
MachineSpec xu3() {
  const LinuxTree tree;
  tree.make_xu3();
  return make_machine_spec(discover_machine(SysTree(tree.root())));
}

/// What `epochs` of 20 ms become in which the busiest big core was busy for `share` at 2000 MHz.
ClusterObservation play(ShadowLedger& ledger, double share, int opp, int epochs) {
  ClusterObservation seen;
  for (int i = 0; i < epochs; ++i) {
    seen = {};
    seen.freq_khz = 2000000;
    seen.opp = 5;
    seen.util_max = share;
    seen.util_mean = share / 4;
    seen.temp_c = 50;
    ledger.imagine(1, opp, 20e6, seen);
  }
  return seen;
}

TEST(ShadowLedger, ALoadThatFitsIsDoneWithinItsEpochForLess) {
  const MachineSpec made = xu3();
  ShadowLedger ledger(made.spec);
  const ClusterObservation seen = play(ledger, 0.3, 3, 10);  // 600 of 1200 MHz
  EXPECT_NEAR(seen.util_max, 0.5, 1e-9);
  EXPECT_NEAR(seen.util_mean, 0.125, 1e-9);
  EXPECT_EQ(seen.freq_khz, 1200000);
  const ShadowLedger::Tally& big = ledger.tally(1);
  EXPECT_NEAR(big.work, 10 * 0.3 * 20e-3 * 2e9, 1);
  EXPECT_EQ(big.late_work, 0);
  EXPECT_EQ(big.linux_slow_ns, 0);
  EXPECT_NEAR(big.ours_clock, big.linux_clock, 1);  // as many cycles
  EXPECT_LT(big.ours_mj, big.linux_mj);
}

TEST(ShadowLedger, TheSameClockSavesNothingAndMissesNothing) {
  const MachineSpec made = xu3();
  ShadowLedger ledger(made.spec);
  play(ledger, 0.7, 5, 10);
  EXPECT_EQ(ledger.tally(1).ours_mj, ledger.tally(1).linux_mj);
  EXPECT_EQ(ledger.tally(1).late_work, 0);
}

TEST(ShadowLedger, WhatDoesNotFitGoesOnAndIsLateAfterAnEpoch) {
  const MachineSpec made = xu3();
  ShadowLedger ledger(made.spec);
  // 1000 of 800 MHz: each epoch leaves a quarter of an epoch's work, and four of them a whole one.
  EXPECT_EQ(play(ledger, 0.5, 2, 1).util_max, 1);
  play(ledger, 0.5, 2, 3);
  EXPECT_NEAR(ledger.tally(1).late_work / ledger.tally(1).work, 0, 1e-9);
  play(ledger, 0.5, 2, 1);  // 200 MHz beyond
  EXPECT_NEAR(ledger.tally(1).late_work / ledger.tally(1).work, 0.2 / 5, 1e-9);
  EXPECT_NEAR(play(ledger, 0, 4, 1).util_max, 1000.0 / 1600, 1e-9);  // what was left
}

TEST(ShadowLedger, WhatWaitsForMemoryTakesAsLongAtAnyClock) {
  const MachineSpec made = xu3();
  ShadowLedger ledger(made.spec);
  ClusterObservation seen;
  seen.freq_khz = 2000000;
  seen.opp = 5;
  seen.util_max = seen.util_mean = 0.5;
  seen.counters.valid = Counters::kCycles | Counters::kStalls;
  seen.counters.cycles = 100;
  seen.counters.stalled_cycles = 75;
  ledger.imagine(1, 3, 20e6, seen);  // a quarter of it takes 2000 / 1200 as long
  EXPECT_NEAR(seen.util_max, 0.5 * (0.75 + 0.25 * 2000 / 1200), 1e-9);
  EXPECT_NEAR(seen.counters.stall_share(), 0.75 / (0.75 + 0.25 * 2000 / 1200), 1e-9);
}

TEST(ShadowLedger, ACoreThatWasBusyThroughoutWouldHaveHadMore) {
  const MachineSpec made = xu3();
  ShadowLedger ledger(made.spec);
  ClusterObservation seen;
  seen.freq_khz = 800000;
  seen.opp = 2;
  seen.util_max = seen.util_mean = 1;
  ledger.imagine(1, 5, 20e6, seen);
  EXPECT_EQ(ledger.tally(1).linux_slow_ns, 20e6);
}

}  // namespace
}  // namespace flyball

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(CliShadow, SaysWhatWouldHaveBeenSavedAndWritesNothing) {
  const LinuxTree tree;
  tree.make_xu3();
  const PlayedLoad load(tree, 0.3);
  const std::string settings[] = {"scaling_governor", "scaling_min_freq", "scaling_max_freq",
                                  "scaling_setspeed"};
  const auto times = [&] {
    std::vector<std::filesystem::file_time_type> all;
    for (const std::string& file : settings)
      all.push_back(std::filesystem::last_write_time(tree.path(LinuxTree::policy(4) + file)));
    return all;
  };
  const auto before = times();
  const Finished told =
      flyball_run({"shadow", "--sysfs-root", tree.root(), "--duration", "1.5", "--json"});
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(times(), before);
  const json result = json::parse(told.out);
  EXPECT_EQ(result.at("power_source"), "model");
  EXPECT_EQ(result.at("measured_power_source"), "rails A15, memory, GPU, A7 by INA231");
  const json& big = result.at("clusters")[1];
  EXPECT_EQ(big.at("linux_governor"), "schedutil");
  EXPECT_NEAR(big.at("linux_clock_mhz"), 2000, 1);  // the files stay at the top
  EXPECT_LT(big.at("flyball_clock_mhz"), 1700);
  EXPECT_GT(big.at("saved_pct"), 0);
  EXPECT_GE(big.at("late_work_pct"), 0);

  const Finished same = flyball_run({"shadow", "--sysfs-root", tree.root(), "--duration", "0.6",
                                     "--policy", "performance", "--json"});
  EXPECT_NEAR(json::parse(same.out).at("clusters")[1].at("saved_pct"), 0, 0.1);
}

TEST(CliShadow, RefusesWhatItCannotWatch) {
  const LinuxTree machine;
  machine.make_vm();
  const Finished none = flyball_run({"shadow", "--sysfs-root", machine.root()});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("has no cpufreq policy"));
  const LinuxTree tree;
  tree.make_xu3();
  const Finished jobs =
      flyball_run({"shadow", "--sysfs-root", tree.root(), "--policy", "q_learning"});
  EXPECT_EQ(jobs.exit_code, 2);
  EXPECT_THAT(jobs.err, HasSubstr("decides by jobs"));
}

}  // namespace
}  // namespace flyball::testing
