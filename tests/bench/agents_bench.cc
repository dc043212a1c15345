#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "agents/agent.h"
#include "env/sim/simulator.h"
#include "governor/metrics/session.h"

// What one epoch costs an agent, on the Exynos 5422: its observations come from a simulated stream
// that the same agent governed, so that states, jobs and frequencies are those it meets. Peer: the
// same with a fixed configuration, which is the price of the harness.
namespace flyball {
namespace {

/// Keeps what an agent was shown.
class Tape final : public EpochSink {
 public:
  struct Epoch {
    Observation outcome;
    Action applied;
    Reward reward;
  };
  void on_epoch(const EpochEvent& event) noexcept override {
    if (epochs.size() == 500) return;
    epochs.push_back(std::make_unique<Epoch>());
    Epoch& epoch = *epochs.back();
    epoch.outcome = event.outcome;
    epoch.applied = event.applied;
    epoch.reward = event.reward;
  }
  std::vector<std::unique_ptr<Epoch>> epochs;
};

enum class Part { kDecideAndLearn, kDecide };

void agent_epochs(benchmark::State& state, const char* policy, const char* scenario_name,
                  Part part) {
  const PlatformSpec platform = load_platform("odroid_xu3");
  const Scenario scenario = load_scenario(scenario_name, platform);
  const Belief belief = Belief::of(platform);
  const RewardWeights weights = reward_weights(belief);
  const auto agent = make_agent(policy, {belief, weights, 1, nullptr});
  Simulator simulator(platform, scenario);
  Tape tape;
  SessionOptions options;
  options.sinks = {&tape};
  run_session(simulator, belief, *agent, weights, options);
  std::size_t i = 0;
  Decision decided;
  for (auto _ : state) {
    const Tape::Epoch& epoch = *tape.epochs[i];
    if (part == Part::kDecideAndLearn) agent->learn(epoch.outcome, epoch.applied, epoch.reward);
    decided.reset();
    agent->decide(epoch.outcome, decided);
    benchmark::DoNotOptimize(decided);
    if (++i == tape.epochs.size()) i = 0;
  }
}
void decide_and_learn(benchmark::State& state, const char* policy, const char* scenario) {
  agent_epochs(state, policy, scenario, Part::kDecideAndLearn);
}
void decide(benchmark::State& state, const char* policy, const char* scenario) {
  agent_epochs(state, policy, scenario, Part::kDecide);
}

constexpr const char* kFixed = "static_best:A15=1000000;camera=A15x1@100";
BENCHMARK_CAPTURE(decide_and_learn, fixed, kFixed, "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, schedutil, "schedutil", "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, rule, "rule", "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, prime, "prime", "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, q_learning, "q_learning", "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, q_learning_bursty, "q_learning", "bursty");
BENCHMARK_CAPTURE(decide_and_learn, q_learning_two_applications, "q_learning", "dual_dnn");
BENCHMARK_CAPTURE(decide, q_learning, "q_learning", "single_periodic");
BENCHMARK_CAPTURE(decide, q_learning_two_applications, "q_learning", "dual_dnn");

}  // namespace
}  // namespace flyball
