#include <benchmark/benchmark.h>

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
  void on_epoch(const EpochEvent& event) override {
    if (outcomes.size() == 2000) return;
    outcomes.push_back(event.outcome);
    applied.push_back(event.applied);
    rewards.push_back(event.reward.total());
  }
  std::vector<Observation> outcomes;
  std::vector<Action> applied;
  std::vector<double> rewards;
};

void decide_and_learn(benchmark::State& state, const char* policy, const char* scenario_name) {
  const PlatformSpec platform = load_platform("odroid_xu3");
  const Scenario scenario = load_scenario(scenario_name, platform);
  const Spaces spaces = Spaces::of(platform, scenario);
  const RewardWeights weights = reward_weights(platform, scenario);
  const AgentContext context{platform, scenario, spaces, weights, 1, nullptr};
  const auto agent = make_agent(policy, context);
  Simulator simulator(platform, scenario);
  Tape tape;
  SessionOptions options;
  options.sinks = {&tape};
  run_session(simulator, *agent, weights, options);
  std::size_t i = 0;
  Action action;
  for (auto _ : state) {
    agent->learn(tape.outcomes[i], tape.applied[i], tape.rewards[i]);
    agent->decide(tape.outcomes[i], action);
    benchmark::DoNotOptimize(action);
    if (++i == tape.outcomes.size()) i = 0;
  }
}

constexpr const char* kFixed = "static_best:A15=1000000;camera=A15x1@100";
BENCHMARK_CAPTURE(decide_and_learn, fixed, kFixed, "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, schedutil, "schedutil", "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, rule, "rule", "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, prime, "prime", "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, q_learning, "q_learning", "single_periodic");
BENCHMARK_CAPTURE(decide_and_learn, q_learning_bursty, "q_learning", "bursty");
BENCHMARK_CAPTURE(decide_and_learn, q_learning_two_applications, "q_learning", "dual_dnn");

}  // namespace
}  // namespace flyball
