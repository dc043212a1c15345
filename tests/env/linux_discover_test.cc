// What is found on machines of four kinds, and on trees that a stranger wrote.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/linux/actuate/choice.h"
#include "env/linux/discover/linux_machine.h"
#include "env/linux/machine_spec.h"
#include "tests/env/linux_tree.h"

namespace flyball {
namespace {

using ::testing::ElementsAre;
using testing::LinuxTree;

LinuxMachine found(const LinuxTree& tree) { return discover_machine(SysTree(tree.root())); }

TEST(LinuxDiscover, TwoPoliciesOfAnXu3) {
  const LinuxTree tree;
  tree.make_xu3();
  const LinuxMachine machine = found(tree);
  EXPECT_EQ(machine.model, "Hardkernel Odroid XU3");
  EXPECT_EQ(machine.online.to_string(), "0-7");
  ASSERT_EQ(machine.policies.size(), 2u);
  const CpufreqPolicy& little = machine.policies[0];
  EXPECT_EQ(little.cpus.to_string(), "0-3");
  EXPECT_THAT(little.table_khz,
              ElementsAre(200000, 400000, 600000, 800000, 1000000, 1200000, 1400000));
  EXPECT_EQ(little.capacity, 539);
  EXPECT_EQ(little.transition_latency_ns.value(), 140000);
  EXPECT_EQ(machine.policies[1].hardware_max_khz, 2000000);
  EXPECT_TRUE(machine.places_by_energy());
  ASSERT_EQ(machine.power.size(), 4u);  // whatever the bus is called
  EXPECT_EQ(machine.power[0].rail, "A15");
  EXPECT_EQ(machine.power[3].rail, "A7");
  ASSERT_EQ(machine.zones.size(), 1u);
  EXPECT_TRUE(machine.zones[0].of_cpu);
  EXPECT_EQ(machine.zones[0].governor, "step_wise");
  EXPECT_EQ(machine.zones[0].trips.at(0).temp_mc, 95000);
  ASSERT_EQ(machine.idle.size(), 2u);
  const IdleState &wfi = machine.idle[1].states.at(0), &sleep = machine.idle[1].states.at(1);
  EXPECT_EQ(sleep.latency_us, 300);
  EXPECT_EQ(sleep.residency_us, 2000);
  EXPECT_EQ(sleep.time_us, 750'000);
  EXPECT_EQ(sleep.entered, 31);
  EXPECT_FALSE(sleep.disabled);
  EXPECT_FALSE(wfi.residency_us) << "the driver does not say";
  EXPECT_EQ(machine.pressure.size(), 3u);
}

TEST(LinuxDiscover, GpuAndRailsOfANano) {
  const LinuxTree tree;
  tree.make_nano();
  const LinuxMachine machine = found(tree);
  ASSERT_EQ(machine.devfreq.size(), 1u);
  EXPECT_TRUE(machine.devfreq[0].gpu());
  EXPECT_THAT(machine.devfreq[0].table_hz, ElementsAre(76800000, 460800000, 921600000));
  ASSERT_EQ(machine.power.size(), 3u);
  EXPECT_EQ(machine.power[0].rail, "POM_5V_IN");
  EXPECT_FALSE(machine.places_by_energy()) << "one kind of core";
}

TEST(LinuxDiscover, RailsOfAnXu3WhateverTheNumberOfTheBus) {
  for (const std::string bus : {"0", "4", "11"}) {
    const LinuxTree tree;
    tree.make_xu3();
    tree.remove("/sys/bus/i2c/drivers/INA231");
    for (const std::string address : {"0045", "0040", "0044", "0041"})
      tree.write("/sys/bus/i2c/drivers/INA231/" + bus + "-" + address + "/sensor_W", "0.5\n");
    std::vector<std::string> rails;
    for (const PowerSensor& sensor : found(tree).power) rails.push_back(sensor.rail);
    EXPECT_THAT(rails, ElementsAre("A15", "memory", "GPU", "A7")) << bus;
  }
}

TEST(LinuxDiscover, AZoneUnderThePowerAllocator) {
  const LinuxTree tree;
  tree.make_xu3();
  const std::string zone = "/sys/class/thermal/thermal_zone0/";
  tree.write(zone + "policy", "power_allocator\n");
  tree.write(zone + "trip_point_0_temp", "70000\n");  // it switches on
  tree.write(zone + "trip_point_1_type", "passive\n");
  tree.write(zone + "trip_point_1_temp", "85000\n");  // and holds it here
  const LinuxMachine machine = found(tree);
  EXPECT_EQ(machine.zones.at(0).governor, "power_allocator");
  ASSERT_EQ(machine.zones[0].trips.size(), 2u);
  const MachineSpec made = make_machine_spec(machine);
  for (const TripPoint& trip : made.spec.trips) EXPECT_LE(trip.temp_c, 85);
}

/// Active: two governors, no table, a preference beside them.
TEST(LinuxDiscover, AmdPstateIsGovernedByItsBounds) {
  const LinuxTree tree;
  tree.add_cpus(4);
  for (int cpu = 0; cpu < 4; ++cpu) {
    tree.add_policy(cpu, 1, "", 400000, 5100000, 0);
    const std::string at = LinuxTree::policy(cpu);
    tree.write(at + "scaling_driver", "amd-pstate-epp\n");
    tree.write(at + "scaling_governor", "powersave\n");
    tree.write(at + "scaling_available_governors", "performance powersave\n");
    tree.write(at + "energy_performance_preference", "balance_performance\n");
  }
  const LinuxMachine machine = found(tree);
  ASSERT_EQ(machine.policies.size(), 4u);
  EXPECT_EQ(choose_actuator(machine, machine.policies[0], ActuatorKind::kAuto).kind,
            ActuatorKind::kBounds);
  EXPECT_EQ(choose_actuator(machine, machine.policies[0], ActuatorKind::kSetSpeed).kind,
            ActuatorKind::kNone);
  EXPECT_EQ(make_machine_spec(machine).spec.clusters[0].opps.back().freq_khz, 5100000);
}

TEST(LinuxDiscover, AMouseIsNoBatteryOfTheMachine) {
  const LinuxTree tree;
  tree.make_laptop();
  LinuxMachine machine = found(tree);
  EXPECT_TRUE(machine.on_battery());
  std::vector<std::string> rails;
  for (const PowerSensor& sensor : machine.power) rails.push_back(sensor.rail);
  EXPECT_THAT(rails, ElementsAre("package-0", "battery BAT0")) << "parts are within the package";
  tree.write("/sys/class/power_supply/BAT0/status", "Charging\n");
  machine = found(tree);
  EXPECT_FALSE(machine.on_battery()) << "the mouse still discharges";
}

TEST(LinuxDiscover, IntelPstateHasNoTableAndAnUnknownLatency) {
  const LinuxTree tree;
  tree.make_laptop(12);
  const LinuxMachine machine = found(tree);
  ASSERT_EQ(machine.policies.size(), 12u);
  EXPECT_EQ(machine.policies[2].name, "policy2") << "before policy10";
  EXPECT_TRUE(machine.policies[0].table_khz.empty());
  EXPECT_FALSE(machine.policies[0].transition_latency_ns);
  const ActuatorChoice choice = choose_actuator(machine, machine.policies[0], ActuatorKind::kAuto);
  EXPECT_EQ(choice.kind, ActuatorKind::kBounds);
  EXPECT_EQ(choose_actuator(machine, machine.policies[0], ActuatorKind::kSetSpeed).kind,
            ActuatorKind::kNone);
}

TEST(LinuxDiscover, AnEmptyCpufreqFolderIsNoPolicy) {
  const LinuxTree tree;
  tree.make_vm();
  const LinuxMachine machine = found(tree);
  EXPECT_TRUE(machine.cpufreq_folder);
  EXPECT_TRUE(machine.policies.empty());
  EXPECT_TRUE(machine.power.empty());
  EXPECT_FALSE(machine.on_battery());
  const LinuxTree nothing;
  EXPECT_TRUE(found(nothing).policies.empty()) << "no /sys at all";
}

TEST(LinuxDiscover, APolicyWhoseCpusAreOfflineIsThereAndSaysSo) {
  const LinuxTree tree;
  tree.make_xu3();
  tree.remove(LinuxTree::policy(4) + "scaling_governor");  // a read of it gives EBUSY
  const LinuxMachine machine = found(tree);
  ASSERT_EQ(machine.policies.size(), 2u);
  EXPECT_NE(machine.policies[1].error, 0);
  EXPECT_EQ(choose_actuator(machine, machine.policies[1], ActuatorKind::kAuto).kind,
            ActuatorKind::kNone);
  EXPECT_EQ(choose_actuator(machine, machine.policies[0], ActuatorKind::kAuto).kind,
            ActuatorKind::kBounds);
}

TEST(LinuxDiscover, AutoFollowsTheGovernorThatIsThere) {
  const LinuxTree tree;
  tree.make_xu3();
  const auto chosen = [&](const std::string& governor) {
    for (const int policy : {0, 4})
      tree.write(LinuxTree::policy(policy) + "scaling_governor", governor + "\n");
    const LinuxMachine machine = found(tree);
    return choose_actuator(machine, machine.policies[0], ActuatorKind::kAuto);
  };
  EXPECT_EQ(chosen("schedutil").kind, ActuatorKind::kBounds);
  EXPECT_THAT(chosen("schedutil").why, ::testing::HasSubstr("energy-aware"));
  EXPECT_EQ(chosen("ondemand").kind, ActuatorKind::kBounds);
  EXPECT_EQ(chosen("performance").kind, ActuatorKind::kSetSpeed);
  EXPECT_EQ(chosen("powersave").kind, ActuatorKind::kSetSpeed);
  tree.remove(LinuxTree::policy(0) + "scaling_available_frequencies");
  EXPECT_EQ(chosen("performance").kind, ActuatorKind::kBounds);
}

TEST(LinuxDiscover, ConfinementIsSeen) {
  const LinuxTree tree;
  tree.make_xu3();
  tree.write("/proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-1,6\n");
  tree.write("/proc/self/cgroup", "0::/a\n");
  tree.write("/proc/self/mountinfo", "40 22 0:37 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  tree.write("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  const LinuxMachine machine = found(tree);
  EXPECT_EQ(machine.allowed.to_string(), "0-1,6");
  EXPECT_DOUBLE_EQ(machine.quota.cpus.value(), 1.5);
}

TEST(LinuxDiscover, MoreThan64Cpus) {
  const LinuxTree tree;
  tree.add_cpus(200);
  tree.add_policy(0, 100, "1000000 2000000", 1000000, 2000000, 0);
  tree.add_policy(100, 100, "1000000 2000000", 1000000, 2000000, 0);
  const LinuxMachine machine = found(tree);
  EXPECT_EQ(machine.online.count(), 200);
  ASSERT_EQ(machine.policies.size(), 2u);
  EXPECT_EQ(machine.policies[1].cpus.to_string(), "100-199");
}

TEST(LinuxDiscover, RivalsByTheirProgram) {
  const LinuxTree tree;
  const auto run = [&](int pid, const std::string& words) {
    tree.write("/proc/" + std::to_string(pid) + "/cmdline", words);
  };
  using std::string_literals::operator""s;
  run(101, "/usr/sbin/thermald\0--no-daemon\0"s);
  run(102, "/usr/bin/python3\0-Es\0/usr/sbin/tuned\0-l\0"s);
  run(103, "/usr/libexec/power-profiles-daemon\0"s);
  run(104, "vi\0/etc/tlp\0"s);              // a text
  run(105, "/usr/bin/flyball\0doctor\0"s);  // turns nothing
  run(106, "/usr/bin/flyball\0run\0--platform\0linux\0"s);
  run(109, "/usr/bin/flyball\0run\0"s);  // on emulated clocks
  run(110, "/usr/bin/flyball\0run\0--platform=linux\0--dry-run\0"s);
  run(107, "");  // a kernel thread
  run(108, "tlp-stat\0"s);
  std::vector<std::string> names;
  for (const RivalDaemon& rival : find_rivals(SysTree(tree.root()))) names.push_back(rival.name);
  EXPECT_THAT(names, ElementsAre("thermald", "tuned", "power-profiles-daemon", "flyball"));
}

TEST(LinuxDiscover, WhatAStrangerWroteIsBoundedCleanAndNeverWaitedFor) {
  const LinuxTree tree;
  tree.make_xu3();
  const std::string at = LinuxTree::policy(0);
  tree.write(at + "scaling_available_frequencies",
             "\xff\xfe 0x10 -5 99999999999999999999 400000 400000\n200000 1e6\n");
  tree.write(at + "scaling_driver", "\x1b[31mred\x07\n");
  tree.write(at + "cpuinfo_max_freq", std::string(1 << 20, '9'));
  tree.remove(at + "scaling_min_freq");
  tree.pipe(at + "scaling_min_freq");
  tree.remove("/sys/class/thermal/thermal_zone0/temp");
  tree.pipe("/sys/class/thermal/thermal_zone0/temp");
  tree.write(LinuxTree::policy(4) + "related_cpus", "-1 4096 x\n");
  tree.write("/sys/devices/system/cpu/cpufreq/policyx/related_cpus", "0\n");
  const LinuxMachine machine = found(tree);
  ASSERT_EQ(machine.policies.size(), 1u) << "one without CPUs is none";
  const CpufreqPolicy& policy = machine.policies[0];
  EXPECT_THAT(policy.table_khz, ElementsAre(200000, 400000));
  EXPECT_EQ(policy.driver, "?[31mred?");
  EXPECT_EQ(policy.hardware_max_khz, 0);
  EXPECT_FALSE(machine.zones.at(0).temp_mc);
}

TEST(LinuxDiscover, ThisVeryMachine) {
  const LinuxMachine machine = discover_machine(SysTree());
  EXPECT_FALSE(machine.online.empty());
  EXPECT_FALSE(machine.allowed.empty());
  EXPECT_FALSE(machine.kernel.empty());
}

}  // namespace
}  // namespace flyball
