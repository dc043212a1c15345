// Jobs of the governor's own on a Linux machine made of a tree and a cpufreq core.

#include <gtest/gtest.h>

#include <optional>

#include "env/ledger/cpu_allocator.h"
#include "env/linux/jobs/job_profiles.h"
#include "env/linux/jobs/pool_jobs.h"
#include "env/linux/linux_platform.h"
#include "env/model/model.h"
#include "tests/env/allocation_counter.h"
#include "tests/env/emulated_fixture.h"
#include "tests/env/linux_kernel.h"
#include "tests/env/linux_tree.h"

namespace flyball {
namespace {

using emulated_test::SleepingEngine;
using testing::CpufreqKernel;
using testing::LinuxTree;

constexpr std::int64_t kMs = 1'000'000;
const std::string kCpufreq = "/sys/devices/system/cpu/cpufreq/";

/// An XU3 with one application, whose jobs take 10 ms on a big core and come every 40 ms.
class LinuxJobsTest : public ::testing::Test {
 protected:
  LinuxJobsTest() {
    tree_.make_xu3();
    kernel_.add(kCpufreq + "policy0", {200000, 400000, 600000, 800000, 1000000, 1200000, 1400000});
    kernel_.add(kCpufreq + "policy4", {200000, 400000, 800000, 1200000, 1600000, 2000000});
    options_.calls = &kernel_;
    options_.actuator = ActuatorKind::kSetSpeed;
    made_ = make_machine_spec(discover_machine(SysTree(tree_.root())));
    add_job_profiles(emulated_test::easy_spec(), made_);
  }
  LinuxPlatform& start(std::int64_t duration_ms) {
    scenario_ = emulated_test::easy_scenario(duration_ms);
    scenario_.apps[0].profile = made_.spec.find_app("cnn");
    jobs_.emplace(made_.spec, made_.cpus, scenario_, engine_, PoolJobsOptions{.inference_ns = kMs});
    options_.made = &made_;
    options_.jobs = &*jobs_;
    const SysTree at(tree_.root());
    platform_.emplace(at, discover_machine(at), options_);
    platform_->observe(now_);
    action_.app[0] = now_.app[0].setting;
    return *platform_;
  }
  Status epoch() {
    platform_->apply(action_);
    const Status status = platform_->advance(
        {.interval_ns = 5 * kMs, .stop_at_release = true, .stop_at_finish = true}, now_);
    for (const JobRecord& job : now_.jobs()) records_.push_back(job);
    released_ += now_.app[0].released;
    return status;
  }
  int mapping(int cluster, int cores) const { return made_.spec.find_mapping(cluster, cores); }

