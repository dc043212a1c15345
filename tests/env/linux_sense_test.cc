// Busy shares, power and the platform that is made of a machine.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/linux/machine_spec.h"
#include "env/linux/sense/cpu_usage.h"
#include "env/linux/sense/power_reading.h"
#include "kernels/base/error.h"
#include "tests/env/linux_tree.h"

namespace flyball {
namespace {

using testing::LinuxTree;

constexpr std::int64_t kTickNs = 10'000'000;

CpuSet first_cpus(int count) {
  CpuSet cpus;
  for (int cpu = 0; cpu < count; ++cpu) cpus.add(cpu);
  return cpus;
}

TEST(LinuxUsage, IsWhatIdleTimeLeaves) {
  const LinuxTree tree;
  tree.write_stat({0, 0, 0}, 0);
  CpuUsage usage(SysTree(tree.root()), first_cpus(3), linux_setting_calls());
  ASSERT_TRUE(usage.read(0));
  EXPECT_EQ(usage.idle().count(), 3) << "nothing is known yet";
  tree.write_stat({10, 5, 0}, 10);
  ASSERT_TRUE(usage.read(10 * kTickNs));
  EXPECT_DOUBLE_EQ(usage.busy_share(0), 1);
  EXPECT_DOUBLE_EQ(usage.busy_share(1), 0.5);
  EXPECT_DOUBLE_EQ(usage.busy_share(2), 0);
  EXPECT_EQ(usage.idle().to_string(), "2");
}

TEST(LinuxUsage, AnIdleTickThatIsNotFullIsNoBusyTime) {
  const LinuxTree tree;
  tree.write_stat({7, 7}, 100);
  CpuUsage usage(SysTree(tree.root()), first_cpus(2), linux_setting_calls());
  usage.read(0);
  tree.write_stat({7, 7}, 100);  // 8 ms of idleness
  usage.read(8'000'000);
  EXPECT_EQ(usage.busy_share(0), 0);
  EXPECT_EQ(usage.idle().count(), 2);
}

TEST(LinuxUsage, ACpuThatGoesOfflineAndReturnsIsIdleMeanwhile) {
  const LinuxTree tree;
  tree.write_stat({50, 50}, 100);
  CpuUsage usage(SysTree(tree.root()), first_cpus(2), linux_setting_calls());
  usage.read(0);
  tree.write_stat({60}, 110);
  usage.read(10 * kTickNs);
  EXPECT_EQ(usage.busy_share(1), 0);
  tree.write_stat({70, 1}, 120);  // its counts have begun anew
  usage.read(20 * kTickNs);
  EXPECT_EQ(usage.busy_share(1), 0);
  EXPECT_EQ(usage.busy_share(0), 1);
  tree.write_stat({80, 11}, 130);
  usage.read(30 * kTickNs);
  EXPECT_EQ(usage.busy_share(1), 1);
}

TEST(LinuxUsage, MoreThan64CpusAndSparseNumbers) {
  const LinuxTree tree;
  std::vector<std::int64_t> busy(300, 0);
  tree.write_stat(busy, 0);
  CpuUsage usage(SysTree(tree.root()), first_cpus(300), linux_setting_calls());
  usage.read(0);
  busy[299] = busy[64] = 4;
  tree.write_stat(busy, 4);
  ASSERT_TRUE(usage.read(4 * kTickNs));
  EXPECT_EQ(usage.busy_share(299), 1);
  EXPECT_EQ(usage.busy_share(64), 1);
  EXPECT_EQ(usage.idle().count(), 298);
}

TEST(LinuxUsage, WhatMakesNoSenseIsNoReading) {
  const LinuxTree tree;
  tree.write_stat({0, 0}, 0);
  CpuUsage usage(SysTree(tree.root()), first_cpus(2), linux_setting_calls());
  ASSERT_TRUE(usage.read(0));
  for (const std::string text :
       {"", "intr 1 2\n", "cpu0\n", "cpu0 1 2 3\n", "cpux 1 2 3 4 5 6 7 8\n",
        "cpu-1 1 2 3 4 5 6 7 8\n", "cpu99999 1 2 3 4 5 6 7 8\n", "cpu0 1 2 3 4 5 6 7 8"}) {
    tree.write("/proc/stat", text);
    EXPECT_FALSE(usage.read(kTickNs)) << text;
  }
  tree.write_stat({4, 0}, 4);
  EXPECT_TRUE(usage.read(4 * kTickNs)) << "and it goes on from the last good one";
  EXPECT_EQ(usage.busy_share(0), 1);
}

TEST(LinuxPower, RailsOfABoardAddUp) {
  const LinuxTree tree;
  tree.make_xu3();
  const SysTree at(tree.root());
  PowerReading power(at, discover_machine(at), linux_setting_calls());
  EXPECT_EQ(power.source(), "rails A15, memory, GPU, A7 by INA231");
  double mw = 0;
  ASSERT_TRUE(power.read(1, mw));
  EXPECT_DOUBLE_EQ(mw, 2000);
  tree.write("/sys/bus/i2c/drivers/INA231/3-0040/sensor_W", "garbage\n");
  EXPECT_FALSE(power.read(2, mw));
  EXPECT_DOUBLE_EQ(mw, 2000) << "held";
}

TEST(LinuxPower, TheInputOfANanoFeedsItsOtherRails) {
  const LinuxTree tree;
  tree.make_nano();
  const SysTree at(tree.root());
  PowerReading power(at, discover_machine(at), linux_setting_calls());
  double mw = 0;
  ASSERT_TRUE(power.read(1, mw));
  EXPECT_DOUBLE_EQ(mw, 2000);
  EXPECT_EQ(power.source(), "rail POM_5V_IN by INA3221");
}

TEST(LinuxPower, RaplWrapsAndIsPreferredToTheBattery) {
  const LinuxTree tree;
  tree.make_laptop();
  const SysTree at(tree.root());
  PowerReading power(at, discover_machine(at), linux_setting_calls());
  EXPECT_EQ(power.source(), "rail package-0 by RAPL");
  double mw = -1;
  EXPECT_FALSE(power.read(1'000'000'000, mw)) << "energy has no power yet";
  tree.write("/sys/class/powercap/intel-rapl:0/energy_uj", "4671150\n");
  ASSERT_TRUE(power.read(2'000'000'000, mw));
  EXPECT_NEAR(mw, 5000, 1e-6);  // 0.32885 J before the wrap and 4.67115 J after it
}

TEST(LinuxPower, TheBatteryTellsOnlyWhileItDischarges) {
  const LinuxTree tree;
  tree.make_laptop();
  tree.remove("/sys/class/powercap");
  const SysTree at(tree.root());
  PowerReading power(at, discover_machine(at), linux_setting_calls());
  EXPECT_EQ(power.source(), "rail battery BAT0 by its gauge");
  double mw = 0;
  ASSERT_TRUE(power.read(1, mw));
  EXPECT_DOUBLE_EQ(mw, 7400);
  tree.write("/sys/class/power_supply/BAT0/status", "Charging\n");
  EXPECT_FALSE(PowerReading(at, discover_machine(at), linux_setting_calls()).measures())
      << "the mouse is no sensor";
}

MachineSpec spec_of(const LinuxTree& tree) {
  return make_machine_spec(discover_machine(SysTree(tree.root())));
}

TEST(LinuxSpec, AClusterPerPolicyOfABoard) {
  const LinuxTree tree;
  tree.make_xu3();
  const MachineSpec made = spec_of(tree);
  ASSERT_EQ(made.spec.clusters.size(), 2u);
  EXPECT_EQ(made.spec.clusters[0].name, "policy0");
  EXPECT_EQ(made.spec.clusters[0].cores, 4);
  EXPECT_EQ(made.spec.clusters[1].opps.back().freq_khz, 2000000);
  EXPECT_EQ(made.spec.big_cluster(), 1);
  EXPECT_DOUBLE_EQ(made.spec.clusters[0].transition_latency_us, 140);
  EXPECT_EQ(made.cpus[1].to_string(), "4-7");
  ASSERT_EQ(made.spec.trips.size(), 2u) << "the zone's, for either cluster";
  EXPECT_EQ(made.spec.trips[1].temp_c, 95);
}

TEST(LinuxSpec, ManyPoliciesThatAreAlikeShareACluster) {
  const LinuxTree tree;
  tree.make_laptop(16);
  for (int cpu = 12; cpu < 16; ++cpu)
    tree.write(LinuxTree::policy(cpu) + "cpuinfo_max_freq", "3500000\n");
  const MachineSpec made = spec_of(tree);
  ASSERT_EQ(made.spec.clusters.size(), 2u);
  EXPECT_EQ(made.cpus[0].to_string(), "0-11");
  EXPECT_EQ(made.cpus[1].to_string(), "12-15");
  EXPECT_EQ(made.spec.clusters[0].opps.front().freq_khz, 400000);
  EXPECT_EQ(made.spec.clusters[0].opps.back().freq_khz, 4700000);
  EXPECT_EQ(made.spec.clusters[0].opps[1].freq_khz, 500000);
}

TEST(LinuxSpec, AnyNumberOfKindsAndSteps) {
  const LinuxTree tree;
  tree.make_laptop(16);
  for (int cpu = 0; cpu < 16; ++cpu) {
    tree.write(LinuxTree::policy(cpu) + "cpuinfo_max_freq",
               std::to_string(9'000'000 + 100'000 * cpu) + "\n");
  }
  const MachineSpec made = spec_of(tree);
  ASSERT_EQ(made.spec.clusters.size(), static_cast<std::size_t>(kMaxClusters));
  int policies = 0;
  for (const auto& members : made.members) policies += static_cast<int>(members.size());
  EXPECT_EQ(policies, 16);
  EXPECT_EQ(made.spec.clusters[0].opps.size(), static_cast<std::size_t>(kMaxOpps));
  EXPECT_EQ(made.spec.clusters[0].opps.back().freq_khz, 9000000);
}

TEST(LinuxSpec, WithoutAClockThereIsNothingToGovern) {
  const LinuxTree tree;
  tree.make_vm();
  try {
    spec_of(tree);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kInput);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("has no cpufreq policy"));
  }
}

}  // namespace
}  // namespace flyball
