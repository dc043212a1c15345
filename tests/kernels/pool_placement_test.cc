#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "kernels/base/clock.h"
#include "kernels/pool/placement.h"
#include "kernels/pool/pool.h"

namespace flyball {
namespace {

/// A machine with the CPUs 0 to 3 that come and go, and with Linux's habits: a thread cannot be
/// pinned to offline CPUs only, and loses its mask when the last of its CPUs goes.
class HotplugMachine : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "flyball_hotplug_" + std::to_string(getpid());
    std::filesystem::create_directories(root_);
    std::ofstream(root_ + "/present") << "0-3\n";
    masks_.clear();
    pins_ = 0;
    classes_.clear();
    refusal_ = 0;
    can_return_ = true;
    switch_to({0, 1, 2, 3});
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  PoolOptions options() const {
    return {root_, set_affinity, set_scheduling, current_cpu,
            [](const Scheduling&, const Scheduling&) { return can_return_; }};
  }

  void switch_to(const CpuSet& online) {
    const std::lock_guard lock(mutex_);
    online_ = online;
    std::ofstream(root_ + "/online") << online.to_string() << '\n';
    for (auto& [thread, mask] : masks_)
      if ((mask & online_).empty()) mask = kAll;
  }
  /// Of all threads that were ever pinned.
  static std::multimap<std::string, pthread_t> masks() {
    const std::lock_guard lock(mutex_);
    std::multimap<std::string, pthread_t> found;
    for (const auto& [thread, mask] : masks_) found.emplace(mask.to_string(), thread);
    return found;
  }
  static int pins() {
    const std::lock_guard lock(mutex_);
    return pins_;
  }
  /// Runs jobs in which both workers take part until `settled()`; false when that never comes.
  template <class Settled>
  static bool run_until(Pool& pool, Settled&& settled) {
    for (int attempt = 0; attempt < 2000; ++attempt) {
      run_together(pool);
      if (settled()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  /// Each of two workers waits for the other one.
  static void run_together(Pool& pool) {
    std::atomic<int> arrived{0};
    pool.parallel_for(2, [&](int, std::size_t) {
      arrived.fetch_add(1);
      while (arrived.load() < 2) sched_yield();
    });
  }
  static bool on(const CpuSet& first, const CpuSet& second) {
    const auto found = masks();
    return found.size() == 2 && found.contains(first.to_string()) &&
           found.contains(second.to_string());
  }

  static int set_affinity(pthread_t thread, const CpuSet& cpus) {
    const std::lock_guard lock(mutex_);
    ++pins_;
    if ((cpus & online_).empty()) return EINVAL;
    masks_[thread] = cpus;
    return 0;
  }
  static int set_scheduling(pthread_t thread, const Scheduling& scheduling) {
    const std::lock_guard lock(mutex_);
    if (refusal_ != 0) return refusal_;
    classes_[thread] = scheduling;
    return 0;
  }
  static int current_cpu() {
    const std::lock_guard lock(mutex_);
    const auto found = masks_.find(pthread_self());
    return ((found == masks_.end() ? kAll : found->second) & online_).nth(0);
  }

  inline static const CpuSet kAll{0, 1, 2, 3};
  inline static std::mutex mutex_;
  inline static std::map<pthread_t, CpuSet> masks_;
  inline static std::map<pthread_t, Scheduling> classes_;
  inline static int refusal_ = 0;
  inline static bool can_return_ = true;
  inline static CpuSet online_;
  inline static int pins_ = 0;
  std::string root_;
};

PoolConfig two_on(const CpuSet& cpus) {
  PoolConfig config;
  config.active = 2;
  config.cpus = cpus;
  return config;
}

TEST_F(HotplugMachine, PinsOnlyWhoHasToMove) {
  Pool pool(2, options());
  ASSERT_TRUE(pool.configure(two_on({1, 2})));
  run_together(pool);
  EXPECT_EQ(pins(), 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  run_together(pool);
  EXPECT_EQ(pins(), 2);
  ASSERT_TRUE(pool.configure(two_on({1, 2})));
  run_together(pool);
  EXPECT_EQ(pins(), 2);
  ASSERT_TRUE(pool.configure(two_on({1, 3})));
  run_together(pool);
  EXPECT_EQ(pins(), 3);
  EXPECT_TRUE(on({1}, {3}));
  ASSERT_TRUE(pool.configure(two_on({})));
  run_together(pool);
  run_together(pool);
  EXPECT_EQ(pins(), 5) << "both get their own mask back, once";
}

TEST_F(HotplugMachine, TakesBackAWorkerThatSomebodyElseHasMoved) {
  Pool pool(2, options());
  ASSERT_TRUE(pool.configure(two_on({1, 2})));
  run_together(pool);
  for (const auto& [mask, thread] : masks()) {
    const std::lock_guard lock(mutex_);
    masks_[thread] = {3};
  }
  EXPECT_TRUE(run_until(pool, [] { return on({1}, {2}); }));
}

TEST_F(HotplugMachine, DoesWithoutACpuThatGoesAndTakesItBack) {
  Pool pool(2, options());
  ASSERT_TRUE(pool.configure(two_on({1, 2})));
  run_together(pool);
  ASSERT_TRUE(on({1}, {2}));
  for (int time = 0; time < 3; ++time) {
    switch_to({0, 1, 3});
    EXPECT_TRUE(run_until(pool, [] { return masks().count("1") == 2; }));
    EXPECT_EQ(pool.pinning().offline, 1);
    EXPECT_EQ(pool.pinning().failures, 0);
    switch_to(kAll);
    EXPECT_TRUE(run_until(pool, [] { return on({1}, {2}); }));
    EXPECT_EQ(pool.pinning().offline, 0);
  }
  EXPECT_EQ(pool.applied(), two_on({1, 2}));
}

TEST_F(HotplugMachine, RunsUnpinnedWhenNoneIsLeftUntilOneReturns) {
  Pool pool(2, options());
  ASSERT_TRUE(pool.configure(two_on({2, 3})));
  run_together(pool);
  switch_to({0, 1});
  const std::string base = thread_affinity().to_string();
  EXPECT_TRUE(run_until(pool, [&] { return masks().count(base) == 2; }));
  EXPECT_EQ(pool.pinning().offline, 2);
  switch_to({0, 1, 3});
  EXPECT_TRUE(run_until(pool, [] { return masks().count("3") == 2; }));
  EXPECT_EQ(pool.pinning().offline, 1);
  switch_to(kAll);
  EXPECT_TRUE(run_until(pool, [] { return on({2}, {3}); }));
  EXPECT_EQ(pool.pinning().offline, 0);
}

TEST_F(HotplugMachine, NoticesACpuThatWasGoneBetweenTwoJobsOnly) {
  Pool pool(2, options());
  ASSERT_TRUE(pool.configure(two_on({1, 2})));
  run_together(pool);
  switch_to({0, 3});
  switch_to(kAll);
  ASSERT_EQ(masks().count(kAll.to_string()), 2u) << "nothing shows that they were gone, but this";
  EXPECT_TRUE(run_until(pool, [] { return on({1}, {2}); }));
  EXPECT_EQ(pool.pinning().offline, 0);
}

TEST_F(HotplugMachine, LosesACpuBetweenAcceptingAndApplying) {
  Pool pool(2, options());
  ASSERT_TRUE(pool.configure(two_on({1, 2})));
  switch_to({0, 1, 3});
  run_together(pool);
  EXPECT_EQ(masks().count("1"), 2u);
  EXPECT_EQ(pool.pinning().offline, 1);
  EXPECT_EQ(pool.pinning().failures, 0);
  switch_to(kAll);
  EXPECT_TRUE(run_until(pool, [] { return on({1}, {2}); }));
}

TEST_F(HotplugMachine, SpinsOnlyWhileEachWorkerHasACpu) {
  Pool pool(2, options());
  PoolConfig config = two_on({1, 2});
  config.spin_ns = 10'000'000'000;
  ASSERT_TRUE(pool.configure(config));
  run_together(pool);
  switch_to({0, 1, 3});
  ASSERT_TRUE(run_until(pool, [] { return masks().count("1") == 2; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // whoever was about to park has
  const std::int64_t from = read_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_LT(read_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - from, 20'000'000);
}

TEST_F(HotplugMachine, GivesTheClassToTheActiveWorkersAndBackToTheCaller) {
  const Scheduling fifo{SchedClass::kFifo, 7};
  const Scheduling before = thread_scheduling();
  {
    Pool pool(3, options());
    PoolConfig config = two_on({1, 2});
    config.scheduling = fifo;
    ASSERT_TRUE(pool.configure(config));
    run_together(pool);
    EXPECT_EQ(pool.scheduling().failures, 0);
    EXPECT_EQ(classes_.size(), 2u) << "the third is not active";
    EXPECT_EQ(classes_[pthread_self()], fifo);
    for (const auto& [thread, scheduling] : classes_) EXPECT_EQ(scheduling, fifo);

    pool.release_caller();
    EXPECT_EQ(classes_[pthread_self()], before);
    run_together(pool);
    EXPECT_EQ(classes_[pthread_self()], fifo) << "it uses the pool again";

    config.scheduling = {};
    ASSERT_TRUE(pool.configure(config));
    run_together(pool);
    for (const auto& [thread, scheduling] : classes_) EXPECT_EQ(scheduling, before);

    config.scheduling = fifo;
    ASSERT_TRUE(pool.configure(config));
    run_together(pool);
  }
  EXPECT_EQ(classes_[pthread_self()], before) << "the destructor gives it back, too";
}

TEST_F(HotplugMachine, ReportsAClassThatItMayNotSetAndWorksOn) {
  Pool pool(2, options());
  refusal_ = EPERM;
  PoolConfig config = two_on({1, 2});
  config.scheduling = {SchedClass::kFifo, 50};
  ASSERT_TRUE(pool.configure(config));
  run_together(pool);
  EXPECT_EQ(pool.scheduling().failures, 2);
  EXPECT_EQ(pool.scheduling().error, EPERM);
  EXPECT_EQ(pool.pinning().failures, 0);
  config.scheduling = {};
  ASSERT_TRUE(pool.configure(config));
  run_together(pool);
  EXPECT_EQ(pool.scheduling().failures, 0);
}

TEST_F(HotplugMachine, ACallerThatCouldNotComeBackKeepsItsClass) {
  can_return_ = false;
  Pool pool(2, options());
  PoolConfig config = two_on({1, 2});
  config.scheduling = {SchedClass::kIdle, 0};
  ASSERT_TRUE(pool.configure(config));
  run_together(pool);
  EXPECT_EQ(pool.scheduling().failures, 1);
  EXPECT_EQ(pool.scheduling().error, EPERM);
  EXPECT_FALSE(classes_.contains(pthread_self()));
  ASSERT_EQ(classes_.size(), 1u) << "the worker does follow";
  EXPECT_EQ(classes_.begin()->second, config.scheduling);
}

// What Linux denies to a thread without privilege, asked of Linux.
TEST(PoolScheduling, NeverLeavesAnUnprivilegedCallerInTheIdleClass) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_NICE, &none);
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(9);
    Pool pool(2);
    PoolConfig config;
    config.active = 2;
    config.scheduling.sched_class = SchedClass::kIdle;
    if (!pool.configure(config)) _exit(2);
    pool.parallel_for(2, [](int, std::size_t) {});
    if (sched_getscheduler(0) != SCHED_OTHER) _exit(3);
    if (pool.scheduling().failures != 1 || pool.scheduling().error != EPERM) _exit(4);
    pool.release_caller();
    _exit(sched_getscheduler(0) == SCHED_OTHER ? 0 : 5);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 9) GTEST_SKIP() << "root cannot step down here";
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(PoolScheduling, ReachesTheWorkersForReal) {
  const int before = sched_getscheduler(0);
  {
    Pool pool(2);
    PoolConfig config;
    config.active = 2;
    config.scheduling.sched_class = SchedClass::kBatch;  // needs no privilege
    ASSERT_TRUE(pool.configure(config));
    std::atomic<int> arrived{0}, batch{0};
    pool.parallel_for(2, [&](int, std::size_t) {
      arrived.fetch_add(1);
      while (arrived.load() < 2) sched_yield();
      if (sched_getscheduler(0) == SCHED_BATCH) batch.fetch_add(1);
    });
    EXPECT_EQ(pool.scheduling().failures, 0);
    EXPECT_EQ(batch.load(), 2);
  }
  EXPECT_EQ(sched_getscheduler(0), before);
}

}  // namespace
}  // namespace flyball
