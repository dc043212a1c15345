// What a recording costs: time an epoch on the thread that decides, with epochs of a real run, and
// bytes. The run is the Exynos 5422 under q_learning in epochs of 10 ms.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "agents/q_learning.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/sim/simulator.h"
#include "governor/metrics/session.h"
#include "governor/record/recorder.h"

namespace flyball {
namespace {

/// Keeps of what the loop tells as much as stays in the cache, as it is there when an epoch ends, to
/// be told again.
class Keeper final : public EpochSink {
 public:
  struct Epoch {
    std::unique_ptr<Observation> outcome;
    Decision decided;
    Action applied;
    Shield::Verdict verdict;
  };
  void on_bind(int slot, const Binding& one, const Observation& now) override {
    bound = slot;
    binding = one;
    start = now;
  }
  void on_epoch(const EpochEvent& event) noexcept override {
    if (epochs.size() < 200) {
      epochs.push_back({std::make_unique<Observation>(event.outcome), event.decided, event.applied,
                        event.verdict});
    }
  }
  int bound = 0;
  Binding binding;
  Observation start;
  std::vector<Epoch> epochs;
};

void BM_Recorder(benchmark::State& state) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  const Scenario scenario = load_scenario("background", spec);
  const Belief belief = Belief::of(spec);
  const RewardWeights weights = reward_weights(belief);
  const auto keeper = std::make_unique<Keeper>();
  {
    Simulator platform(spec, scenario, {.seed = 1});
    QLearning agent({belief, weights, 1, nullptr});
    run_session(platform, belief, agent, weights, {.shield = {}, .sinks = {keeper.get()}});
  }
  const std::string path = "/tmp/flyball_bench_" + std::to_string(getpid()) + ".flyrec";
  {
    Recorder recorder(path, recording_info(spec, belief, scenario, "q_learning", 1, weights),
                      {.wait_for_disk = true});
    recorder.on_bind(keeper->bound, keeper->binding, keeper->start);
    const auto reward = std::make_unique<Reward>();
    std::size_t i = 0;
    std::int64_t lap_ns = 0;
    const std::int64_t length_ns = keeper->epochs.back().outcome->now_ns;
    std::uint64_t sequence = 0;
    for (auto _ : state) {
      Keeper::Epoch& epoch = keeper->epochs[i];
      epoch.outcome->sequence = ++sequence;
      const std::int64_t now_ns = epoch.outcome->now_ns;
      epoch.outcome->now_ns += lap_ns;
      recorder.on_epoch({keeper->start, epoch.decided, epoch.applied, epoch.verdict, *epoch.outcome,
                         *reward, 500});
      epoch.outcome->now_ns = now_ns;
      if (++i == keeper->epochs.size()) {
        i = 0;
        lap_ns += length_ns;
      }
    }
  }
  const RecordingReport report = read_recording(path, {});
  unlink(path.c_str());
  const auto per = [](std::uint64_t bytes, std::uint64_t count) {
    return count > 0 ? static_cast<double>(bytes) / static_cast<double>(count) : 0;
  };
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
  state.counters["B_decision"] = per(report.decision_bytes, report.decisions);
  state.counters["B_other"] = per(report.other_bytes, report.epochs - report.decisions);
  state.counters["B_job"] = per(report.job_bytes, report.jobs);
  state.counters["B_block"] = per(report.roster_bytes, report.blocks);
}
BENCHMARK(BM_Recorder);

}  // namespace
}  // namespace flyball
