// Busy shares, power and the platform that is made of a machine.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <map>

#include "env/linux/machine_spec.h"
#include "env/linux/sense/battery_reading.h"
#include "env/linux/sense/cpu_usage.h"
#include "env/linux/sense/idle_residency.h"
#include "env/linux/sense/power_reading.h"
#include "env/linux/sense/read_costs.h"
#include "env/model/thermal.h"
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

/// As newer Linux kernels show the chips of a Jetson: volts and amperes, and names of rails.
void add_ina3221(const LinuxTree& tree, int hwmon, const std::string& chip = "ina3221") {
  const std::string at = "/sys/class/hwmon/hwmon" + std::to_string(hwmon) + "/";
  tree.write(at + "name", chip + "\n");
  std::filesystem::create_directories(tree.path(at + "power"));  // as every device has
  const char* const rails[] = {"VDD_GPU", "VDD_IN", "VDD_CPU"};
  const char* const ma[] = {"40", "500", "120"};
  for (int i = 0; i < 3; ++i) {
    const std::string n = std::to_string(i + 1);
    tree.write(at + "in" + n + "_input", "5000\n");
    tree.write(at + "curr" + n + "_input", std::string(ma[i]) + "\n");
    tree.write(at + "in" + n + "_label", std::string(rails[i]) + "\n");
  }
}

void add_power(const LinuxTree& tree, int hwmon, const std::string& chip, int uw) {
  const std::string at = "/sys/class/hwmon/hwmon" + std::to_string(hwmon) + "/";
  tree.write(at + "name", chip + "\n");
  std::filesystem::create_directories(tree.path(at + "power"));
  tree.write(at + "power1_input", std::to_string(uw) + "\n");
}

TEST(LinuxPower, VoltsAndAmperesUnderHwmonAreTheInputOfANewerNano) {
  const LinuxTree tree;
  tree.make_nano();
  tree.remove("/sys/bus/i2c/drivers/ina3221x");
  add_ina3221(tree, 2);
  add_power(tree, 0, "amdgpu", 9'000'000);
  add_power(tree, 1, "nvme", 4'000'000);
  const SysTree at(tree.root());
  PowerReading power(at, discover_machine(at), linux_setting_calls());
  EXPECT_EQ(power.source(), "rail VDD_IN by hwmon");
  double mw = 0;
  ASSERT_TRUE(power.read(1, mw));
  EXPECT_DOUBLE_EQ(mw, 2500);  // 5 V and 0.5 A
  tree.write("/sys/class/hwmon/hwmon2/curr2_input", "none\n");
  EXPECT_FALSE(power.read(2, mw));
  EXPECT_DOUBLE_EQ(mw, 2500) << "held";
}

