// Devices under devfreq: what is taken for a processing element, how its clock is turned, and that it is
// Linux's own while nobody is on it. Against a devfreq core with the faults that drivers have.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "env/linux/linux_platform.h"
#include "tests/env/linux_kernel.h"
#include "tests/env/linux_tree.h"

namespace flyball {
namespace {

using testing::CpufreqKernel;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LinuxTree;

const std::string kGpu = "/sys/class/devfreq/57000000.gpu";
const std::string kPolicy = "/sys/devices/system/cpu/cpufreq/policy0";

DevfreqDevice device_of(const CpufreqKernel::Policy& kernel) {
  DevfreqDevice device;
  device.name = "57000000.gpu";
  device.folder = kGpu;
  device.governor = kernel.governor;
  device.kind = DevfreqDevice::Kind::kGpu;
  for (const std::int64_t khz : kernel.table_khz) device.table_hz.push_back(khz * 1000);
  device.min_hz = kernel.user_min_khz * 1000;
  device.max_hz = std::min(kernel.user_max_khz, kernel.heat_max_khz) * 1000;
  return device;
}

struct KeepingHook final : SettingHook {
  int on_write(std::string_view path, std::string_view before, bool,
               std::string_view intended) noexcept override {
    told.push_back(std::string(path.substr(path.rfind('/') + 1)) + ":" + std::string(before) + ">" +
                   std::string(intended));
    return 0;
  }
  std::vector<std::string> told;
};

class DevfreqActuate : public ::testing::Test {
 protected:
  PolicyActuator actuator(ActuatorKind kind, bool cooling = false) {
    return {"", device_of(look()), kind, cooling, kernel_, &hook_};
  }
  void change(void (*with)(CpufreqKernel::Policy&)) { kernel_.change(kGpu, with); }
  CpufreqKernel::Policy look() { return kernel_.look(kGpu); }

