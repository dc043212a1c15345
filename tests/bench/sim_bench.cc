#include <benchmark/benchmark.h>

#include <memory>

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

/// What the loop copies where it keeps an observation: range: applications.
void BM_ObservationCopy(benchmark::State& state) {
  const auto from = std::make_unique<Observation>(), to = std::make_unique<Observation>();
  from->cluster_count = 2;
  from->app_count = static_cast<int>(state.range(0));
  from->job_count = static_cast<std::uint32_t>(state.range(0));
  for (auto _ : state) {
    *to = *from;
    benchmark::DoNotOptimize(to->sequence);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ObservationCopy)->Arg(1)->Arg(4)->Arg(64);

/// A fork of a board with one application: what a search copies per choice.
void BM_Fork(benchmark::State& state) {
  const PlatformSpec spec = measured_platform(kPlatforms[0]);
  const Scenario scenario = load_scenario("single_periodic", spec);
  const Simulator sim(spec, scenario);
  const auto fork = std::make_unique<SimState>();
  for (auto _ : state) {
    sim.fork(*fork);
    benchmark::DoNotOptimize(fork->now_ns);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Fork);

/// A step of 10 ms of a fork, from beginning to end of the scenario and again.
void BM_ForkStep(benchmark::State& state) {
  const PlatformSpec spec = measured_platform(kPlatforms[0]);
  const Scenario scenario = load_scenario("single_periodic", spec);
  const Simulator sim(spec, scenario);
  const auto fork = std::make_unique<SimState>();
  sim.fork(*fork);
  Observation out;
  sim.observe(out);
  const Action action = middle_frequencies(spec, out);
  for (auto _ : state) {
    if (sim.step(*fork, action, {.interval_ns = 10'000'000}) != Status::kOk) sim.fork(*fork);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_ForkStep);

}  // namespace
}  // namespace flyball