TEST(LinuxPower, RailsUnderHwmonAddUpWhereNoneIsTheInput) {
  const LinuxTree tree;
  tree.make_xu3();
  tree.remove("/sys/bus/i2c/drivers/INA231");
  const int uw[] = {1'250'000, 150'000, 200'000, 400'000};
  const char* const devices[] = {"0-0040", "0-0041", "0-0044", "0-0045"};
  for (int i = 0; i < 4; ++i) {
    add_power(tree, i, "ina231", uw[i]);
    const std::string device = std::string("/sys/devices/i2c-0/") + devices[i];
    std::filesystem::create_directories(tree.path(device));
    std::filesystem::create_symlink(
        tree.path(device), tree.path("/sys/class/hwmon/hwmon" + std::to_string(i) + "/device"));
  }
  const SysTree at(tree.root());
  PowerReading power(at, discover_machine(at), linux_setting_calls());
  EXPECT_EQ(power.source(), "rails A15, memory, GPU, A7 by hwmon");
  double mw = 0;
  ASSERT_TRUE(power.read(1, mw));
  EXPECT_DOUBLE_EQ(mw, 2000);
}

TEST(LinuxPower, OfAChipThatMayBeOfAnythingNothingIsBelieved) {
  const LinuxTree tree;
  tree.make_xu3();
  tree.remove("/sys/bus/i2c/drivers/INA231");
  add_power(tree, 0, "hidpp_battery_0", 100'000);
  add_power(tree, 1, "drivetemp", 100'000);
  add_power(tree, 2, "corsairpsu", 90'000'000);
  const SysTree at(tree.root());
  EXPECT_FALSE(PowerReading(at, discover_machine(at), linux_setting_calls()).measures());
}

TEST(LinuxPower, RaplThatOthersMayNotReadIsSaidAndTheModelTells) {
  if (geteuid() == 0) {
    // Root reads everything: an unreadable file is a folder in its place.
    const LinuxTree tree;
    tree.make_laptop();
    tree.remove("/sys/class/power_supply");
    tree.remove("/sys/class/powercap/intel-rapl:0/energy_uj");
    tree.write("/sys/class/powercap/intel-rapl:0/energy_uj/x", "");
    const SysTree at(tree.root());
    const LinuxMachine machine = discover_machine(at);
    ASSERT_EQ(machine.power.size(), 1u);
    EXPECT_FALSE(machine.power[0].readable);
    EXPECT_FALSE(PowerReading(at, machine, linux_setting_calls()).measures());
    return;
  }
  const LinuxTree tree;
  tree.make_laptop();
  tree.remove("/sys/class/power_supply");
  std::filesystem::permissions(tree.path("/sys/class/powercap/intel-rapl:0/energy_uj"),
                               std::filesystem::perms::none);
  const SysTree at(tree.root());
  const LinuxMachine machine = discover_machine(at);
  ASSERT_EQ(machine.power.size(), 1u);
  EXPECT_FALSE(machine.power[0].readable);
  EXPECT_FALSE(PowerReading(at, machine, linux_setting_calls()).measures());
}

TEST(LinuxBattery, ChargesAddUpByWhatEachHoldsAndTheMouseIsLeftOut) {
  const LinuxTree tree;
  tree.make_laptop();
  const auto reading = [&] {
    const SysTree at(tree.root());
    return BatteryReading(at, discover_machine(at), linux_setting_calls());
  };
  EXPECT_EQ(reading().charge_pct(), 81);
  EXPECT_TRUE(std::isnan(reading().left_mj())) << "it tells a percentage only";
  EXPECT_TRUE(reading().discharges());
  const std::string first = "/sys/class/power_supply/BAT0/",
                    second = "/sys/class/power_supply/BAT1/";
  tree.write(first + "energy_now", "30000000\n");  // 30 Wh of 40
  tree.write(first + "energy_full", "40000000\n");
  EXPECT_DOUBLE_EQ(reading().left_mj(), 30 * 3'600'000.0);
  // One that counts in Ah: 1 Ah of 2 at 10 V are 10 Wh of 20.
  tree.write(second + "type", "Battery\n");
  tree.write(second + "status", "Unknown\n");
  tree.write(second + "capacity", "50\n");
  tree.write(second + "charge_now", "1000000\n");
  tree.write(second + "charge_full", "2000000\n");
  tree.write(second + "voltage_now", "10000000\n");
  EXPECT_DOUBLE_EQ(reading().left_mj(), 40 * 3'600'000.0);
  EXPECT_DOUBLE_EQ(reading().charge_pct(), 100.0 * 40 / 60);
  tree.write(first + "status", "Charging\n");
  EXPECT_FALSE(reading().discharges()) << "the mouse does";
  tree.remove("/sys/class/power_supply/BAT0");
  tree.remove("/sys/class/power_supply/BAT1");
  EXPECT_FALSE(reading().present());
}

TEST(LinuxCosts, AreOfTheFilesThatAreThere) {
  const LinuxTree tree;
  tree.make_xu3();
  const SysTree at(tree.root());
  std::map<std::string, int> files;
  for (const ReadCost& cost : measure_read_costs(at, discover_machine(at), linux_setting_calls())) {
    EXPECT_GT(cost.us_a_file, 0) << cost.what;
    files[cost.what] = cost.files;
  }
  EXPECT_EQ(files, (std::map<std::string, int>{{"load", 1},
                                               {"clocks", 2},
                                               {"limits", 2},
                                               {"power", 4},
                                               {"temperatures", 1},
                                               {"idle states", 2}}));
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

TEST(LinuxSpec, AnyNumberOfThermalZonesIsOnePlatformsHeat) {
  const LinuxTree tree;
  tree.make_xu3();
  for (int zone = 1; zone < 60; ++zone) {
    const std::string folder = "/sys/class/thermal/thermal_zone" + std::to_string(zone);
    tree.write(folder + "/type", "cpu" + std::to_string(zone) + "-thermal\n");
    tree.write(folder + "/temp", "50000\n");
    tree.write(folder + "/trip_point_0_type", "passive\n");
    tree.write(folder + "/trip_point_0_temp", zone == 30 ? "85000\n" : "95000\n");
  }
  const MachineSpec made = spec_of(tree);
  EXPECT_EQ(made.spec.thermal.size(), 1u);
  ASSERT_EQ(made.spec.trips.size(), 2u);
  EXPECT_EQ(made.spec.trips[0].temp_c, 85) << "the first that Linux acts at";
  EXPECT_EQ(made.spec.trips[1].temp_c, 85);
  ThermalState state;
  thermal_reset(made.spec, 25, 1, state);
  thermal_advance(made.spec, 1, 1, state);
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

/// Two CPUs of a cluster with two states, and a cluster without any.
class IdleTest : public ::testing::Test {
 protected:
  IdleTest() {
    for (const int cpu : {0, 1}) {
      tree_.write(folder(cpu, 0) + "name", "WFI\n");
      tree_.write(folder(cpu, 1) + "name", "cpu-sleep\n");
      count(cpu, 0, 0);
      count(cpu, 1, 0);
    }
  }
  static std::string folder(int cpu, int state) {
    return "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpuidle/state" +
           std::to_string(state) + "/";
  }
  void count(int cpu, int state, std::int64_t us) const {
    tree_.write(folder(cpu, state) + "time", std::to_string(us) + "\n");
  }
  IdleResidency at_start() const {
    return {SysTree(tree_.root()), {first_cpus(2), CpuSet{2, 3}}, linux_setting_calls()};
  }
  static constexpr std::int64_t kSecond = 1'000'000'000;
  const LinuxTree tree_;
};

TEST_F(IdleTest, IsTheShareOfTheTimeOfAllCpusInMeansOfASecond) {
  IdleResidency idle = at_start();
  EXPECT_EQ(idle.states(0), (std::vector<std::string>{"WFI", "cpu-sleep"}));
  EXPECT_TRUE(idle.states(1).empty());
  EXPECT_TRUE(std::isnan(idle.share(1, 0)));
  idle.look(kSecond);
  EXPECT_TRUE(std::isnan(idle.share(0, 0))) << "nothing is known yet";
  count(0, 0, 500'000);
  count(1, 1, 1'000'000);
  idle.look(2 * kSecond - 1);
  EXPECT_TRUE(std::isnan(idle.share(0, 0))) << "the second is not over";
  idle.look(3 * kSecond);  // of four seconds of two CPUs
  EXPECT_DOUBLE_EQ(idle.share(0, 0), 0.125);
  EXPECT_DOUBLE_EQ(idle.share(0, 1), 0.25);
  idle.look(4 * kSecond);
  EXPECT_DOUBLE_EQ(idle.share(0, 0), 0) << "files that stand still";
  EXPECT_TRUE(std::isnan(idle.share(0, 2)));
}

TEST_F(IdleTest, AStayThatEndsLateIsNotMoreThanAllOfTheTime) {
  IdleResidency idle = at_start();
  idle.look(kSecond);
  for (const int cpu : {0, 1}) count(cpu, 1, 5'000'000);
  idle.look(2 * kSecond);
  EXPECT_DOUBLE_EQ(idle.share(0, 1), 1);
}

TEST_F(IdleTest, ACpuThatIsGoneOrCountsAnewIsLeftOutUntilItIsKnown) {
  count(1, 1, 700'000);
  IdleResidency idle = at_start();
  idle.look(kSecond);
  count(0, 1, 400'000);
  count(1, 1, 100'000);  // it was offline, and has begun anew
  idle.look(2 * kSecond);
  EXPECT_DOUBLE_EQ(idle.share(0, 1), 0.4);
  tree_.write(folder(1, 1) + "time", "");
  idle.look(3 * kSecond);
  EXPECT_DOUBLE_EQ(idle.share(0, 1), 0);
  for (const int state : {0, 1})
    for (const int cpu : {0, 1}) tree_.write(folder(cpu, state) + "time", "");
  idle.look(4 * kSecond);
  EXPECT_TRUE(std::isnan(idle.share(0, 1))) << "nobody tells";
}

TEST_F(IdleTest, ManyFilesAreReadInSeveralLooksAndNoneBetween) {
  struct Counted final : SettingCalls {
    int open_file(const char* path, bool to_write) noexcept override {
      return linux_setting_calls().open_file(path, to_write);
    }
    ssize_t read_file(int fd, char* buffer, std::size_t bytes) noexcept override {
      ++reads;
      return linux_setting_calls().read_file(fd, buffer, bytes);
    }
    ssize_t write_file(int, const char*, std::size_t) noexcept override { return -EPERM; }
    void close_file(int fd) noexcept override { linux_setting_calls().close_file(fd); }
    std::size_t reads = 0;
  } calls;
  for (int cpu = 0; cpu < 40; ++cpu) {
    tree_.write(folder(cpu, 0) + "name", "WFI\n");
    count(cpu, 0, 0);
  }
  IdleResidency idle(SysTree(tree_.root()), {first_cpus(40)}, calls);  // 42 files
  idle.look(kSecond);
  EXPECT_EQ(calls.reads, IdleResidency::kFilesPerLook);
  idle.look(kSecond + 20'000'000);
  EXPECT_EQ(calls.reads, 42u);
  for (int look = 0; look < 40; ++look) idle.look(kSecond + (2 + look) * 20'000'000);
  EXPECT_EQ(calls.reads, 42u);
  for (int cpu = 0; cpu < 40; ++cpu) count(cpu, 0, 250'000);
  idle.look(2 * kSecond);
  EXPECT_TRUE(std::isnan(idle.share(0, 0))) << "half of the files are not read";
  idle.look(2 * kSecond + 20'000'000);
  EXPECT_DOUBLE_EQ(idle.share(0, 0), 0.25);
  EXPECT_EQ(calls.reads, 84u);
}

}  // namespace
}  // namespace flyball
