// A whole Linux machine made of a tree and a cpufreq core, under the platform's own calls.

#include "env/linux/linux_platform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>

#include "tests/env/allocation_counter.h"
#include "tests/env/counter_kernel.h"
#include "tests/env/linux_kernel.h"
#include "tests/env/linux_tree.h"

namespace flyball {
namespace {

using testing::CpufreqKernel;
using testing::LinuxTree;

const std::string kCpufreq = "/sys/devices/system/cpu/cpufreq/";
constexpr EpochRequest kShort{.interval_ns = 2'000'000};

/// Perf events that remember which CPU was read.
struct CountingKernel final : counter_test::ScriptedKernel {
  ssize_t read_event(int fd, void* buffer, std::size_t bytes) noexcept override {
    ++reads_of_cpu[events.at(static_cast<std::size_t>(fd - kFirstEvent)).cpu];
    return ScriptedKernel::read_event(fd, buffer, bytes);
  }
  std::map<int, int> reads_of_cpu;
};

/// An XU3 whose busy time the test says.
class LinuxMachineTest : public ::testing::Test {
 protected:
  LinuxMachineTest() {
    tree_.make_xu3();
    kernel_.add(kCpufreq + "policy0", {200000, 400000, 600000, 800000, 1000000, 1200000, 1400000});
    kernel_.add(kCpufreq + "policy4", {200000, 400000, 800000, 1200000, 1600000, 2000000});
    options_.calls = &kernel_;
  }
  LinuxPlatform& start() {
    const SysTree at(tree_.root());
    platform_.emplace(at, discover_machine(at), options_);
    return *platform_;
  }
  /// An epoch in which these CPUs were busy all the time and the others not at all.
  void epoch(const CpuSet& busy, const EpochRequest& request = kShort) {
    for (int cpu = 0; cpu < 8; ++cpu) {
      if (busy.contains(cpu)) ++busy_[static_cast<std::size_t>(cpu)];
    }
    std::string text;
    for (std::size_t cpu = 0; cpu < 8; ++cpu) {
      // Idle ticks stand still: /proc/stat counts in 10 ms and these epochs are shorter.
      text += "cpu" + std::to_string(cpu) + " " + std::to_string(busy_[cpu]) + " 0 0 0 0 0 0 0\n";
    }
    platform_->apply(action_);
    tree_.write("/proc/stat", text);
    platform_->advance(request, now_);
  }
  void settle() {
    const auto busy = [&] {
      for (const auto& cluster : platform_->clusters()) {
        if (cluster.hand.busy) return true;
      }
      return false;
    };
    while (busy()) std::this_thread::yield();
  }

