#include "governor/compare/curriculum.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

#include "agents/agent.h"
#include "env/model/declared.h"
#include "governor/compare/parallel.h"
#include "governor/compare/simulation.h"
#include "governor/compare/unknown_boards.h"
#include "governor/metrics/session.h"

namespace flyball {
namespace {

constexpr std::uint64_t kTrySeed = std::uint64_t{1} << 40, kJudgeSeed = std::uint64_t{1} << 41;
constexpr int kTryRuns = 4, kJudgeRuns = 12;          // of each scenario
constexpr int kMostTrainingRounds = 10, kFewestEpisodes = 8;  // a round
constexpr int kTrainingPatience = 5;                          // rounds without anything better

class Training {
 public:
  explicit Training(const Curriculum& c)
      : c_(c), weights_(reward_weights(c.belief)), lanes_(static_cast<std::size_t>(c.lanes)) {
    draw(boards_, c.boards, c.first_seed);
    draw(tried_boards_, std::min(c.boards, kTryRuns), ~c.first_seed);
    if (boards_.empty()) boards_.push_back(as_declared(c.platform, c.belief));
    if (tried_boards_.empty()) tried_boards_.push_back(boards_.front());
  }

  TrainedPolicy run();

 private:
  struct Lane {
    std::unique_ptr<Agent> agent;
    int done = 0;
    std::vector<std::uint8_t> learned;
    std::vector<double> rewards;
    Checkpoint tried;
  };

  void draw(std::deque<PlatformSpec>& boards, int count, std::uint64_t seed) const {
    for (int i = 1; i <= count; ++i)  // 0 is as described
      boards.push_back(as_declared(draw_board(c_.platform, i, seed).truth, c_.belief));
  }
  std::unique_ptr<Agent> agent_of(const std::vector<std::uint8_t>& learned, std::uint64_t seed,
                                  bool as_prior) const;
  bool stopped() const { return c_.stop != nullptr && c_.stop->load(); }
  void learn(Lane& lane, std::size_t index, int episodes);
  /// Rewards of runs with a copy of what was learned, which goes on learning, as it would in use.
  Checkpoint play(const std::vector<std::uint8_t>& learned, bool as_prior, std::uint64_t seed,
                  int runs, std::vector<double>& rewards) const;
  void progress(double done) const {
    if (c_.progress) c_.progress(done);
  }