  LinuxTree tree_;
  CpufreqKernel kernel_;
  SleepingEngine engine_{kMs};
  LinuxOptions options_;
  MachineSpec made_;
  Scenario scenario_;
  std::optional<PoolJobs> jobs_;
  std::optional<LinuxPlatform> platform_;
  Action action_;
  Observation now_;
  std::vector<JobRecord> records_;
  std::uint32_t released_ = 0;
};

TEST_F(LinuxJobsTest, NoJobIsMappedToMoreCoresThanThisProcessMayRunOn) {
  MachineSpec made = make_machine_spec(discover_machine(SysTree(tree_.root())));
  add_job_profiles(emulated_test::easy_spec(), made, CpuSet{0, 1, 2, 6});
  int most_little = 0, most_big = 0;
  for (const Mapping& mapping : made.spec.mappings) {
    most_little = std::max<int>(most_little, mapping.cores[0]);
    most_big = std::max<int>(most_big, mapping.cores[1]);
  }
  EXPECT_EQ(most_little, 3);
  EXPECT_EQ(most_big, 1);
  MachineSpec small = make_machine_spec(discover_machine(SysTree(tree_.root())));
  add_job_profiles(emulated_test::easy_spec(), small, CpuSet{0, 1});
  const auto time_ns = [](const MachineSpec& made) {
    return reference_time_ns(made.spec,
                             made.spec.apps[static_cast<std::size_t>(made.spec.find_app("cnn"))]);
  };
  EXPECT_DOUBLE_EQ(time_ns(small), time_ns(made_)) << "periods are in it";
  MachineSpec elsewhere = make_machine_spec(discover_machine(SysTree(tree_.root())));
  add_job_profiles(emulated_test::easy_spec(), elsewhere, CpuSet{100});
  EXPECT_EQ(elsewhere.spec.mappings.size(), made_.spec.mappings.size());
}

TEST_F(LinuxJobsTest, AJobIsBelievedToTakeAsLongAsDescribedOnTheFastestCore) {
  const AppProfile& cnn = made_.spec.apps[static_cast<std::size_t>(made_.spec.find_app("cnn"))];
  const OppChoice top = highest_opps(made_.spec);
  const int full = cnn.level_count() - 1;
  const auto time_ms = [&](int cluster) {
    const auto m = static_cast<std::size_t>(mapping(cluster, 1));
    return execution_ns(made_.spec, cnn, made_.spec.mappings[m], full, top) / kMs;
  };
  EXPECT_NEAR(time_ms(1), 10, 1e-9);  // 20 Mcycles at 2 GHz
  EXPECT_NEAR(time_ms(0), 10 * 1024.0 / 539, 1e-9);
  EXPECT_NE(made_.spec.content_hash, 0u);
  EXPECT_GE(made_.spec.mappings.size(), 24u) << "4 + 4 cores, mixed";
}

TEST_F(LinuxJobsTest, RunsThemWhereTheyAreMappedAndAtTheClocksThatAreAskedFor) {
  start(400);
  EXPECT_TRUE(platform_->binding(0).name == "camera");
  EXPECT_TRUE(now_.app[0].bound());
  action_.opp = {2, 3};
  action_.app[0] = {static_cast<std::uint8_t>(mapping(1, 2)), 0};
  Status status;
  double of_jobs_mj = 0, all_mj = 0;
  while ((status = epoch()) == Status::kOk) {
    of_jobs_mj += now_.app[0].energy_mj;
    all_mj += now_.energy_mj;
    EXPECT_FALSE(platform_->napping()) << "jobs may come at any moment";
  }
  EXPECT_EQ(status, Status::kFinished);
  // Or the test runs out of time.
  while (kernel_.look(kCpufreq + "policy0").cur_khz != 600000) std::this_thread::yield();
  while (kernel_.look(kCpufreq + "policy4").cur_khz != 1200000) std::this_thread::yield();
  EXPECT_EQ(released_, 10u);
  ASSERT_GE(records_.size(), 5u);
  for (const JobRecord& job : records_) {
    if (job.dropped) continue;
    EXPECT_GE(job.start_ns, job.release_ns);
    EXPECT_GT(job.finish_ns, job.start_ns);
    EXPECT_GT(job.energy_mj, 0);
    EXPECT_GT(job.cycles, 0);
    EXPECT_EQ(job.setting.mapping, mapping(1, 2));
    EXPECT_EQ(job.setting.level, 0);
  }
  EXPECT_GT(of_jobs_mj, 0);
  EXPECT_LE(of_jobs_mj, all_mj * (1 + 1e-9));
  const CpuSet available = thread_affinity();
  for (const SleepingEngine::Run& run : engine_.runs()) {
    EXPECT_EQ(run.setting.speed_ratio, 1) << "the clock is real";
    EXPECT_EQ(run.inferences, 10);
    EXPECT_EQ(run.setting.width, 0);
    EXPECT_EQ(run.setting.cpus & available, run.setting.cpus);
  }
}

TEST_F(LinuxJobsTest, AJobThatWasOverBeforeAnybodyLookedTookEnergyAndCycles) {
  start(400);
  action_.opp = {2, 3};
  action_.app[0] = {static_cast<std::uint8_t>(mapping(1, 2)), 0};
  while (epoch() == Status::kOk) {
    if (now_.app[0].released > 0) std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  int done = 0;
  for (const JobRecord& job : records_) {
    if (job.dropped) continue;
    ++done;
    EXPECT_GT(job.energy_mj, 0);
    const double ns = static_cast<double>(job.finish_ns - job.start_ns);
    EXPECT_GT(job.cycles, 0.15 * ns) << "at 200 MHz at least";
  }
  EXPECT_GE(done, 5);
}

TEST_F(LinuxJobsTest, NothingInAnEpochAllocates) {
  options_.calls = nullptr;  // the scripted ones allocate
  start(10'000);
  for (int i = 0; i < 20; ++i) epoch();  // both writers have begun
  records_.reserve(10'000);
  const std::uint64_t before = thread_allocations();
  for (int i = 0; i < 30; ++i) epoch();
  EXPECT_EQ(thread_allocations(), before);
  EXPECT_FALSE(records_.empty());
}

TEST_F(LinuxJobsTest, AnEngineThatBreaksEndsTheRun) {
  start(10'000);
  engine_.broken = true;
  Status status = Status::kOk;
  for (int i = 0; i < 10'000 && status == Status::kOk; ++i) status = epoch();
  EXPECT_EQ(status, Status::kDeviceLost);
  EXPECT_FALSE(jobs_->notes().empty());
}

TEST_F(LinuxJobsTest, WhatIsMeasuredIsSharedOut) {
  start(400);
  double all_mj = 0;
  std::int64_t ns = 0;
  while (epoch() == Status::kOk) {
    all_mj += now_.energy_mj;
    ns += now_.epoch_ns;
    EXPECT_EQ(now_.power_mw, 2000);  // the four rails
  }
  // What is measured, but for what was reckoned too much and could not be made up for yet.
  EXPECT_NEAR(all_mj, 2000 * static_cast<double>(ns) * 1e-9, 0.25 * all_mj);
}

// The model may say a hundredth of that while nothing runs.
TEST_F(LinuxJobsTest, ARailThatStaysGivesItsPowerTimesTheTime) {
  start(3000);
  double all_mj = 0;
  std::int64_t ns = 0;
  while (epoch() == Status::kOk) {
    all_mj += now_.energy_mj;
    ns += now_.epoch_ns;
  }
  const double measured_mj = 2000 * static_cast<double>(ns) * 1e-9;
  EXPECT_NEAR(all_mj, measured_mj, 0.1 * measured_mj);
}

TEST(CpuAllocatorTest, ClustersThatAreKnownHaveTheirOwnCpus) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  // The big ones first in the file, and their CPUs last on the machine.
  const CpuSet own[] = {CpuSet{4, 5, 6, 7}, CpuSet{0, 1, 2, 3}, CpuSet{}};
  const CpuSet all{0, 1, 2, 3, 4, 5, 6, 7};
  const CpuAllocator machine(spec, all, own);
  Mapping two;
  two.cores[0] = 2;
  EXPECT_EQ(machine.allocate(two), (CpuSet{4, 5}));
  // None of them is left: better somewhere than nowhere.
  EXPECT_EQ(CpuAllocator(spec, CpuSet{1, 2}, own).allocate(two), (CpuSet{1, 2}));
}

}  // namespace
}  // namespace flyball
