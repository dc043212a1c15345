// What the loop adds to an epoch on an Exynos 5422 with two applications: 2 x 1,800 candidates in
// the shield. The whole epoch, platform and agent included, has 20 us.

#include <benchmark/benchmark.h>

#include <memory>

#include "agents/agent.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/sim/simulator.h"
#include "governor/loop/shield.h"
#include "governor/metrics/session.h"

namespace flyball {
namespace {

struct Bench {
  PlatformSpec platform = load_platform("odroid_xu3");
  Scenario scenario = load_scenario("dual_dnn", platform);
  Belief belief = Belief::of(platform);
  Simulator simulator{platform, scenario};
  Observation now;
  Decision slow;
  Action fast;

  Bench() {
    simulator.observe(now);
    now.epoch_ns = 50'000'000;
    const int big = platform.big_cluster();
    for (int c = 0; c < now.cluster_count; ++c) fast.opp[c] = now.cluster[c].opp_cap;
    // Both are there from the start, though the scenario lets one come later.
    now.app_count = static_cast<int>(scenario.apps.size());
    for (int a = 0; a < now.app_count; ++a) {
      now.app[a].generation = 1;
      now.app[a].active = true;
      now.app[a].required = scenario.apps[a].required;
      fast.app[a].mapping =
          static_cast<std::uint8_t>(platform.find_mapping(big, platform.clusters[big].cores));
      fast.app[a].level = 3;
      slow.action.app[a].level = 3;
    }
    slow.fresh = true;
    JobRecord job;
    job.finish_ns = 40'000'000;
    job.setting = fast.app[0];
    now.add_job(job);
  }
  /// Like binding them, which is what it costs when an application comes.
  void bind(Shield& shield) const {
    for (int a = 0; a < now.app_count; ++a) shield.bind(a, simulator.binding(a), now);
  }
};

/// A shield that knows the applications.
struct Guard {
  Bench bench;
  Shield shield{bench.belief, {}};
  Guard() { bench.bind(shield); }
};

void BM_ShieldPasses(benchmark::State& state) {
  Guard guard;
  for (auto _ : state) {
    Action action = guard.bench.fast;
    benchmark::DoNotOptimize(guard.shield.check(guard.bench.now, action));
  }
}
BENCHMARK(BM_ShieldPasses);

void BM_ShieldReplaces(benchmark::State& state) {
  Guard guard;
  for (auto _ : state) {
    Action action = guard.bench.slow.action;
    if (guard.shield.check(guard.bench.now, action) != Shield::Verdict::kReplaced)
      state.SkipWithError("nothing was replaced");
  }
}
BENCHMARK(BM_ShieldReplaces);

// What if a trial were made that is refused: the most that judging one takes.
void BM_ShieldRefusesATrial(benchmark::State& state) {
  Guard guard;
  Trial trial;
  trial.next = 1;
  trial.instead = guard.bench.slow.action;
  for (auto _ : state) {
    Action action = guard.bench.slow.action;
    if (guard.shield.check(guard.bench.now, action, trial) != Shield::Verdict::kReplaced)
      state.SkipWithError("nothing was replaced");
  }
}
BENCHMARK(BM_ShieldRefusesATrial);

void BM_ShieldLearns(benchmark::State& state) {
  Guard guard;
  for (auto _ : state) guard.shield.learn(guard.bench.now, guard.bench.fast);
}
BENCHMARK(BM_ShieldLearns);

void BM_ShieldBinds(benchmark::State& state) {
  Bench bench;
  Shield shield(bench.belief, {});
  for (auto _ : state) bench.bind(shield);
}
BENCHMARK(BM_ShieldBinds)->Unit(benchmark::kMicrosecond);

void BM_Metrics(benchmark::State& state) {
  const auto bench = std::make_unique<Bench>();
  const auto reward = std::make_unique<Reward>();
  MetricsSink sink(bench->platform);
  Observation outcome = bench->now;
  for (auto _ : state) {
    outcome.now_ns += outcome.epoch_ns;
    ++outcome.sequence;
    sink.on_epoch(
        {bench->now, bench->slow, bench->fast, Shield::Verdict::kPassed, outcome, *reward, 100});
  }
}
BENCHMARK(BM_Metrics);

class EpochCounter final : public EpochSink {
 public:
  void on_epoch(const EpochEvent&) noexcept override { ++epochs; }
  std::int64_t epochs = 0;
};

/// The whole loop as a training runs it, one agent over many runs: simulator, agent, shield, reward,
/// learning, metrics. Epochs a second.
void closed_loop(benchmark::State& state, const char* policy, const char* scenario_name) {
  const PlatformSpec platform = load_platform("odroid_xu3");
  const Scenario scenario = load_scenario(scenario_name, platform);
  const Belief belief = Belief::of(platform);
  const RewardWeights weights = reward_weights(belief);
  const auto agent = make_agent(policy, {belief, weights, 1, nullptr});
  EpochCounter counter;
  for (auto _ : state) {
    state.PauseTiming();
    Simulator simulator(platform, scenario);
    state.ResumeTiming();
    run_session(simulator, belief, *agent, weights, {.shield = {}, .sinks = {&counter}});
  }
  state.SetItemsProcessed(counter.epochs);
}
BENCHMARK_CAPTURE(closed_loop, q_learning, "q_learning", "single_periodic");
BENCHMARK_CAPTURE(closed_loop, q_learning_two_applications, "q_learning", "dual_dnn");
BENCHMARK_CAPTURE(closed_loop, schedutil, "schedutil", "single_periodic");

}  // namespace
}  // namespace flyball