  const Curriculum& c_;
  const RewardWeights weights_;
  std::deque<PlatformSpec> boards_, tried_boards_;  // whose references are kept
  std::vector<Lane> lanes_;
};

std::unique_ptr<Agent> Training::agent_of(const std::vector<std::uint8_t>& learned,
                                          std::uint64_t seed, bool as_prior) const {
  auto agent = make_agent(c_.agent, AgentContext{c_.belief, weights_, seed, nullptr});
  if (!learned.empty()) agent->load(learned, as_prior);
  agent->set_learning(true);
  return agent;
}

void Training::learn(Lane& lane, std::size_t index, int episodes) {
  const std::size_t scenarios = c_.scenarios.size();
  SessionOptions options;
  options.truth = &c_.platform;
  options.stop = c_.stop;
  for (int i = 0; i < episodes && !stopped(); ++i) {
    const auto k = static_cast<std::uint64_t>(lane.done);
    const std::size_t scenario = k % scenarios;
    const PlatformSpec& board = boards_[(k / scenarios + index) % boards_.size()];
    if (c_.boards > 0) options.truth = &board;
    const Stage stage =
        simulate(board, c_.scenarios[scenario], c_.first_seed + k * lanes_.size() + index);
    const SessionResult result =
        run_session(*stage.platform, c_.belief, *lane.agent, weights_, options);
    if (result.status == Status::kInterrupted) break;  // half an episode is no figure
    ++lane.done;
    if (index == 0 && c_.on_episode) c_.on_episode(static_cast<int>(scenario), result.metrics);
  }
  ByteWriter payload;
  lane.agent->save(payload);
  lane.learned = payload.take();
}

Checkpoint Training::play(const std::vector<std::uint8_t>& learned, bool as_prior,
                          std::uint64_t seed, int runs, std::vector<double>& rewards) const {
  Checkpoint sum;
  rewards.clear();
  SessionOptions options;
  options.stop = c_.stop;
  for (int run = 0; run < runs; ++run) {
    const PlatformSpec& board = tried_boards_[static_cast<std::size_t>(run) % tried_boards_.size()];
    options.truth = c_.boards > 0 ? &board : &c_.platform;
    for (const Scenario& scenario : c_.scenarios) {
      const auto agent = agent_of(learned, c_.first_seed, as_prior);
      const Stage stage = simulate(board, scenario, seed + static_cast<std::uint64_t>(run));
      const Metrics metrics =
          run_session(*stage.platform, c_.belief, *agent, weights_, options).metrics;
      rewards.push_back(metrics.reward);
      sum.reward += metrics.reward;
      sum.energy_mj_per_job += metrics.energy_mj_per_job;
      sum.deadline_miss_pct += metrics.deadline_miss_pct;
    }
  }
  const auto count = static_cast<double>(rewards.size());
  sum.reward /= count;
  sum.energy_mj_per_job /= count;
  sum.deadline_miss_pct /= count;
  return sum;
}

TrainedPolicy Training::run() {
  TrainedPolicy out;
  std::vector<std::uint8_t> first = c_.start;
  for (std::size_t i = 0; i < lanes_.size(); ++i)
    lanes_[i].agent = agent_of(c_.start, c_.first_seed + i, c_.start_as_prior);
  if (first.empty()) {
    ByteWriter payload;
    lanes_[0].agent->save(payload);
    first = payload.take();
  }
  std::vector<double> rewards;
  out.checkpoints.push_back(play(first, c_.start_as_prior, kTrySeed, kTryRuns, rewards));
  out.learned = first;

  const int rounds = std::clamp(c_.episodes / kFewestEpisodes, 1, kMostTrainingRounds);
  double best = out.checkpoints[0].reward;
  int better = 0;  // round of the last one that was
  for (int round = 1; round <= rounds && !stopped(); ++round) {
    const int until = static_cast<int>(static_cast<long long>(c_.episodes) * round / rounds);
    parallel_for(
        lanes_.size(), c_.threads, c_.stop,
        [&](std::size_t i) {
          Lane& lane = lanes_[i];
          learn(lane, i, until - lane.done);
          if (stopped()) return;
          lane.tried = play(lane.learned, false, kTrySeed, kTryRuns, lane.rewards);
          lane.tried.lane = static_cast<int>(i);
          lane.tried.episodes = lane.done;
        },
        [&](std::size_t) {});
    if (stopped()) break;
    for (const Lane& lane : lanes_) {
      out.checkpoints.push_back(lane.tried);
      if (lane.tried.reward > best) better = round;
      // Of equals the one that has seen more.
      if (lane.tried.reward < best) continue;
      best = lane.tried.reward;
      out.learned = lane.learned;
      out.kept = out.checkpoints.size() - 1;
    }
    progress(static_cast<double>(round) / (rounds + 1));
    if (round < rounds && round - better >= kTrainingPatience) {
      out.ended_early = true;
      break;
    }
  }
  if (stopped()) {
    // Of what was tried the best, where that was learned at all; else what is there, untried.
    if (out.kept == 0u && !lanes_[0].learned.empty()) {
      out.learned = lanes_[0].learned;
      out.kept.reset();
    }
    return out;
  }
  std::vector<double> before, after;
  parallel_for(
      out.kept == 0u ? 1 : 2, c_.threads, c_.stop,
      [&](std::size_t which) {
        if (which == 0) {
          play(first, c_.start_as_prior, kJudgeSeed, kJudgeRuns, before);
        } else {
          play(out.learned, false, kJudgeSeed, kJudgeRuns, after);
        }
      },
      [](std::size_t) {});
  if (out.kept == 0u) after = before;  // it is the same
  if (!stopped()) out.gain = paired_difference(after, before);
  progress(1);
  return out;
}

}  // namespace

TrainedPolicy train_curriculum(const Curriculum& curriculum) { return Training(curriculum).run(); }

}  // namespace flyball
