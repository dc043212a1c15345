#include "governor/compare/compare.h"

#include <algorithm>
#include <limits>

#include "agents/agent.h"
#include "agents/static_best.h"
#include "env/model/declared.h"
#include "governor/compare/hindsight.h"
#include "governor/compare/parallel.h"
#include "governor/metrics/session.h"

namespace flyball {
namespace {

constexpr double kSearchShare = 0.4;  // of the progress, when static_best is searched first

/// A policy as it is run: its name, the same with its argument, and what it has learned.
struct Contestant {
  std::string policy;
  std::string agent;
  std::vector<std::uint8_t> learned;
  bool as_prior = false;
};

/// Nothing is searched for a policy that is given its argument.
bool is_searched(const std::string& policy) {
  const AgentInfo* info = find_agent(policy);
  return info != nullptr && info->searched && policy == info->name;
}

std::string yardstick() {
  for (const AgentInfo& info : agent_catalogue()) {
    if (info.knows_future) return std::string(info.name);
  }
  return "";
}

class Contest {
 public:
  Contest(const PlatformSpec& platform, const Scenario& scenario, const CompareOptions& options)
      : truth_(platform),
        scenario_(scenario),
        options_(options),
        belief_(options.belief != nullptr ? *options.belief : Belief::of(platform)),
        platform_(as_declared(platform, belief_)),
        weights_(reward_weights(belief_)) {
    bool search = false;
    for (const PolicyChoice& choice : options.policies) {
      contestants_.push_back({choice.policy, choice.policy, choice.learned, choice.as_prior});
      search = search || is_searched(choice.policy);
    }
    if (scenario.plain_load) {
      slowest_ = beside("powersave");
      fastest_ = beside("performance");
    }
    // Beside each other, applications leave no bound: nothing would be told of a run.
    oracle_ = applications_meet(scenario) ? index_of(yardstick()) : beside(yardstick());
    if (search) find_static_best();
    progress_from_ = search ? kSearchShare : 0;
  }

  std::vector<PolicyResult> run() {
    const std::size_t policies = contestants_.size();
    const std::size_t seeds = static_cast<std::size_t>(std::max(0, options_.seeds));
    std::vector<Metrics> metrics(policies * seeds);
    std::vector<char> complete(policies * seeds, 0);
    parallel_for(
        policies * seeds, options_.threads, options_.stop,
        [&](std::size_t i) {
          const SessionResult result = run_one(contestants_[i % policies], i / policies);
          metrics[i] = result.metrics;
          complete[i] = result.status == Status::kFinished;
        },
        [&](std::size_t done) {
          progress(progress_from_ + (1 - progress_from_) * static_cast<double>(done) /
                                        static_cast<double>(policies * seeds));
        });

    std::vector<PolicyResult> results;
    for (std::size_t p = 0; p < options_.policies.size(); ++p)
      results.push_back({contestants_[p].policy, contestants_[p].agent, {}});
    for (std::size_t s = 0; s < seeds; ++s) {
      const auto row = complete.begin() + static_cast<std::ptrdiff_t>(s * policies);
      if (!std::all_of(row, row + static_cast<std::ptrdiff_t>(policies),
                       [](char c) { return c != 0; }))
        continue;
      const auto of = [&](std::size_t p) -> const Metrics& { return metrics[s * policies + p]; };
      for (std::size_t p = 0; p < results.size(); ++p) {
        Metrics one = of(p);
        if (scenario_.plain_load)
          one.efficiency_pct = efficiency_pct(one, of(slowest_), of(fastest_));
        const Metrics best = oracle_ < policies ? of(oracle_) : Metrics{};
        const bool bound = !applications_meet(scenario_) && !best.coupled && !one.coupled;
        one.energy_gap_to_oracle_pct =
            bound && best.energy_mj_per_job > 0 && one.jobs > 0
                ? 100 * (one.energy_mj_per_job / best.energy_mj_per_job - 1)
                : std::numeric_limits<double>::quiet_NaN();
        results[p].per_seed.push_back(one);
      }
    }
    return results;
  }

 private:
  std::size_t index_of(const std::string& policy) const {
    std::size_t i = 0;
    while (i < contestants_.size() && contestants_[i].policy != policy) ++i;
    return i;
  }

