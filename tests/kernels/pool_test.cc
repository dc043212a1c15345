#include "kernels/pool/pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "kernels/base/clock.h"

namespace flyball {
namespace {

PoolConfig config_of(int active, CpuSet cpus = {}, std::int64_t spin_ns = 20'000) {
  PoolConfig config;
  config.active = active;
  config.cpus = cpus;
  config.spin_ns = spin_ns;
  return config;
}

/// Runs a job of n items and expects each once, by a worker in [0, active).
void expect_each_once(Pool& pool, std::size_t n, int active) {
  const auto seen = std::make_unique<std::atomic<std::uint8_t>[]>(n);
  std::atomic<int> bad_worker{0};
  std::atomic<std::size_t> out_of_bounds{0};
  pool.parallel_for(n, [&](int worker, std::size_t i) {
    if (worker < 0 || worker >= active) bad_worker.fetch_add(1);
    if (i >= n)
      out_of_bounds.fetch_add(1);
    else
      seen[i].fetch_add(1, std::memory_order_relaxed);
  });
  EXPECT_EQ(bad_worker.load(), 0);
  EXPECT_EQ(out_of_bounds.load(), 0u);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < n; ++i) wrong += seen[i].load() != 1 ? 1 : 0;
  EXPECT_EQ(wrong, 0u) << n << " items, " << active << " active";
}

/// CPU time of the whole process: what others do on the machine does not count.
std::int64_t process_cpu_ns() { return read_clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

TEST(Pool, RunsEachItemOnce) {
  Pool pool(7);
  for (int active : {1, 2, 3, 7}) {
    ASSERT_TRUE(pool.configure(config_of(active)));
    for (std::size_t n : {0u, 1u, 2u, 3u, 6u, 7u, 8u, 63u, 1000u})
      expect_each_once(pool, n, active);
  }
}

TEST(Pool, RunsMoreItemsThanAShareCanNumber) {
  Pool pool(2);
  for (std::size_t n : {std::size_t{ItemRange::kMaxItems}, std::size_t{ItemRange::kMaxItems} + 1,
                        std::size_t{3} * ItemRange::kMaxItems + 17})
    expect_each_once(pool, n, 2);
}

TEST(Pool, KeepsCountUnderContention) {
  Pool pool(4);
  std::atomic<std::uint64_t> sum{0};
  constexpr std::uint64_t kItems = 100'000;
  pool.parallel_for(kItems, [&](int, std::size_t i) { sum.fetch_add(i); });
  EXPECT_EQ(sum.load(), kItems * (kItems - 1) / 2);
}

TEST(Pool, RunsItemsOfVeryUnequalLengthOnceEach) {
  Pool pool(4);
  std::mt19937 random(9);
  for (int job = 0; job < 20; ++job) {
    // One in thirty takes 200 us, the others next to nothing.
    std::vector<int> length_ns(1 + random() % 200);
    for (int& length : length_ns) length = random() % 30 == 0 ? 200'000 : 0;
    std::vector<std::atomic<int>> seen(length_ns.size());
    pool.parallel_for(seen.size(), [&](int, std::size_t i) {
      const std::int64_t until = monotonic_ns() + length_ns[i];
      while (monotonic_ns() < until) {
      }
      seen[i].fetch_add(1);
    });
    for (const auto& count : seen) ASSERT_EQ(count.load(), 1);
  }
}

TEST(Pool, LosesNoWakeUpHoweverOftenItParks) {
  Pool pool(3);
  ASSERT_TRUE(pool.configure(config_of(3, {}, 0)));
  std::atomic<std::uint64_t> items{0};
  for (int job = 0; job < 5000; ++job)
    pool.parallel_for(5, [&](int, std::size_t) { items.fetch_add(1); });
  EXPECT_EQ(items.load(), 25'000u);
}

TEST(Pool, MakesWritesOfItemsVisibleToTheCaller) {
  Pool pool(4);
  std::vector<int> plain(1000);
  for (int job = 1; job <= 200; ++job) {
    pool.parallel_for(plain.size(), [&](int, std::size_t i) { plain[i] += job; });
    ASSERT_EQ(plain[static_cast<std::size_t>(job) % plain.size()], job * (job + 1) / 2);
  }
}

TEST(Pool, TakesTheTailOfAWorkerThatIsStuck) {
  Pool pool(2);
  constexpr int kItems = 100;
  std::atomic<int> done{0};
  std::atomic<bool> stuck{false};
  bool others_finished = false;
  // The first item that worker 1 gets waits for all others. Unless worker 0 takes over the rest,
  // that never ends.
  const std::int64_t give_up_ns = monotonic_ns() + 20'000'000'000;
  for (int round = 0; round < 50 && !stuck; ++round) {
    done = 0;
    pool.parallel_for(kItems, [&](int worker, std::size_t) {
      if (worker == 1 && !stuck.exchange(true)) {
        while (done.load() < kItems - 1 && monotonic_ns() < give_up_ns) sched_yield();
        others_finished = done.load() == kItems - 1;
      }
      // Slow enough for worker 1 to arrive while there is something left.
      const std::int64_t until = monotonic_ns() + 20'000;
      while (monotonic_ns() < until) {
      }
      done.fetch_add(1);
    });
    EXPECT_EQ(done.load(), kItems);
  }
  ASSERT_TRUE(stuck.load()) << "worker 1 never got an item";
  EXPECT_TRUE(others_finished);
}

TEST(Pool, AppliesAConfigurationWithTheNextJobAndNeverWithinOne) {
  Pool pool(4);
  ASSERT_TRUE(pool.configure(config_of(1)));
  std::atomic<int> highest{0};
  const auto item = [&](int worker, std::size_t i) {
    if (i == 0) {
      ASSERT_TRUE(pool.configure(config_of(4)));
    }
    int seen = highest.load();
    while (worker > seen && !highest.compare_exchange_weak(seen, worker)) {
    }
  };
  pool.parallel_for(1000, item);
  EXPECT_EQ(highest.load(), 0);
  EXPECT_EQ(pool.applied().active, 1);
  pool.parallel_for(1000, item);
  EXPECT_EQ(pool.applied().active, 4);
}

TEST(Pool, RunsNestedCallsOnTheWorkerThatMakesThem) {
  Pool pool(3);
  std::atomic<int> inner{0}, strays{0};
  pool.parallel_for(10, [&](int worker, std::size_t) {
    pool.parallel_for(10, [&](int same, std::size_t) {
      inner.fetch_add(1);
      strays.fetch_add(same != worker);
    });
  });
  EXPECT_EQ(inner.load(), 100);
  EXPECT_EQ(strays.load(), 0);
}

TEST(Pool, LetsSeveralCallersTakeTurns) {
  Pool pool(3);
  std::atomic<int> items{0};
  const auto caller = [&] {
    for (int job = 0; job < 300; ++job)
      pool.parallel_for(9, [&](int, std::size_t) { items.fetch_add(1); });
    pool.release_caller();
  };
  std::thread other(caller);
  caller();
  other.join();
  EXPECT_EQ(items.load(), 2 * 300 * 9);
}

TEST(Pool, PinsTheCallerAndGivesItsMaskBack) {
  const CpuSet before = thread_affinity();
  const int last = before.nth(before.count() - 1);
  {
    Pool pool(2);
    ASSERT_TRUE(pool.configure(config_of(1, {last})));
    pool.parallel_for(1, [](int, std::size_t) {});
    EXPECT_EQ(thread_affinity(), CpuSet{last});
    pool.release_caller();
    EXPECT_EQ(thread_affinity(), before);
    pool.parallel_for(1, [](int, std::size_t) {});
    EXPECT_EQ(thread_affinity(), CpuSet{last});
    ASSERT_TRUE(pool.configure(config_of(2)));
    pool.parallel_for(1, [](int, std::size_t) {});
    EXPECT_EQ(thread_affinity(), before) << "an empty set pins nobody";
    ASSERT_TRUE(pool.configure(config_of(1, {last})));
    pool.parallel_for(1, [](int, std::size_t) {});
  }
  EXPECT_EQ(thread_affinity(), before) << "the destructor gives it back, too";
}

TEST(Pool, BurnsNoCpuWithMoreWorkersThanCpus) {
  Pool pool(4);
  const int cpu = thread_affinity().nth(0);
  ASSERT_TRUE(pool.configure(config_of(4, {cpu}, 10'000'000'000)));
  expect_each_once(pool, 100, 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // whoever was about to park has
  const std::int64_t from = process_cpu_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_LT(process_cpu_ns() - from, 20'000'000) << "a worker spins although it shares its CPU";
}

TEST(Pool, AWorkerThatIsNotActiveDoesNotSpin) {
  Pool pool(2);
  if (thread_affinity().count() < 2) GTEST_SKIP() << "one CPU: nobody spins anyway";
  ASSERT_TRUE(pool.configure(config_of(2, {}, 10'000'000'000)));
  expect_each_once(pool, 100, 2);
  ASSERT_TRUE(pool.configure(config_of(1, {}, 10'000'000'000)));
  expect_each_once(pool, 100, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::int64_t from = process_cpu_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_LT(process_cpu_ns() - from, 20'000'000);
}

TEST(Pool, ParksWhenTheSpinBudgetIsUsedUp) {
  Pool pool(2);
  ASSERT_TRUE(pool.configure(config_of(2, {}, 1'000'000)));
  expect_each_once(pool, 100, 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::int64_t from = process_cpu_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_LT(process_cpu_ns() - from, 20'000'000);
  expect_each_once(pool, 100, 2);
}

}  // namespace
}  // namespace flyball
