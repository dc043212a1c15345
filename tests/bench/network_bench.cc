// One inference of the default network per width, active cores and operator set, and how true a
// slowed one is.
#include <benchmark/benchmark.h>

#include <vector>

#include "governor/inference_engine.h"
#include "kernels/dnn/network.h"
#include "kernels/dnn/workspace.h"
#include "kernels/pool/pool.h"

namespace flyball {
namespace {

void inference(benchmark::State& state, const char* operators, Precision precision) {
  Network network(seeded_model(modified_alexnet(), 1));
  const Operators* const found = find_operators(operators);
  const int active = static_cast<int>(state.range(1));
  const CpuSet cpus = thread_affinity();
  if (!found || cpus.count() < active) {
    state.SkipWithError("not on this machine");
    return;
  }
  network.set_operators(found);
  Workspace workspace(network.spec());
  Pool pool(active);
  PoolConfig config;
  config.active = active;
  for (int i = 0; i < active; ++i) config.cpus.add(cpus.nth(i));
  pool.configure(config);
  const std::vector<float> image(network.image_values(), 0.5f);
  std::vector<float> logits(network.spec().classes);
  const int width = static_cast<int>(state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(network.infer(pool, workspace, width, precision, image, logits));
  state.counters["GMAC"] = benchmark::Counter(
      1e-9 * static_cast<double>(network.layout().multiplications(network.spec(), width)),
      benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK_CAPTURE(inference, avx2, "avx2", Precision::kFloat32)
    ->ArgsProduct({{0, 1, 2, 3}, {1, 2}})
    ->ArgNames({"width", "cores"})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(inference, avx2_int8, "avx2", Precision::kInt8)
    ->ArgsProduct({{0, 1, 2, 3}, {1, 2}})
    ->ArgNames({"width", "cores"})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(inference, portable, "portable", Precision::kFloat32)
    ->ArgsProduct({{3}, {1, 2}})
    ->ArgNames({"width", "cores"})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(inference, reference, "reference", Precision::kFloat32)
    ->ArgsProduct({{3}, {1}})
    ->ArgNames({"width", "cores"})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

/// Argument: the speed ratio in percent. `achieved_pct` is the ratio of the times; both are of jobs
/// of 20 inferences.
void slowed_job(benchmark::State& state) {
  InferenceEngine engine;
  const int active = static_cast<int>(state.range(1));
  if (engine.max_active() < active) {
    state.SkipWithError("not on this machine");
    return;
  }
  JobEngine::Setting full;
  full.active = active;
  full.cpu_mask = (std::uint64_t{1} << active) - 1;
  full.width = 3;
  JobEngine::Setting slowed = full;
  slowed.speed_ratio = static_cast<double>(state.range(0)) / 100;
  engine.run(full, 20);
  std::vector<double> ratios;
  for (auto _ : state) {
    const auto full_ns = static_cast<double>(engine.run(full, 20));
    ratios.push_back(full_ns / static_cast<double>(engine.run(slowed, 20)));
  }
  std::sort(ratios.begin(), ratios.end());
  state.counters["achieved_pct"] = 100 * ratios[ratios.size() / 2];
}
BENCHMARK(slowed_job)
    ->ArgsProduct({{100, 90, 60, 30, 10}, {1, 2}})
    ->ArgNames({"ratio_pct", "cores"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace flyball