  /// Of a policy that runs whether it is listed or not.
  std::size_t beside(const std::string& policy) {
    const std::size_t i = index_of(policy);
    if (i == contestants_.size()) contestants_.push_back({policy, policy, {}, false});
    return i;
  }

  static double efficiency_pct(const Metrics& one, const Metrics& slowest, const Metrics& fastest) {
    const double range = slowest.slack_lost_pct - fastest.slack_lost_pct;
    // Below a thousandth of the period there is nothing for a clock to change.
    if (!(range > 0.1)) return std::numeric_limits<double>::quiet_NaN();
    return 100 * (slowest.slack_lost_pct - one.slack_lost_pct) / range;
  }

  void find_static_best() {
    HindsightOptions search;
    search.seeds = options_.seeds;
    search.first_seed = options_.first_seed;
    search.threads = options_.threads;
    search.make_platform = options_.make_platform;
    search.stop = options_.stop;
    search.progress = [this](double done) { progress(kSearchShare * done); };
    const Action best = best_in_hindsight(platform_, scenario_, search).action;
    for (Contestant& contestant : contestants_)
      if (is_searched(contestant.policy))
        contestant.agent.append(":").append(format_action(platform_, scenario_, best));
  }

  SessionResult run_one(const Contestant& contestant, std::size_t s) const {
    const std::uint64_t seed = options_.first_seed + s;
    const Stage stage = options_.make_platform(platform_, scenario_, seed);
    const AgentContext context{belief_, weights_, seed, stage.truth};
    const auto agent = make_agent(contestant.agent, context);
    if (!contestant.learned.empty()) agent->load(contestant.learned, contestant.as_prior);
    SessionOptions session;
    session.truth = &truth_;
    session.stop = options_.stop;
    return run_session(*stage.platform, belief_, *agent, weights_, session);
  }

  void progress(double done) const {
    if (options_.progress) options_.progress(done);
  }

  const PlatformSpec& truth_;
  const Scenario& scenario_;
  const CompareOptions& options_;
  const Belief belief_;
  const PlatformSpec platform_;
  const RewardWeights weights_;
  std::vector<Contestant> contestants_;
  std::size_t oracle_ = 0, slowest_ = 0, fastest_ = 0;  ///< indices; past the end: none
  double progress_from_ = 0;
};

}  // namespace

bool applications_meet(const Scenario& scenario) {
  for (std::size_t a = 0; a < scenario.apps.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      const AppSpec &one = scenario.apps[a], &other = scenario.apps[b];
      if (one.start_ns < other.stop_ns && other.start_ns < one.stop_ns) return true;
    }
  }
  return false;
}

std::vector<PolicyResult> compare(const PlatformSpec& platform, const Scenario& scenario,
                                  const CompareOptions& options) {
  return Contest(platform, scenario, options).run();
}

std::vector<std::uint8_t> train(const PlatformSpec& platform, const Belief& belief,
                                const Scenario& scenario, const std::string& agent, int episodes,
                                std::uint64_t first_seed,
                                const std::function<void(int, const Metrics&)>& on_episode,
                                const std::atomic<bool>* stop,
                                const std::vector<std::uint8_t>& start, bool start_as_prior,
                                const PlatformFactory& make_platform) {
  const RewardWeights weights = reward_weights(belief);
  const AgentContext context{belief, weights, first_seed, nullptr};
  const auto learner = make_agent(agent, context);
  if (!start.empty()) learner->load(start, start_as_prior);
  learner->set_learning(true);
  const PlatformSpec declared = as_declared(platform, belief);
  SessionOptions session;
  session.truth = &platform;
  session.stop = stop;
  for (int episode = 0; episode < episodes; ++episode) {
    if (stop != nullptr && stop->load()) break;
    const Stage stage =
        make_platform(declared, scenario, first_seed + static_cast<std::uint64_t>(episode));
    const SessionResult result = run_session(*stage.platform, belief, *learner, weights, session);
    if (result.status == Status::kInterrupted) break;  // half an episode is no figure
    if (on_episode) on_episode(episode, result.metrics);
  }
  ByteWriter payload;
  learner->save(payload);
  return payload.take();
}

}  // namespace flyball
