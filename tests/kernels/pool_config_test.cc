#include "kernels/pool/pool_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include "kernels/pool/pool.h"

namespace flyball {
namespace {

using testing::HasSubstr;

/// A machine with the CPUs 0 to 7 of which 0 to 5 are online, as sysfs shows it.
class FakeMachine : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "flyball_topology_" + std::to_string(getpid());
    std::filesystem::create_directories(root_);
    std::ofstream(root_ + "/present") << "0-7\n";
    std::ofstream(root_ + "/online") << "0-5\n";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  static int refuse(pthread_t, const CpuSet&) { return EPERM; }
  static int accept(pthread_t, const CpuSet&) { return 0; }
  std::string root_;
};

PoolConfig with_cpus(int active, CpuSet cpus) {
  PoolConfig config;
  config.active = active;
  config.cpus = cpus;
  return config;
}

int run_items(Pool& pool) {
  std::atomic<int> items{0};
  pool.parallel_for(50, [&](int, std::size_t) { items.fetch_add(1); });
  return items.load();
}

TEST_F(FakeMachine, RefusesAndNamesWhatIsWrongAndStaysUsable) {
  Pool pool(3, {root_, accept});
  ASSERT_TRUE(pool.configure(with_cpus(2, {4, 5})));
  ASSERT_EQ(run_items(pool), 50);

  PoolStatus status = pool.configure(with_cpus(0, {0}));
  EXPECT_EQ(status.error, PoolError::kNoActive);
  EXPECT_THAT(status.message(), HasSubstr("active workers 0"));

  status = pool.configure(with_cpus(4, {0}));
  EXPECT_EQ(status.error, PoolError::kTooManyActive);
  EXPECT_THAT(status.message(), HasSubstr("active workers 4: the pool was made with 3"));

  status = pool.configure(with_cpus(2, {1, 9}));
  EXPECT_EQ(status.error, PoolError::kUnknownCpu);
  EXPECT_EQ(status.value, 9);
  EXPECT_THAT(status.message(), HasSubstr("CPU 9"));

  status = pool.configure(with_cpus(2, {1, 6}));
  EXPECT_EQ(status.error, PoolError::kOfflineCpu);
  EXPECT_EQ(status.value, 6);
  EXPECT_THAT(status.message(), HasSubstr("CPU 6: it is offline"));

  PoolConfig negative = with_cpus(2, {0});
  negative.spin_ns = -1;
  EXPECT_EQ(pool.configure(negative).error, PoolError::kNegativeSpin);

  for (const Scheduling wrong : {Scheduling{SchedClass::kFifo, 0},
                                 {SchedClass::kFifo, 100},
                                 {SchedClass::kRoundRobin, -1},
                                 {SchedClass::kNormal, 1},
                                 {SchedClass::kInherited, 5}}) {
    PoolConfig config = with_cpus(2, {0});
    config.scheduling = wrong;
    status = pool.configure(config);
    EXPECT_EQ(status.error, PoolError::kPriority);
    EXPECT_EQ(status.value, wrong.priority);
    EXPECT_THAT(status.message(), HasSubstr("1 to 99 with the real-time classes"));
  }

  EXPECT_EQ(run_items(pool), 50);
  EXPECT_EQ(pool.applied(), with_cpus(2, {4, 5})) << "a refused configuration changes nothing";
}

TEST_F(FakeMachine, SeesACpuComeAndGo) {
  Pool pool(2, {root_, accept});
  EXPECT_FALSE(pool.configure(with_cpus(1, {6})));
  std::ofstream(root_ + "/online") << "0-6\n";
  EXPECT_TRUE(pool.configure(with_cpus(1, {6})));
  std::ofstream(root_ + "/online") << "0\n";
  EXPECT_FALSE(pool.configure(with_cpus(1, {6})));
}

TEST_F(FakeMachine, WorksWherePinningIsImpossibleAndSaysSo) {
  Pool pool(3, {root_, refuse});
  ASSERT_TRUE(pool.configure(with_cpus(3, {1, 2, 3})));
  EXPECT_EQ(run_items(pool), 50);
  EXPECT_EQ(pool.pinning().failures, 3);
  EXPECT_EQ(pool.pinning().error, EPERM);
  EXPECT_GE(pool.pinning().cpu, 1);
  ASSERT_TRUE(pool.configure(with_cpus(3, {})));
  EXPECT_EQ(run_items(pool), 50);
  EXPECT_EQ(pool.pinning().failures, 0);
}

TEST(PoolConfigCell, ReadsWhatWasPublishedWhole) {
  // Every publication has active = spin_ns = the number of the only CPU: a mixture would show.
  const auto numbered = [](int k) {
    PoolConfig config = with_cpus(k, {k});
    config.spin_ns = k;
    config.scheduling = {SchedClass::kFifo, k % 100};
    return config;
  };
  PoolConfigCell cell(numbered(1));
  std::atomic<bool> stop{false};
  const auto writer = [&](int from) {
    for (int k = from; !stop.load(); k = k % 1000 + 1) cell.publish(numbered(k));
  };
  std::thread first(writer, 1), second(writer, 500);
  std::uint64_t last = 0;
  for (int i = 0; i < 20'000; ++i) {
    PoolConfig config;
    const std::uint64_t version = cell.read(config);
    ASSERT_GE(version, last);
    last = version;
    ASSERT_EQ(config, numbered(config.active));
  }
  stop = true;
  first.join();
  second.join();
}

TEST(CpuSet, ReadsAndWritesLinuxLists) {
  const auto set = parse_cpu_list("0-2,6,8-9\n");
  ASSERT_TRUE(set);
  EXPECT_EQ(set->count(), 6);
  EXPECT_EQ(set->to_string(), "0-2,6,8-9");
  EXPECT_EQ(set->nth(0), 0);
  EXPECT_EQ(set->nth(3), 6);
  EXPECT_EQ(set->nth(5), 9);
  EXPECT_EQ(set->nth(6), -1);
  EXPECT_TRUE(parse_cpu_list("")->empty());
  for (const char* wrong : {"a", "1-", "-1", "3-1", "1,", ",1", "1 2", "1024", "0-99999999999"})
    EXPECT_FALSE(parse_cpu_list(wrong)) << wrong;
}

TEST(CpuSet, KnowsTheCpusAboveTheFirstWord) {
  CpuSet set{3, 64, 1023};
  EXPECT_EQ(set.count(), 3);
  EXPECT_EQ(set.nth(1), 64);
  EXPECT_EQ(set.nth(2), 1023);
  EXPECT_FALSE(set.add(1024));
  EXPECT_FALSE(set.add(-1));
  EXPECT_EQ(set.first_missing_in({3, 64}), 1023);
  EXPECT_EQ(set.first_missing_in({3, 64, 1023}), -1);
  EXPECT_EQ(CpuSet::from_mask(0b101), (CpuSet{0, 2}));
}

}  // namespace
}  // namespace flyball