  LinuxTree tree_;
  CpufreqKernel kernel_;
  CountingKernel perf_;
  const PerfMachine perf_machine_{perf_, tree_.root() + "/sys", tree_.root() + "/proc"};
  LinuxOptions options_;
  std::optional<LinuxPlatform> platform_;
  std::array<std::int64_t, 8> busy_{};
  Action action_;
  Observation now_;
};

TEST_F(LinuxMachineTest, TurnsClocksSeesThemAndGivesThemBack) {
  options_.actuator = ActuatorKind::kSetSpeed;
  start();
  EXPECT_EQ(kernel_.writes(), 0) << "nothing before the first decision";
  action_.opp = {2, 3};
  epoch({0, 4, 5});
  settle();
  epoch({0, 4, 5});
  EXPECT_EQ(kernel_.look(kCpufreq + "policy0").cur_khz, 600000);
  EXPECT_EQ(kernel_.look(kCpufreq + "policy4").cur_khz, 1200000);
  ASSERT_EQ(now_.cluster_count, 2);
  EXPECT_EQ(now_.cluster[0].freq_khz, 600000);
  EXPECT_EQ(now_.cluster[0].opp, 2);
  EXPECT_EQ(now_.cluster[1].asked_khz, 1200000);
  EXPECT_DOUBLE_EQ(now_.cluster[1].util_max, 1);
  EXPECT_DOUBLE_EQ(now_.cluster[1].util_mean, 0.5);
  EXPECT_DOUBLE_EQ(now_.cluster[0].temp_c, 55);
  EXPECT_EQ(now_.power_mw, 2000);
  EXPECT_GT(now_.cluster[1].capacity, now_.cluster[0].capacity);
  platform_.reset();
  EXPECT_EQ(kernel_.look(kCpufreq + "policy0").governor, "schedutil");
  EXPECT_EQ(kernel_.look(kCpufreq + "policy4").governor, "schedutil");
}

TEST_F(LinuxMachineTest, ADriverThatIsLoadedAnewIsTakenThoughTheSameClockIsAskedFor) {
  options_.actuator = ActuatorKind::kSetSpeed;
  start();
  action_.opp = {2, 3};
  epoch({0, 4, 5});
  settle();
  ASSERT_EQ(kernel_.look(kCpufreq + "policy4").cur_khz, 1200000);
  kernel_.change(kCpufreq + "policy4", [](auto& policy) {
    ++policy.epoch;
    policy.governor = "schedutil";
    policy.cur_khz = policy.table_khz.back();
  });
  // Or the test runs out of time.
  while (kernel_.look(kCpufreq + "policy4").cur_khz != 1200000) epoch({0, 4, 5});
  EXPECT_EQ(kernel_.look(kCpufreq + "policy4").governor, "userspace");
}

TEST_F(LinuxMachineTest, AnIdleCpuIsNotRead) {
  options_.perf = &perf_machine_;
  start();
  epoch({});
  settle();
  perf_.reads_of_cpu.clear();
  const int little = kernel_.reads_of("policy0/scaling_cur_freq");
  const int big = kernel_.reads_of("policy4/scaling_cur_freq");
  for (int i = 0; i < 10; ++i) {
    perf_.run(1000, 1000);
    epoch({4, 6});
  }
  EXPECT_EQ(kernel_.reads_of("policy0/scaling_cur_freq"), little);
  EXPECT_EQ(kernel_.reads_of("policy4/scaling_cur_freq"), big + 10);
  EXPECT_GT(perf_.reads_of_cpu[4], 0);
  EXPECT_GT(perf_.reads_of_cpu[6], 0);
  for (const int idle : {0, 1, 2, 3, 5, 7}) EXPECT_EQ(perf_.reads_of_cpu[idle], 0) << idle;
}

TEST_F(LinuxMachineTest, CountersAndTheDeliveredClock) {
  options_.perf = &perf_machine_;
  start();
  epoch({4, 5});
  settle();
  epoch({4, 5});
  // 4 million cycles each in the epoch to come, whatever the label says.
  perf_.run(4'000'000, 10'000'000);
  epoch({4, 5});
  ASSERT_TRUE(now_.cluster[1].counters.has(Counters::kCycles));
  EXPECT_DOUBLE_EQ(now_.cluster[1].counters.cycles, 8e6);
  const double khz = 8e6 / (2 * static_cast<double>(now_.epoch_ns)) * 1e6;
  EXPECT_NEAR(static_cast<double>(now_.cluster[1].freq_khz), khz, 1);
  // More cycles than the fastest clock has: an emulator's, which counts while a CPU is idle.
  perf_.run(400'000'000'000, 10'000'000);
  epoch({4, 5});
  EXPECT_EQ(now_.cluster[1].freq_khz, kernel_.look(kCpufreq + "policy4").cur_khz);
}

TEST_F(LinuxMachineTest, WhileNothingRunsLinuxGovernsAndALoadEndsTheNap) {
  options_.actuator = ActuatorKind::kSetSpeed;
  start();
  epoch({4});
  settle();
  EXPECT_EQ(kernel_.look(kCpufreq + "policy4").governor, "userspace");
  for (int i = 0; i < 2000 && !platform_->napping(); ++i) epoch({});
  ASSERT_TRUE(platform_->napping());
  settle();
  EXPECT_EQ(kernel_.look(kCpufreq + "policy4").governor, "schedutil");
  const int writes = kernel_.writes();
  epoch({});
  EXPECT_GE(now_.epoch_ns, LinuxPlatform::kNapNs) << "at most two wake-ups a second";
  EXPECT_EQ(kernel_.writes(), writes);
  epoch({4});
  EXPECT_FALSE(platform_->napping());
  epoch({4});
  settle();
  EXPECT_EQ(kernel_.look(kCpufreq + "policy4").governor, "userspace");
  EXPECT_EQ(platform_->naps(), 1u);
}

TEST_F(LinuxMachineTest, ADryRunWritesNothing) {
  options_.dry_run = true;
  start();
  for (int opp = 0; opp < 6; ++opp) {
    action_.opp = {static_cast<std::uint8_t>(opp), static_cast<std::uint8_t>(opp)};
    epoch({0, 4});
    EXPECT_EQ(now_.cluster[1].asked_opp, opp);
  }
  platform_.reset();
  EXPECT_EQ(kernel_.writes(), 0);
}

TEST_F(LinuxMachineTest, APolicyThatRefusesOrHangsDoesNotStopTheOther) {
  options_.actuator = ActuatorKind::kSetSpeed;
  start();
  kernel_.change(kCpufreq + "policy0", [](auto& policy) { policy.refuses = EIO; });
  action_.opp = {1, 1};
  epoch({0, 4});
  settle();
  epoch({0, 4});
  EXPECT_EQ(now_.cluster[0].error, EIO);
  EXPECT_EQ(now_.cluster[1].error, 0);
  EXPECT_EQ(kernel_.look(kCpufreq + "policy4").cur_khz, 400000);
  kernel_.change(kCpufreq + "policy4",
                 [](auto& policy) { policy.hangs = std::chrono::seconds(2); });
  kernel_.change(kCpufreq + "policy0", [](auto& policy) { policy.refuses = 0; });
  action_.opp = {2, 2};
  const int reads = kernel_.reads_of("policy4/scaling_cur_freq");
  int epochs = 0;
  do {
    epoch({0, 4});
    ++epochs;
  } while (platform_->clusters()[1].hand.busy && epochs < 20);
  EXPECT_EQ(epochs, 20) << "epochs passed while the write hung";
  EXPECT_TRUE(platform_->is_writing());
  EXPECT_EQ(kernel_.reads_of("policy4/scaling_cur_freq"), reads)
      << "Linux would keep a reader waiting for the writer";
}

TEST_F(LinuxMachineTest, AnEpochAllocatesNothing) {
  options_.actuator = ActuatorKind::kSetSpeed;
  options_.calls = nullptr;  // the test's kernel does
  start();
  action_.opp = {1, 1};
  epoch({0, 4});
  const std::uint64_t before = thread_allocations();
  for (int i = 0; i < 20; ++i) {
    action_.opp = {static_cast<std::uint8_t>(i % 6), static_cast<std::uint8_t>(i % 5)};
    platform_->apply(action_);
    platform_->advance(kShort, now_);
  }
  EXPECT_EQ(thread_allocations(), before);
}

TEST_F(LinuxMachineTest, EndsWhenItsTimeIsOverOrWhenItIsInterrupted) {
  options_.duration_ns = 5'000'000;
  start();
  Status status = Status::kOk;
  for (int i = 0; i < 100 && status == Status::kOk; ++i) status = platform_->advance(kShort, now_);
  EXPECT_EQ(status, Status::kFinished);
  options_.duration_ns = 0;
  start();
  platform_->interrupt();
  EXPECT_EQ(platform_->advance({.interval_ns = 3'600'000'000'000}, now_), Status::kInterrupted);
}

TEST_F(LinuxMachineTest, ALostReadingIsHeldAndCounted) {
  options_.dry_run = true;  // while a policy is written, its clock is not read
  start();
  epoch({4});
  tree_.write("/proc/stat", "");
  platform_->advance(kShort, now_);
  EXPECT_FALSE(now_.sensors_ok);
  // The load of both, and the clock of the one that was idle and is not looked at.
  EXPECT_EQ(now_.cluster[0].sensed.held, Sensed::kLoad | Sensed::kClock);
  EXPECT_EQ(now_.cluster[1].sensed.held, Sensed::kLoad);
  EXPECT_EQ(now_.held, 3u);
  for (int i = 1; i < kMaxHeldReadings; ++i) platform_->advance(kShort, now_);
  EXPECT_EQ(now_.cluster[1].sensed.absent, Sensed::kLoad);
  epoch({4});
  EXPECT_TRUE(now_.sensors_ok);
  EXPECT_EQ(now_.cluster[1].sensed.held | now_.cluster[1].sensed.absent, 0);
  EXPECT_EQ(now_.cluster[0].sensed.held, Sensed::kClock);
  EXPECT_EQ(now_.held, 1u);
}

TEST_F(LinuxMachineTest, AClockThatCannotBeReadIsHeldOverThenAbsent) {
  options_.dry_run = true;  // while a policy is written, its clock is not read
  start();
  epoch({0, 4});
  EXPECT_EQ(now_.cluster[1].sensed.held | now_.cluster[1].sensed.absent, 0);
  kernel_.change(kCpufreq + "policy4", [](auto& policy) { policy.offline = true; });
  for (int i = 1; i <= kMaxHeldReadings + 2; ++i) {
    epoch({0, 4});
    const bool held = i < kMaxHeldReadings;
    EXPECT_EQ(now_.cluster[1].sensed.held, held ? Sensed::kClock : 0) << i;
    EXPECT_EQ(now_.cluster[1].sensed.absent, held ? 0 : Sensed::kClock) << i;
    EXPECT_EQ(now_.cluster[1].freq_khz, 2000000) << "the last that was read";
    EXPECT_EQ(now_.cluster[0].sensed.held | now_.cluster[0].sensed.absent, 0);
  }
  kernel_.change(kCpufreq + "policy4", [](auto& policy) { policy.offline = false; });
  epoch({0, 4});
  EXPECT_EQ(now_.cluster[1].sensed.held | now_.cluster[1].sensed.absent, 0);
}

/// An input that tells no power any more: the last holds for a while, and then the model tells.
TEST_F(LinuxMachineTest, APowerSensorThatIsGoneIsHeldOverThenTheModelTells) {
  options_.dry_run = true;  // while a policy is written, its clock is not read
  start();
  epoch({0, 4});
  ASSERT_EQ(now_.power_mw, 2000);
  EXPECT_EQ(now_.sensed.held | now_.sensed.absent, 0);
  const std::string ina = "/sys/bus/i2c/drivers/INA231/3-0040/sensor_W";
  tree_.write(ina, "none\n");
  int held = 0;
  for (int i = 0; i < 5000 && now_.sensed.absent == 0; ++i) {
    epoch({0, 4});
    if ((now_.sensed.held & Sensed::kPower) == 0) continue;
    ++held;
    EXPECT_EQ(now_.power_mw, 2000);
  }
  EXPECT_GE(held, kMaxHeldReadings - 1);
  EXPECT_EQ(now_.sensed.absent, Sensed::kPower);
  EXPECT_NE(now_.power_mw, 2000);
  EXPECT_GT(now_.power_mw, 0);
  tree_.write(ina, "0.750\n");
  for (int i = 0; i < 5000 && now_.sensed.absent != 0; ++i) epoch({0, 4});
  EXPECT_EQ(now_.power_mw, 1500);
  const double span_s = static_cast<double>(now_.epoch_ns) * 1e-9;
  EXPECT_NEAR(now_.energy_mj, 1500 * span_s, 1e-6) << "what the model told is not charged again";
}

/// A counter of energy is read by a core of its package, and none is woken for that.
TEST_F(LinuxMachineTest, WhatIsNotReadWhileNothingRunsIsNotCalledMeasured) {
  tree_.remove("/sys/bus/i2c/drivers/INA231");
  const std::string rapl = "/sys/class/powercap/intel-rapl:0/";
  tree_.write(rapl + "name", "package-0\n");
  tree_.write(rapl + "energy_uj", "1000000\n");
  tree_.write(rapl + "max_energy_range_uj", "262143328850\n");
  options_.dry_run = true;
  start();
  EXPECT_EQ(platform_->power_source(), "rail package-0 by RAPL");
  epoch({});
  EXPECT_FALSE(platform_->power_measured());
  EXPECT_EQ(now_.sensed.absent, Sensed::kPower);
  double uj = 1e6;
  for (int i = 0; i < 5000 && !platform_->power_measured(); ++i) {
    tree_.write(rapl + "energy_uj", std::to_string(static_cast<std::int64_t>(uj += 50'000)) + "\n");
    epoch({0, 4});
  }
  EXPECT_TRUE(platform_->power_measured());
  EXPECT_EQ(now_.sensed.absent, 0);
  // It falls idle, and what was measured is soon of long ago.
  epoch({}, {.interval_ns = 2'100'000'000});
  EXPECT_FALSE(platform_->power_measured());
  EXPECT_EQ(now_.sensed.absent, Sensed::kPower);
  const double s = static_cast<double>(now_.epoch_ns) * 1e-9;
  EXPECT_NEAR(now_.energy_mj, now_.power_mw * s, 1e-6 * now_.energy_mj) << "modelled, both";
}

TEST_F(LinuxMachineTest, AGaugeTellsWhileNothingRunsToo) {
  options_.dry_run = true;
  start();
  epoch({0, 4});
  ASSERT_EQ(now_.power_mw, 2000);
  tree_.write("/sys/bus/i2c/drivers/INA231/3-0040/sensor_W", "0.050\n");
  epoch({}, {.interval_ns = 1'100'000'000});
  EXPECT_TRUE(platform_->power_measured());
  EXPECT_NEAR(now_.power_mw, 800, 1e-9);
}

TEST_F(LinuxMachineTest, TheBatteryIsTheMachinesOwnAndMovesThePreference) {
  const std::string battery = "/sys/class/power_supply/BAT0/";
  options_.dry_run = true;
  start();
  epoch({0});
  EXPECT_EQ(now_.battery_pct, 100) << "there is none";
  EXPECT_EQ(now_.sustainable_mw, 0);
  EXPECT_EQ(now_.energy_preference, 0.5);
  tree_.write(battery + "type", "Battery\n");
  tree_.write(battery + "status", "Discharging\n");
  tree_.write(battery + "capacity", "40\n");
  tree_.write(battery + "energy_now", "1000\n");  // 3600 mJ
  tree_.write(battery + "energy_full", "2500\n");
  options_.battery_until_ns = 100'000'000'000;
  start();
  epoch({0});
  EXPECT_EQ(now_.battery_pct, 40);
  EXPECT_NEAR(now_.sustainable_mw, 36, 1) << "3.6 J for 100 s";
  EXPECT_GT(now_.energy_preference, 0.5);
  LinuxTuning tuning;
  tuning.preference = 0.1;
  platform_->tune(tuning);
  epoch({0});
  EXPECT_EQ(now_.energy_preference, 0.1) << "what the user says comes first";
}

TEST_F(LinuxMachineTest, KnobsAsText) {
  options_.actuator = ActuatorKind::kBounds;
  start();
  const auto settings = platform_->capture();
  ASSERT_EQ(settings.size(), 2u);
  EXPECT_EQ(settings[1].knob, "policy4.freq");
  const auto outcomes = platform_->restore({{"policy4.freq", "800000"}, {"policy9.freq", "1"}});
  settle();
  EXPECT_EQ(kernel_.look(kCpufreq + "policy4").user_max_khz, 800000);
  ASSERT_EQ(outcomes.size(), 2u);
  EXPECT_EQ(outcomes[1].error, ENOENT);
}

}  // namespace
}  // namespace flyball
