#include "governor/compare/hindsight.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "agents/static_best.h"
#include "governor/compare/hindsight_candidates.h"
#include "governor/compare/parallel.h"
#include "governor/metrics/session.h"

namespace flyball {
namespace {

constexpr std::size_t kPerMargin = 6;
constexpr std::size_t kFinalists = 6;

struct Tried {
  Action action;
  double reward = -std::numeric_limits<double>::infinity();
};

/// Runs configurations on one seed and remembers what came of them, in the order they were asked
/// for.
class Trials {
 public:
  Trials(const PlatformSpec& platform, const Scenario& scenario, const HindsightOptions& options)
      : platform_(platform),
        scenario_(scenario),
        options_(options),
        belief_(Belief::of(platform)),
        weights_(reward_weights(belief_)) {}

  double run(const Action& action, std::uint64_t seed) const {
    const Stage stage = options_.make_platform(platform_, scenario_, seed);
    StaticBest agent({belief_, weights_, seed, nullptr},
                     format_action(platform_, scenario_, action));
    SessionOptions session;
    session.stop = options_.stop;
    return run_session(*stage.platform, belief_, agent, weights_, session).metrics.reward;
  }

  /// Tries those that are new while the budget lasts; true when one is better than all before.
  bool try_all(const std::vector<Action>& actions) {
    const std::size_t first = tried_.size();
    const double best_before = first > 0 ? best().reward : -std::numeric_limits<double>::infinity();
    for (const Action& action : actions)
      if (static_cast<int>(tried_.size()) < options_.budget && !knows(action))
        tried_.push_back({action});
    parallel_for(
        tried_.size() - first, options_.threads, options_.stop,
        [&](std::size_t i) {
          tried_[first + i].reward = run(tried_[first + i].action, options_.seed(0));
        },
        [&](std::size_t done) { report(first + done); });
    return tried_.size() > first && best().reward > best_before;
  }

  const Tried& best() const {
    return *std::max_element(tried_.begin(), tried_.end(),
                             [](const Tried& a, const Tried& b) { return a.reward < b.reward; });
  }
  std::vector<Tried> finalists() const {
    std::vector<Tried> sorted = tried_;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Tried& a, const Tried& b) { return a.reward > b.reward; });
    if (sorted.size() > kFinalists) sorted.resize(kFinalists);
    return sorted;
  }
  int count() const { return static_cast<int>(tried_.size()); }
  void report(std::size_t done) const {
    const double all = options_.budget + static_cast<double>(kFinalists) * (options_.seeds - 1);
    if (options_.progress) options_.progress(static_cast<double>(done) / all);
  }

 private:
  bool knows(const Action& action) const {
    return std::any_of(tried_.begin(), tried_.end(),
                       [&](const Tried& entry) { return entry.action == action; });
  }

  const PlatformSpec& platform_;
  const Scenario& scenario_;
  const HindsightOptions& options_;
  const Belief belief_;
  const RewardWeights weights_;
  std::vector<Tried> tried_;
};

}  // namespace

HindsightResult best_in_hindsight(const PlatformSpec& platform, const Scenario& scenario,
                                  const HindsightOptions& options) {
  Trials trials(platform, scenario, options);
  trials.try_all(hindsight_candidates(platform, scenario, kPerMargin));
  while (!(options.stop != nullptr && options.stop->load()) &&
         trials.try_all(neighbours(platform, scenario, trials.best().action))) {
  }

  const std::vector<Tried> finalists = trials.finalists();
  const std::size_t others = static_cast<std::size_t>(std::max(0, options.seeds - 1));
  std::vector<double> reward(finalists.size() * others);
  parallel_for(
      reward.size(), options.threads, options.stop,
      [&](std::size_t i) {
        reward[i] = trials.run(finalists[i / others].action, options.seed(1 + i % others));
      },
      [&](std::size_t done) { trials.report(static_cast<std::size_t>(options.budget) + done); });

  HindsightResult result;
  result.reward = -std::numeric_limits<double>::infinity();
  result.runs = trials.count() + static_cast<int>(reward.size());
  for (std::size_t f = 0; f < finalists.size(); ++f) {
    double sum = finalists[f].reward;
    for (std::size_t s = 0; s < others; ++s) sum += reward[f * others + s];
    const double mean = sum / static_cast<double>(others + 1);
    if (mean > result.reward) {
      result.reward = mean;
      result.action = finalists[f].action;
    }
  }
  return result;
}

}  // namespace flyball
