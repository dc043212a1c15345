// One inference of the default network per width, active cores and operator set, and how true a
// slowed one is.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "governor/machine/inference_engine.h"
#include "kernels/dnn/network.h"
#include "kernels/dnn/workspace.h"
#include "kernels/base/clock.h"
#include "kernels/pool/pool.h"

namespace flyball {
namespace {

void inference(benchmark::State& state, const char* operators, Precision precision) {
  Network network(seeded_model(modified_alexnet(), 1));
  const Operators* const found = find_operators(operators);
  const int active = static_cast<int>(state.range(1));
  const CpuSet cpus = thread_affinity();
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
/// Of what this machine has: nothing else can be measured here, which is no error.
const bool registered = [] {
  const auto add = [](const std::string& name, const char* operators, Precision precision,
                      const std::vector<std::int64_t>& widths, std::int64_t most_cores) {
    if (find_operators(operators) == nullptr) return;
    std::vector<std::int64_t> cores = {1};
    if (most_cores > 1 && thread_affinity().count() > 1) cores.push_back(2);
    benchmark::RegisterBenchmark(
        ("inference/" + name).c_str(),
        [=](benchmark::State& state) { inference(state, operators, precision); })
        ->ArgsProduct({widths, cores})
        ->ArgNames({"width", "cores"})
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  };
  for (const char* name : {"avx2", "avx512", "neon"}) {
    add(name, name, Precision::kFloat32, {0, 1, 2, 3}, 2);
    add(std::string(name) + "_int8", name, Precision::kInt8, {0, 1, 2, 3}, 2);
  }
  add("portable", "portable", Precision::kFloat32, {3}, 2);
  add("reference", "reference", Precision::kFloat32, {3}, 1);
  return true;
}();

/// How much faster two threads are than one at a width: `speed_up`, of the least times of many,
/// both in turns, because the machine is not quiet.
void two_threads(benchmark::State& state) {
  const CpuSet cpus = thread_affinity();
  if (cpus.count() < 2) {
    state.SkipWithError("this machine has one CPU");
    return;
  }
  const Network network(seeded_model(modified_alexnet(), 1));
  Workspace workspace(network.spec());
  Pool pool(2);
  const std::vector<float> image(network.image_values(), 0.5f);
  std::vector<float> logits(network.spec().classes);
  const int width = static_cast<int>(state.range(0));
  constexpr int kInferences = 5;
  double least_us[2] = {1e18, 1e18};
  for (auto _ : state) {
    for (int threads : {1, 2}) {
      PoolConfig config;
      config.active = threads;
      for (int i = 0; i < threads; ++i) config.cpus.add(cpus.nth(i));
      pool.configure(config);
      std::int64_t start_ns = 0;
      for (int i = -2; i < kInferences; ++i) {  // the first ones take over the configuration
        if (i == 0) start_ns = monotonic_ns();
        network.infer(pool, workspace, width, Precision::kFloat32, image, logits);
      }
      double& least = least_us[threads - 1];
      least = std::min(least, static_cast<double>(monotonic_ns() - start_ns) / 1e3 / kInferences);
    }
  }
  state.counters["one_us"] = least_us[0];
  state.counters["two_us"] = least_us[1];
  state.counters["speed_up"] = least_us[0] / least_us[1];
}
BENCHMARK(two_threads)->DenseRange(0, 3)->ArgName("width")->Iterations(3000);

/// What changing the width, or the precision, between two inferences costs: `switch_us` is how much
/// longer alternating takes than the two kinds each by itself, per change. All three in turns, and
/// the least of each, because the machine is not quiet.
void width_switch(benchmark::State& state, Precision to) {
  const Network network(seeded_model(modified_alexnet(), 1));
  Workspace workspace(network.spec());
  const std::vector<float> image(network.image_values(), 0.5f);
  std::vector<float> logits(network.spec().classes);
  constexpr int kPairs = 4;
  const auto time_of = [&](int first, Precision first_in, int second, Precision second_in) {
    const std::int64_t start = monotonic_ns();
    for (int i = 0; i < kPairs; ++i) {
      network.infer(workspace, first, first_in, image, logits);
      network.infer(workspace, second, second_in, image, logits);
    }
    return static_cast<double>(monotonic_ns() - start);
  };
  const Precision from = Precision::kFloat32;
  double wide = 1e18, narrow = 1e18, mixed = 1e18;
  for (auto _ : state) {
    wide = std::min(wide, time_of(3, from, 3, from));
    narrow = std::min(narrow, time_of(0, to, 0, to));
    mixed = std::min(mixed, time_of(3, from, 0, to));
  }
  state.counters["switch_us"] = (mixed - (wide + narrow) / 2) / (2 * kPairs) / 1e3;
}
BENCHMARK_CAPTURE(width_switch, width, Precision::kFloat32)->Iterations(1000);
BENCHMARK_CAPTURE(width_switch, width_and_precision, Precision::kInt8)->Iterations(1000);

/// Argument: the speed ratio in percent. `achieved_pct` is the ratio of the times; both are of jobs
/// of 20 inferences.
void slowed_job(benchmark::State& state) {
  InferenceEngine engine(Network(seeded_model(modified_alexnet(), 1)));
  const int active = static_cast<int>(state.range(1));
  if (engine.max_active() < active) {
    state.SkipWithError("not on this machine");
    return;
  }
  JobEngine::Setting full;
  full.active = active;
  full.cpus = CpuSet::from_mask((std::uint64_t{1} << active) - 1);
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
