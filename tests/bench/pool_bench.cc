// What a job in the pool costs, and what reconfiguring it does. Other pools: peers_pool_bench.cc.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "kernels/base/clock.h"
#include "kernels/pool/pool.h"

namespace flyball {
namespace {

PoolConfig first_cpus(int active, std::int64_t spin_ns, int most_cpus = kMaxCpus) {
  PoolConfig config;
  config.active = active;
  config.spin_ns = spin_ns;
  const CpuSet cpus = thread_affinity();
  for (int i = 0; i < std::min({active, cpus.count(), most_cpus}); ++i)
    config.cpus.add(cpus.nth(i));
  return config;
}

double quantile_us(std::vector<std::int64_t>& values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * (values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at) * 1e-3;
}

/// Arguments: active workers, spin budget in us. Empty items; batches of 16 jobs, so that the
/// clock's 27 ns does not count; p50 and p99 are of the batches' means.
void fork_join(benchmark::State& state) {
  Pool pool(static_cast<int>(state.range(0)));
  if (!pool.configure(first_cpus(static_cast<int>(state.range(0)), state.range(1) * 1000))) {
    state.SkipWithError("the pool refused the configuration");
    return;
  }
  constexpr int kBatch = 16;
  std::vector<std::int64_t> batches;
  batches.reserve(1 << 20);
  const std::size_t items = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    const std::int64_t from = monotonic_ns();
    for (int i = 0; i < kBatch; ++i)
      pool.parallel_for(items, [](int, std::size_t item) { benchmark::DoNotOptimize(item); });
    batches.push_back((monotonic_ns() - from) / kBatch);
  }
  state.counters["p50_us"] = quantile_us(batches, 0.50);
  state.counters["p99_us"] = quantile_us(batches, 0.99);
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(fork_join)->Args({1, 50})->Args({2, 50})->Args({2, 0})->UseRealTime();

/// From the call of configure() to the first item that runs with it, nobody being moved.
void reconfigure_to_item(benchmark::State& state) {
  Pool pool(2);
  PoolConfig config = first_cpus(2, 50'000);
  std::vector<std::int64_t> times;
  times.reserve(1 << 20);
  std::int64_t stale = 0;
  for (auto _ : state) {
    config.spin_ns ^= 1;
    std::int64_t first_item_ns = 0;
    const std::int64_t from = monotonic_ns();
    pool.configure(config);
    pool.parallel_for(2, [&](int, std::size_t i) {
      if (i == 0) first_item_ns = monotonic_ns();
    });
    times.push_back(first_item_ns - from);
    stale += pool.applied() != config ? 1 : 0;
  }
  state.counters["p50_us"] = quantile_us(times, 0.50);
  state.counters["p99_us"] = quantile_us(times, 0.99);
  state.counters["jobs_with_the_old_one"] = static_cast<double>(stale);
}
BENCHMARK(reconfigure_to_item)->UseRealTime();

/// Eight parked workers, of which each reconfiguration moves four from one CPU to another. What
/// that adds to a job of one item, per worker moved.
void repin_parked_workers(benchmark::State& state) {
  constexpr int kWorkers = 8, kMoved = 4;
  if (thread_affinity().count() < 2) {
    state.SkipWithError("needs two CPUs");
    return;
  }
  Pool pool(kWorkers + 1);
  PoolConfig narrow = first_cpus(kWorkers + 1, 0, 1);
  PoolConfig wide = first_cpus(kWorkers + 1, 0, 2);
  const auto job = [&] { pool.parallel_for(1, [](int, std::size_t) {}); };
  std::vector<std::int64_t> added;
  bool to_wide = true;
  for (auto _ : state) {
    job();
    std::int64_t from = monotonic_ns();
    job();
    const std::int64_t without_ns = monotonic_ns() - from;
    pool.configure(to_wide ? wide : narrow);
    to_wide = !to_wide;
    from = monotonic_ns();
    job();
    added.push_back((monotonic_ns() - from - without_ns) / kMoved);
  }
  state.counters["p50_us_per_worker"] = quantile_us(added, 0.50);
  state.counters["p99_us_per_worker"] = quantile_us(added, 0.99);
}
BENCHMARK(repin_parked_workers)->UseRealTime();

/// Jobs of 64 items while another thread does nothing but reconfigure.
void jobs_in_a_storm(benchmark::State& state) {
  Pool pool(2);
  std::atomic<bool> over{false};
  std::int64_t reconfigurations = 0;
  std::thread storm([&] {
    for (int i = 0; !over.load(std::memory_order_relaxed); ++i) {
      pool.configure(first_cpus(i % 2 + 1, i % 3 * 10'000));
      ++reconfigurations;
    }
  });
  std::int64_t wrong = 0;
  for (auto _ : state) {
    std::atomic<std::uint64_t> seen{0};
    pool.parallel_for(64, [&](int, std::size_t i) { seen.fetch_xor(std::uint64_t{1} << i); });
    wrong += seen.load() != ~std::uint64_t{0} ? 1 : 0;
  }
  over = true;
  storm.join();
  state.counters["jobs_dropped"] = static_cast<double>(wrong);
  state.counters["reconfigurations"] = static_cast<double>(reconfigurations);
}
BENCHMARK(jobs_in_a_storm)->UseRealTime();

}  // namespace
}  // namespace flyball
