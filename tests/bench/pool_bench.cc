// Latency of an empty job in the pool: what handing out and joining costs.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "kernels/pool/clock.h"
#include "kernels/pool/pool.h"

namespace flyball {
namespace {

PoolConfig first_cpus(int active, std::int64_t spin_ns) {
  PoolConfig config;
  config.active = active;
  config.spin_ns = spin_ns;
  const CpuSet cpus = thread_affinity();
  for (int i = 0; i < std::min(active, cpus.count()); ++i) config.cpus.add(cpus.nth(i));
  return config;
}

double quantile_us(std::vector<std::int64_t>& values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * (values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at) * 1e-3;
}

/// Arguments: active workers, spin budget in us. Batches of 16 jobs, so that the clock's 27 ns does
/// not count; p50 and p99 are of the batches' means.
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

/// As above, but every worker has to take part: each holds its item until all have one.
void rendezvous(benchmark::State& state) {
  const int active = static_cast<int>(state.range(0));
  Pool pool(active);
  if (thread_affinity().count() < active || !pool.configure(first_cpus(active, 50'000))) {
    state.SkipWithError("needs a CPU for each worker");
    return;
  }
  std::vector<std::int64_t> times;
  times.reserve(1 << 20);
  for (auto _ : state) {
    std::atomic<int> arrived{0};
    const std::int64_t from = monotonic_ns();
    pool.parallel_for(static_cast<std::size_t>(active), [&](int, std::size_t) {
      arrived.fetch_add(1);
      while (arrived.load(std::memory_order_relaxed) < active) {
      }
    });
    times.push_back(monotonic_ns() - from);
  }
  state.counters["p50_us"] = quantile_us(times, 0.50);
  state.counters["p99_us"] = quantile_us(times, 0.99);
}
BENCHMARK(rendezvous)->Arg(2)->UseRealTime();

void reconfigure(benchmark::State& state) {
  Pool pool(2);
  PoolConfig config = first_cpus(2, 50'000);
  for (auto _ : state) {
    config.active = 3 - config.active;
    benchmark::DoNotOptimize(pool.configure(config));
  }
}
BENCHMARK(reconfigure);

}  // namespace
}  // namespace flyball