  CpufreqKernel kernel_;
  KeepingHook hook_;
  CpufreqKernel::Policy& unused_ = kernel_.add_device(kGpu, {76800, 230400, 460800, 921600});
};

TEST_F(DevfreqActuate, BoundsHoldTheDeviceInHertzAndLeaveItsGovernor) {
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  EXPECT_EQ(kernel_.writes(), 0) << "to look is not to touch";
  one.set(230400);
  EXPECT_EQ(look().user_min_khz, 230400);
  EXPECT_EQ(look().user_max_khz, 230400);
  EXPECT_EQ(look().governor, "simple_ondemand");
  EXPECT_EQ(one.report().in_force_khz, 230400);
  EXPECT_THAT(hook_.told,
              ElementsAre("min_freq:76800000>230400000", "max_freq:921600000>230400000"));
  const int writes = kernel_.writes(), opens = kernel_.opens();
  one.set(230400);
  EXPECT_EQ(kernel_.writes(), writes);
  one.set(460800);
  EXPECT_EQ(kernel_.writes(), writes + 2);
  EXPECT_EQ(kernel_.opens(), opens) << "descriptors are held";
  one.hand_over();
  EXPECT_EQ(look().user_min_khz, 76800);
  EXPECT_EQ(look().user_max_khz, 921600);
}

TEST_F(DevfreqActuate, LimitsNeverCrossWhichOlderKernelsRefuse) {
  change([](auto& device) { device.refuses_crossed = true; });
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  for (const std::int64_t khz : {76800, 921600, 230400, 460800, 76800}) {
    one.set(khz);
    EXPECT_EQ(one.report().error, 0) << khz;
    EXPECT_EQ(look().user_min_khz, khz);
    EXPECT_EQ(look().user_max_khz, khz);
  }
  one.hand_over();
  EXPECT_EQ(one.report().error, 0);
  EXPECT_EQ(look().user_min_khz, 76800);
  EXPECT_EQ(look().user_max_khz, 921600);
}

TEST_F(DevfreqActuate, TheUsersLimitsHold) {
  change([](auto& device) {
    device.user_min_khz = 230400;
    device.user_max_khz = 460800;
  });
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(921600);
  EXPECT_EQ(look().user_max_khz, 460800);
  one.set(76800);
  EXPECT_EQ(look().user_min_khz, 230400);
  EXPECT_EQ(look().user_max_khz, 230400);
  one.hand_over();
  EXPECT_EQ(look().user_min_khz, 230400);
  EXPECT_EQ(look().user_max_khz, 460800);
}

TEST_F(DevfreqActuate, EveryRefusalIsReportedAndTheNextTryMayWork) {
  for (const int error : {EBUSY, EINVAL, EIO}) {
    kernel_.change(kGpu, [&](auto& device) { device.refuses = error; });
    PolicyActuator one = actuator(ActuatorKind::kBounds);
    one.set(460800);
    EXPECT_EQ(one.report().error, error);
    EXPECT_EQ(one.report().refused, 1u);
    EXPECT_EQ(look().user_max_khz, 921600);
    change([](auto& device) { device.refuses = 0; });
    one.set(460800);
    EXPECT_EQ(one.report().error, 0);
    EXPECT_EQ(look().user_max_khz, 460800);
    one.hand_over();
    EXPECT_EQ(look().user_max_khz, 921600);
  }
}

TEST_F(DevfreqActuate, SilentCappingIsReadBack) {
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  change([](auto& device) { device.heat_max_khz = 230400; });
  one.set(460800);
  EXPECT_EQ(one.report().in_force_khz, 230400);
  EXPECT_EQ(one.report().rounded, 1u);
  EXPECT_EQ(one.report().error, 0);
}

TEST_F(DevfreqActuate, ALimitThatHeatLoweredNeverBecomesTheUsers) {
  change([](auto& device) { device.heat_max_khz = 460800; });
  PolicyActuator one = actuator(ActuatorKind::kBounds, /*cooling=*/true);
  one.set(230400);
  change([](auto& device) { device.heat_max_khz = 1'000'000'000; });
  one.hand_over();
  EXPECT_EQ(look().user_max_khz, 921600);
}

TEST_F(DevfreqActuate, SetspeedAsksForItAndTheDeliveredClockTells) {
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  one.set(230400);
  EXPECT_EQ(look().governor, "userspace");
  EXPECT_EQ(look().cur_khz, 230400);
  EXPECT_EQ(one.report().in_force_khz, 230400);
  change([](auto& device) { device.fails_silently = true; });
  one.set(921600);
  EXPECT_EQ(one.report().error, EREMOTEIO);
  EXPECT_EQ(one.report().ignored, 1u);
  one.hand_over();
  EXPECT_EQ(look().governor, "simple_ondemand");
}

TEST_F(DevfreqActuate, AnotherProgramThatRaisesTheLimitIsNotFought) {
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(230400);
  change([](auto& device) { device.user_max_khz = 460800; });
  one.set(76800);
  EXPECT_TRUE(one.report().stood_down);
  EXPECT_EQ(look().user_max_khz, 460800);
  EXPECT_EQ(look().user_min_khz, 76800) << "the one that was ours";
  one.set(921600);
  EXPECT_EQ(look().user_max_khz, 460800);
}

TEST(DevfreqChoice, SetspeedOnlyWhereItIsAskedForAndUserspaceIsThere) {
  LinuxTree tree;
  tree.make_nano();
  const SysTree at(tree.root());
  DevfreqDevice device = discover_devfreq(at).front();
  EXPECT_EQ(choose_actuator(device, ActuatorKind::kAuto).kind, ActuatorKind::kBounds);
  const ActuatorChoice choice = choose_actuator(device, ActuatorKind::kSetSpeed);
  EXPECT_EQ(choice.kind, ActuatorKind::kNone);
  EXPECT_THAT(choice.why, HasSubstr("userspace"));
  tree.write(kGpu + "/available_governors", "userspace performance nvhost_podgov\n");
  device = discover_devfreq(at).front();
  EXPECT_EQ(choose_actuator(device, ActuatorKind::kSetSpeed).kind, ActuatorKind::kSetSpeed);
  EXPECT_EQ(choose_actuator(device, ActuatorKind::kAuto).kind, ActuatorKind::kBounds);
  tree.write(kGpu + "/available_frequencies", "76800000\n");
  device = discover_devfreq(at).front();
  EXPECT_EQ(choose_actuator(device, ActuatorKind::kAuto).kind, ActuatorKind::kNone);
}

TEST(DevfreqChoice, WhatADeviceIsIsInItsName) {
  LinuxTree tree;
  for (const char* name : {"fb000000.gpu", "fdab0000.npu", "soc:dmc", "a0000000.fpga", "1c0.x"}) {
    const std::string folder = std::string("/sys/class/devfreq/") + name + "/";
    tree.write(folder + "governor", "simple_ondemand\n");
    tree.write(folder + "available_frequencies", "100000000 200000000\n");
  }
  std::vector<std::string> kinds;
  for (const DevfreqDevice& device : discover_devfreq(SysTree(tree.root())))
    kinds.emplace_back(device.name + " " + element_name(device.kind));
  EXPECT_THAT(kinds, ::testing::UnorderedElementsAre("fb000000.gpu gpu", "fdab0000.npu npu",
                                                     "soc:dmc memory", "a0000000.fpga fpga",
                                                     "1c0.x device"));
}

TEST(DevfreqFiles, AnOperatingPointOfNoWholeKilohertzIsWrittenAsTheDeviceHasIt) {
  LinuxTree tree;
  tree.make_nano();
  tree.write(kGpu + "/available_frequencies", "133333333 266666666 533333333\n");
  tree.write(kGpu + "/min_freq", "133333333\n");
  tree.write(kGpu + "/max_freq", "533333333\n");
  const SysTree at(tree.root());
  const LinuxMachine machine = discover_machine(at);
  const MachineSpec made = make_machine_spec(machine, /*devices=*/true);
  PolicyActuator one(at.root(), machine.devfreq.front(), ActuatorKind::kBounds, false,
                     linux_setting_calls(), nullptr);
  for (const std::size_t opp : {1, 2, 0}) {
    const std::int64_t khz = made.spec.clusters[1].opps[opp].freq_khz;
    one.set(khz);
    const std::string exact = std::to_string(machine.devfreq.front().table_hz[opp]);
    EXPECT_EQ(tree.line(kGpu + "/min_freq"), exact);
    EXPECT_EQ(tree.line(kGpu + "/max_freq"), exact);
    EXPECT_EQ(one.report().in_force_khz, khz);
    EXPECT_EQ(one.report().rounded, 0u);
  }
  one.hand_over();
  EXPECT_EQ(tree.line(kGpu + "/max_freq"), "533333333");
}

TEST(DevfreqSpec, ADeviceIsAClusterWithoutCpusWhereItIsAskedFor) {
  LinuxTree tree;
  tree.make_nano();
  tree.write("/sys/class/devfreq/soc:emc/governor", "performance\n");
  tree.write("/sys/class/devfreq/soc:emc/available_frequencies", "204000000 1600000000\n");
  const LinuxMachine machine = discover_machine(SysTree(tree.root()));
  EXPECT_EQ(make_machine_spec(machine).spec.clusters.size(), 1u);
  const MachineSpec made = make_machine_spec(machine, /*devices=*/true);
  ASSERT_EQ(made.spec.clusters.size(), 2u) << "no job runs on memory";
  const ClusterSpec& gpu = made.spec.clusters[1];
  EXPECT_EQ(gpu.name, "57000000.gpu");
  EXPECT_EQ(gpu.kind, ClusterSpec::Kind::kGpu);
  ASSERT_EQ(gpu.opps.size(), 3u);
  EXPECT_EQ(gpu.opps[0].freq_khz, 76800);
  EXPECT_EQ(gpu.opps[2].freq_khz, 921600);
  EXPECT_TRUE(made.cpus[1].empty());
  EXPECT_GE(made.spec.find_mapping(1, 1), 0);
  EXPECT_EQ(made.spec.big_cluster(), 0);
}

/// A Jetson Nano whose CPUs are idle.
class DevfreqPlatform : public ::testing::Test {
 protected:
  static constexpr EpochRequest kShort{.interval_ns = 2'000'000};

  DevfreqPlatform() {
    tree_.make_nano();
    kernel_.add(kPolicy, {102000, 403200, 825600, 1479000});
    kernel_.add_device(kGpu, {76800, 460800, 921600});
    options_.calls = &kernel_;
  }
  LinuxPlatform& start() {
    const SysTree at(tree_.root());
    const LinuxMachine machine = discover_machine(at);
    made_ = make_machine_spec(machine, /*devices=*/true);
    options_.made = &made_;
    platform_.emplace(at, machine, options_);
    return *platform_;
  }
  void epoch() {
    platform_->apply(action_);
    platform_->advance(kShort, seen_);
    while (platform_->is_writing()) platform_->advance(kShort, seen_);
  }
  CpufreqKernel::Policy gpu() { return kernel_.look(kGpu); }

  LinuxTree tree_;
  CpufreqKernel kernel_;
  LinuxOptions options_;
  MachineSpec made_;
  Action action_;
  Observation seen_;
  std::optional<LinuxPlatform> platform_;
};

TEST_F(DevfreqPlatform, IsNeitherTurnedNorReadWhileNobodyIsOnIt) {
  LinuxPlatform& machine = start();
  const int reads = kernel_.reads_of("57000000.gpu/scaling_cur_freq");
  action_.opp[0] = 1;
  action_.opp[1] = 1;
  for (int i = 0; i < 5; ++i) epoch();
  EXPECT_EQ(gpu().user_max_khz, 921600);
  EXPECT_EQ(gpu().user_min_khz, 76800);
  EXPECT_EQ(kernel_.look(kPolicy).user_max_khz, 403200);
  EXPECT_EQ(kernel_.reads_of("57000000.gpu/scaling_cur_freq"), reads);
  EXPECT_EQ(machine.hand(1).writes, 0u);
}

TEST_F(DevfreqPlatform, IsTurnedAndSeenWhileSomebodyIsAndLinuxsAgainAfterwards) {
  LinuxPlatform& machine = start();
  machine.occupy(0b10);
  action_.opp[1] = 1;
  epoch();
  EXPECT_EQ(gpu().user_max_khz, 460800);
  EXPECT_EQ(gpu().user_min_khz, 460800);
  kernel_.change(kGpu, [](auto& device) { device.cur_khz = 460800; });
  epoch();
  EXPECT_EQ(seen_.cluster[1].freq_khz, 460800) << "what is delivered";
  EXPECT_EQ(seen_.cluster[1].asked_khz, 460800);
  for (int i = 0; i < 300; ++i) machine.advance(kShort, seen_);
  EXPECT_FALSE(machine.napping()) << "a job on a device shows on no CPU";
  EXPECT_EQ(gpu().user_max_khz, 460800);
  machine.occupy(0);
  epoch();
  EXPECT_EQ(gpu().user_max_khz, 921600);
  EXPECT_EQ(gpu().user_min_khz, 76800);
}

TEST_F(DevfreqPlatform, OfClustersOfCpusNobodyNeedsToSaySo) {
  LinuxPlatform& machine = start();
  machine.occupy(0b01);  // not a device
  for (int i = 0; i < 350 && !machine.napping(); ++i) machine.advance(kShort, seen_);
  EXPECT_TRUE(machine.napping());
}

TEST_F(DevfreqPlatform, ARefusalOfOneDoesNotStopTheOther) {
  LinuxPlatform& machine = start();
  machine.occupy(0b10);
  kernel_.change(kGpu, [](auto& device) { device.refuses = EBUSY; });
  action_.opp[0] = 1;
  action_.opp[1] = 1;
  epoch();
  EXPECT_EQ(machine.hand(1).error, EBUSY);
  EXPECT_EQ(seen_.cluster[1].error, EBUSY);
  EXPECT_EQ(kernel_.look(kPolicy).user_max_khz, 403200);
  kernel_.change(kGpu, [](auto& device) { device.refuses = 0; });
  kernel_.change(kPolicy, [](auto& policy) { policy.refuses = EINVAL; });
  action_.opp[0] = 2;
  action_.opp[1] = 2;
  epoch();
  EXPECT_EQ(machine.hand(0).error, EINVAL);
  // A clock is asked for again a second after it was refused.
  for (int i = 0; i < 1500 && gpu().user_min_khz != 921600; ++i) epoch();
  EXPECT_EQ(gpu().user_min_khz, 921600);
}

TEST_F(DevfreqPlatform, AProgramThatTakesItHasIt) {
  LinuxPlatform& machine = start();
  machine.occupy(0b10);
  action_.opp[1] = 1;
  epoch();
  machine.stand_down("57000000.gpu");
  action_.opp[1] = 0;
  epoch();
  EXPECT_EQ(machine.hand(1).stood_down, 1);
  EXPECT_EQ(gpu().user_max_khz, 921600);
  EXPECT_EQ(machine.clusters()[1].policies, std::vector<std::string>{"57000000.gpu"});
  EXPECT_THAT(machine.clusters()[1].cpus.to_string(), IsEmpty());
}

TEST_F(DevfreqPlatform, TheEndGivesItBack) {
  start().occupy(0b10);
  action_.opp[1] = 0;
  epoch();
  EXPECT_EQ(gpu().user_max_khz, 76800);
  platform_.reset();
  EXPECT_EQ(gpu().user_max_khz, 921600);
  EXPECT_EQ(gpu().user_min_khz, 76800);
}

TEST_F(DevfreqPlatform, ADryRunWritesNothing) {
  options_.dry_run = true;
  LinuxPlatform& machine = start();
  machine.occupy(0b10);
  action_.opp[1] = 0;
  for (int i = 0; i < 3; ++i) epoch();
  EXPECT_EQ(kernel_.writes(), 0);
  EXPECT_THAT(machine.clusters()[1].why, HasSubstr("dry run; else bounds"));
}

}  // namespace
}  // namespace flyball
