// What the loop adds to an epoch on an Exynos 5422 with two applications: 2 x 1,800 candidates in
// the shield. The whole epoch, platform and agent included, has 20 us.

#include <benchmark/benchmark.h>

#include <string>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/spaces.h"
#include "governor/metrics/metrics.h"
#include "governor/loop/shield.h"

namespace flyball {
namespace {

struct Stage {
  PlatformSpec platform = load_platform("odroid_xu3");
  Scenario scenario = load_scenario("dual_dnn", platform);
  Shield shield{platform, scenario, {}};
  Observation now;
  Action slow, fast;

  Stage() {
    now.cluster_count = static_cast<int>(platform.clusters.size());
    now.app_count = static_cast<int>(scenario.apps.size());
    now.epoch_ns = 50'000'000;
    for (int c = 0; c < now.cluster_count; ++c) {
      now.cluster[c].opp_cap = static_cast<std::uint8_t>(platform.clusters[c].max_opp());
      fast.opp[c] = now.cluster[c].opp_cap;
    }
    const int big = platform.big_cluster();
    for (int a = 0; a < now.app_count; ++a) {
      now.app[a].active = true;
      now.app[a].required = scenario.apps[a].required;
      fast.app[a].mapping =
          static_cast<std::uint8_t>(platform.find_mapping(big, platform.clusters[big].cores));
      slow.app[a].level = 3;
    }
    JobRecord job;
    job.finish_ns = 40'000'000;
    job.setting = fast.app[0];
    now.add_job(job);
  }
};

void BM_ShieldPasses(benchmark::State& state) {
  Stage stage;
  for (auto _ : state) {
    Action action = stage.fast;
    benchmark::DoNotOptimize(stage.shield.check(stage.now, action));
  }
}
BENCHMARK(BM_ShieldPasses);

void BM_ShieldReplaces(benchmark::State& state) {
  Stage stage;
  for (auto _ : state) {
    Action action = stage.slow;
    if (stage.shield.check(stage.now, action) != Shield::Verdict::kReplaced)
      state.SkipWithError("nothing was replaced");
  }
}
BENCHMARK(BM_ShieldReplaces);

void BM_ShieldLearns(benchmark::State& state) {
  Stage stage;
  for (auto _ : state) stage.shield.learn(stage.now, stage.fast);
}
BENCHMARK(BM_ShieldLearns);

void BM_ShieldIsMade(benchmark::State& state) {
  Stage stage;
  for (auto _ : state) benchmark::DoNotOptimize(Shield(stage.platform, stage.scenario, {}));
}
BENCHMARK(BM_ShieldIsMade)->Unit(benchmark::kMicrosecond);

void record_epochs(benchmark::State& state, const Stage& stage, EpochSink& sink) {
  Observation outcome = stage.now;
  const Explanation why;
  for (auto _ : state) {
    outcome.now_ns += outcome.epoch_ns;
    ++outcome.sequence;
    sink.on_epoch(
        {stage.now, stage.slow, stage.fast, why, Shield::Verdict::kPassed, outcome, {}, 100});
  }
}

void BM_Metrics(benchmark::State& state) {
  Stage stage;
  MetricsSink sink(stage.platform);
  record_epochs(state, stage, sink);
}
BENCHMARK(BM_Metrics);

}  // namespace
}  // namespace flyball
