// What a recording costs: time an epoch on the thread that decides, with epochs of a real run, and
// bytes. The run is the Exynos 5422 under q_learning in epochs of 10 ms.

#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agents/q_learning.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/sim/simulator.h"
#include "governor/metrics/session.h"
#include "governor/record/recorder.h"
#include "governor/record/summary.h"

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

std::unique_ptr<Keeper> kept_run(const PlatformSpec& spec, const Scenario& scenario,
                                 const Belief& belief, const RewardWeights& weights) {
  auto keeper = std::make_unique<Keeper>();
  Simulator platform(spec, scenario, {.seed = 1});
  QLearning agent({belief, weights, 1, nullptr});
  run_session(platform, belief, agent, weights, {.shield = {}, .sinks = {keeper.get()}});
  return keeper;
}

void BM_Recorder(benchmark::State& state) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  const Scenario scenario = load_scenario("background", spec);
  const Belief belief = Belief::of(spec);
  const RewardWeights weights = reward_weights(belief);
  const std::unique_ptr<Keeper> keeper = kept_run(spec, scenario, belief, weights);
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
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
  state.counters["B_decision"] = report.bytes_per_decision();
  state.counters["B_other"] = report.bytes_per_other_epoch();
  state.counters["B_job"] = report.bytes_per_job();
  state.counters["B_block"] =
      static_cast<double>(report.roster_bytes) / static_cast<double>(report.blocks);
}
BENCHMARK(BM_Recorder);

/// Reading a recording of so many epochs, over and over those of a real run: time, and how much the
/// process grew by it. 10^8 epochs are 11 days of epochs of 10 ms.
void BM_ReadRecording(benchmark::State& state) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  const Scenario scenario = load_scenario("background", spec);
  const Belief belief = Belief::of(spec);
  const RewardWeights weights = reward_weights(belief);
  const std::unique_ptr<Keeper> keeper = kept_run(spec, scenario, belief, weights);
  const char* folder = getenv("TMPDIR");
  const std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/flyball_bench_" +
                           std::to_string(getpid()) + ".flyrec";
  {
    Recorder recorder(path, recording_info(spec, belief, scenario, "q_learning", 1, weights),
                      {.flush_ns = 1'000'000'000'000, .wait_for_disk = true});
    recorder.on_bind(keeper->bound, keeper->binding, keeper->start);
    const auto reward = std::make_unique<Reward>();
    const std::int64_t length_ns = keeper->epochs.back().outcome->now_ns;
    const auto kept = static_cast<std::int64_t>(keeper->epochs.size());
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      Keeper::Epoch& epoch = keeper->epochs[static_cast<std::size_t>(i % kept)];
      const std::int64_t now_ns = epoch.outcome->now_ns;
      epoch.outcome->sequence = static_cast<std::uint64_t>(i) + 1;
      epoch.outcome->now_ns += i / kept * length_ns;
      recorder.on_epoch({keeper->start, epoch.decided, epoch.applied, epoch.verdict, *epoch.outcome,
                         *reward, 500});
      epoch.outcome->now_ns = now_ns;
    }
  }
  const auto peak_kb = [] {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    return static_cast<double>(used.ru_maxrss);
  };
  const double before_kb = peak_kb();
  std::uint64_t epochs = 0;
  for (auto _ : state) epochs += summarise(path).report.epochs;
  state.counters["grew_kB"] = peak_kb() - before_kb;
  state.counters["MB"] = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  state.SetItemsProcessed(static_cast<std::int64_t>(epochs));
  unlink(path.c_str());
}
// FLYBALL_BENCH_EPOCHS=100000000 for a longer one, which takes 4 GB of disk meanwhile.
BENCHMARK(BM_ReadRecording)->Iterations(1)->Unit(benchmark::kSecond)->Apply([](auto* lengths) {
  lengths->Arg(100'000)->Arg(1'000'000);
  if (const char* epochs = getenv("FLYBALL_BENCH_EPOCHS")) lengths->Arg(std::atoll(epochs));
});

}  // namespace
}  // namespace flyball
