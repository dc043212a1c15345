#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "kernels/base/clock.h"
#include "kernels/pool/pool.h"

namespace flyball {
namespace {

constexpr int kThreads = 4;
constexpr int kReconfigurations = 100'000;
constexpr int kLeastJobs = 10'000;

/// Reconfigures at random until there were enough of both, reconfigurations and jobs.
class Storm {
 public:
  explicit Storm(Pool& pool) : pool_(pool), allowed_(thread_affinity()) {}

  void rage(unsigned seed) {
    std::mt19937 random(seed);
    while (!over()) {
      PoolConfig config;
      config.active = static_cast<int>(random() % kThreads) + 1;
      config.spin_ns = static_cast<std::int64_t>(random() % 30'000);
      for (int i = 0; i < allowed_.count(); ++i)
        if (random() % 2 != 0) config.cpus.add(allowed_.nth(i));
      constexpr SchedClass kClasses[] = {SchedClass::kInherited, SchedClass::kNormal,
                                         SchedClass::kBatch};
      config.scheduling.sched_class = kClasses[random() % 3];
      const bool wrong = random() % 8 == 0;
      if (wrong) config.active = random() % 2 == 0 ? 0 : kThreads + 1;
      if (static_cast<bool>(pool_.configure(config)) == wrong) misjudged_.fetch_add(1);
      if (random() % 4 == 0)
        pool_.set_speed_ratio(random() % 2 == 0 ? 1.0 : 0.25 + 0.25 * (random() % 3));
      published_.fetch_add(1);
      // So that the storm lasts as long as the jobs do.
      if (published_.load() > 10 * jobs_.load()) std::this_thread::yield();
    }
  }
  void job_done() { jobs_.fetch_add(1); }
  bool over() const { return published_.load() >= kReconfigurations && jobs_.load() >= kLeastJobs; }
  int misjudged() const { return misjudged_.load(); }

 private:
  Pool& pool_;
  const CpuSet allowed_;
  std::atomic<int> published_{0}, jobs_{0}, misjudged_{0};
};

/// What the items of a job have seen.
struct Witness {
  std::vector<std::atomic<int>> seen = std::vector<std::atomic<int>>(256);
  std::vector<std::atomic<std::uint64_t>> cpus =
      std::vector<std::atomic<std::uint64_t>>(CpuSet::kWords);
  std::atomic<int> highest{0}, below_zero{0};

  void reset() {
    for (auto& count : seen) count.store(0);
    for (auto& word : cpus) word.store(0);
    highest = 0;
  }
  void item(int worker, std::size_t i, std::int64_t length_ns) {
    seen[i].fetch_add(1);
    const std::int64_t from = length_ns > 0 ? monotonic_ns() : 0;
    do {
      const int cpu = sched_getcpu();
      cpus[cpu / 64].fetch_or(std::uint64_t{1} << (cpu % 64));
    } while (length_ns > 0 && monotonic_ns() - from < length_ns);
    if (worker < 0) below_zero.fetch_add(1);
    int known = highest.load();
    while (worker > known && !highest.compare_exchange_weak(known, worker)) {
    }
  }
  int wrong_items(std::size_t n) const {
    int wrong = 0;
    for (std::size_t i = 0; i < seen.size(); ++i) wrong += seen[i].load() != (i < n ? 1 : 0);
    return wrong;
  }
  bool outside(const CpuSet& set) const {
    if (set.empty()) return false;
    for (int w = 0; w < CpuSet::kWords; ++w)
      if ((cpus[w].load() & ~set.word(w)) != 0) return true;
    return false;
  }
};

TEST(PoolStorm, NoItemIsLostRepeatedOrRunOutsideTheSet) {
  Pool pool(kThreads);
  Storm storm(pool);
  std::thread first([&] { storm.rage(1); }), second([&] { storm.rage(2); });
  std::mt19937 random(3);
  Witness witness;
  int shared_jobs = 0, wrong_items = 0, wrong_workers = 0, wrong_cpus = 0, refused_pins = 0;
  while (!storm.over()) {
    const std::size_t n = random() % witness.seen.size() + 1;
    witness.reset();
    // Some jobs are long enough for parked workers to wake up and take part.
    const std::int64_t length_ns = random() % 16 == 0 ? 2'000 : 0;
    pool.parallel_for(n, [&](int worker, std::size_t i) { witness.item(worker, i, length_ns); });
    shared_jobs += witness.highest.load() > 0;
    wrong_items += witness.wrong_items(n);
    wrong_workers += witness.highest.load() >= pool.applied().active;
    wrong_cpus += witness.outside(pool.applied().cpus);
    refused_pins += pool.pinning().failures + pool.scheduling().failures;
    storm.job_done();
  }
  first.join();
  second.join();
  EXPECT_EQ(storm.misjudged(), 0);
  EXPECT_EQ(wrong_items, 0);
  EXPECT_EQ(wrong_workers, 0);
  EXPECT_EQ(witness.below_zero.load(), 0);
  EXPECT_EQ(wrong_cpus, 0);
  EXPECT_EQ(refused_pins, 0);
  EXPECT_GT(shared_jobs, 0) << "only the caller ever worked";
}

}  // namespace
}  // namespace flyball
