#include "governor/torch/dqn_data.h"

#include <memory>
#include <utility>

#include "agents/job_bandit.h"
#include "agents/linucb.h"
#include "env/config/yaml.h"
#include "governor/compare/parallel.h"
#include "governor/compare/simulation.h"
#include "governor/compare/unknown_boards.h"
#include "governor/metrics/session.h"

namespace flyball {
namespace {

constexpr double kTries = 1.0 / 3;
// A job that was dropped or came far too late tells of its queue and not of its arm.
constexpr double kMostCost = 4;
// None of those that 'evaluate' draws with seeds that people give.
constexpr std::uint64_t kBoardSeeds = std::uint64_t{1} << 42;

/// Learns as LinUcb does, so that what follows a job is what a learner would do, tries any arm, and writes
/// down what it is told.
class Scribe final : public ArmLearner {
 public:
  Scribe(const LinearPrior& prior, int arms, std::vector<DqnJob>& jobs)
      : learner_(prior, arms), jobs_(jobs) {}
  double cost(const ArmState& state, const Arm& arm) const override {
    return learner_.cost(state, arm);
  }
  Choice choose(const ArmState&, std::span<const Arm> arms, int greedy, Random& random,
                std::span<double>) override {
    if (random.uniform() >= kTries) return {greedy};
    return {static_cast<int>(random.below(static_cast<std::uint32_t>(arms.size())))};
  }
  bool frugal() const override { return false; }
  bool looks_ahead() const override { return true; }
  void learn(const Outcome& outcome) override {
    learner_.learn(outcome);
    if (outcome.disturbed || outcome.cost > kMostCost) return;
    jobs_.push_back(
        {outcome.state, outcome.arm.x, outcome.cost, outcome.next_state, outcome.best_next.x});
  }
  void ablate(Ablation, Random&) override {}
  void save(ByteWriter&) const override {}
  void load(ByteReader&) override {}

 private:
  LinUcb learner_;
  std::vector<DqnJob>& jobs_;
};

class ScribeAgent final : public JobBandit {
 public:
  ScribeAgent(const AgentContext& context, std::vector<DqnJob>& jobs)
      : JobBandit(context), jobs_(jobs) {}
  std::string_view name() const override { return "scribe"; }

 protected:
  std::unique_ptr<ArmLearner> make_arms() const override {
    return std::make_unique<Scribe>(LinearPrior::of_board(clusters()), mappings(), jobs_);
  }

 private:
  std::vector<DqnJob>& jobs_;
};

}  // namespace

DqnBoards play_boards(const PlatformSpec& platform, const DqnPlay& play) {
  std::vector<Scenario> scenarios;
  for (const std::string& name : play.scenarios) {
    scenarios.push_back(stretched(load_scenario(name, platform), play.jobs));
  }
  DqnBoards out{&platform, std::vector<std::vector<DqnJob>>(static_cast<std::size_t>(play.boards))};
  parallel_for(
      out.jobs.size(), play.threads, nullptr,
      [&](std::size_t i) {
        // 0 is as described.
        const UnknownBoard board =
            draw_board(platform, static_cast<int>(i) + 1, kBoardSeeds + play.seed);
        const RewardWeights weights = reward_weights(board.belief);
        SessionOptions options;
        options.truth = &board.truth;
        ScribeAgent agent({board.belief, weights, play.seed + i, nullptr}, out.jobs[i]);
        for (std::size_t s = 0; s < scenarios.size(); ++s) {
          const Stage stage = simulate(board.truth, scenarios[s], play.seed + i);
          run_session(*stage.platform, board.belief, agent, weights, options);
        }
      },
      [](std::size_t) {});
  return out;
}

}  // namespace flyball
