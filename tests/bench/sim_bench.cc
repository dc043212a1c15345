#include <benchmark/benchmark.h>

#include "env/scenario/scenario.h"
#include "env/sim/simulator.h"
#include "tests/env/measured.h"

namespace flyball {
namespace {

const char* const kPlatforms[] = {"odroid_xu3", "jetson_nano", "host"};

Action middle_frequencies(const PlatformSpec& spec, const Observation& now) {
  Action action;
  for (int c = 0; c < now.cluster_count; ++c) {
    action.opp[c] = static_cast<std::uint8_t>(spec.clusters[c].max_opp() / 2);
  }
  for (int a = 0; a < now.app_count; ++a) action.app[a] = now.app[a].setting;
  return action;
}

/// Epochs a second under a fixed policy; ranges: platform, ms of an epoch.
void BM_SimulatedEpoch(benchmark::State& state) {
  const PlatformSpec spec = measured_platform(kPlatforms[state.range(0)]);
  const Scenario scenario = load_scenario("single_periodic", spec);
  Observation out;
  const EpochRequest epoch{.interval_ns = state.range(1) * 1'000'000};
  std::int64_t epochs = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Simulator sim(spec, scenario);
    sim.observe(out);
    const Action action = middle_frequencies(spec, out);
    state.ResumeTiming();
    do {
      sim.apply(action);
      ++epochs;
    } while (sim.advance(epoch, out) == Status::kOk);
  }
  state.SetLabel(kPlatforms[state.range(0)]);
  state.SetItemsProcessed(epochs);
}
BENCHMARK(BM_SimulatedEpoch)->ArgsProduct({{0, 1, 2}, {10, 50}})->ArgNames({"platform", "ms"});

/// One preview of a search: every frequency of the first cluster with every mapping.
void BM_Preview(benchmark::State& state) {
  const PlatformSpec spec = measured_platform(kPlatforms[state.range(0)]);
  const Scenario scenario = load_scenario("single_periodic", spec);
  Simulator sim(spec, scenario);
  Observation out;
  sim.observe(out);
  Action action = middle_frequencies(spec, out);
  std::size_t i = 0;
  for (auto _ : state) {
    action.opp[0] = static_cast<std::uint8_t>(i % spec.clusters[0].opps.size());
    action.app[0].mapping = static_cast<std::uint8_t>(i / 7 % spec.mappings.size());
    ++i;
    benchmark::DoNotOptimize(sim.preview(action, 0));
  }
  state.SetLabel(kPlatforms[state.range(0)]);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Preview)->DenseRange(0, 2)->ArgName("platform");

}  // namespace
}  // namespace flyball
