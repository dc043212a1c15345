#include "governor/compare/contest.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "agents/agent.h"
#include "agents/static_best.h"
#include "env/model/declared.h"
#include "governor/compare/gaps.h"
#include "governor/compare/hindsight.h"
#include "governor/compare/recovery.h"
#include "governor/compare/schedule_search.h"
#include "governor/metrics/session.h"

namespace flyball {
namespace {

using Role = AgentInfo::Role;

/// What the search for a schedule goes by.
constexpr std::size_t kLearntFrom = 3, kActionsOfEach = 8;

bool has_role(const std::string& policy, Role role) {
  const AgentInfo* info = find_agent(policy);
  return info != nullptr && policy == info->name && info->role == role;
}

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

}  // namespace

class Contest::Runs {
 public:
  Runs(const PlatformSpec& platform, const Scenario& scenario, const CompareOptions& options)
      : truth_(platform),
        scenario_(scenario),
        options_(options),
        belief_(options.belief != nullptr ? *options.belief : Belief::of(platform)),
        platform_(as_declared(platform, belief_)),
        true_belief_(Belief::of(platform_)),
        weights_(reward_weights(belief_)),
        changes_(changes_of(scenario)),
        bound_model_(platform_, scenario) {
    bool search = options.search;
    for (const PolicyChoice& choice : options.policies) {
      // The same ones whatever is listed and believed. A fixed setting anybody could have had.
      const bool informed =
          is_searched(choice.policy) || (options.believes_truth && choice.learned.empty() &&
                                         has_role(choice.policy, Role::kInformed));
      contestants_.push_back(
          {choice.policy, choice.policy, choice.learned, choice.as_prior, false, informed});
      search = search || is_searched(choice.policy);
    }
    if (scenario.plain_load) {
      for (const AgentInfo& info : agent_catalogue()) {
        if (info.role == Role::kSlowest) slowest_ = beside(std::string(info.name));
        if (info.role == Role::kFastest) fastest_ = beside(std::string(info.name));
      }
    } else {
      beside(yardstick());
      add_informed(Role::kInformed);
      if (options.search) add_informed(Role::kTried);
    }
    if (search) find_static_best();
    seeds_ = std::vector<Seed>(static_cast<std::size_t>(std::max(0, options_.seeds)));
    for (Seed& seed : seeds_) seed.left = contestants_.size();
  }

  std::vector<std::string> agents() const {
    std::vector<std::string> agents;
    for (std::size_t p = 0; p < options_.policies.size(); ++p)
      agents.push_back(contestants_[p].agent);
    return agents;
  }
  const std::string& static_best() const { return static_best_; }
  const std::string& why_no_bound() const { return bound_model_.why_none(); }
  std::size_t per_seed() const { return contestants_.size(); }

  std::optional<SeedFigures> run(std::size_t s, std::size_t i) {
    Seed& seed = seeds_[s];
    std::call_once(seed.begun, [&] {
      find_jobs(s, seed.jobs);
      seed.outcomes.resize(contestants_.size());
    });
    seed.outcomes[i] = run_one(contestants_[i], s, seed.jobs);
    if (--seed.left > 0) return {};
    std::optional<SeedFigures> figures;
    if (std::ranges::all_of(seed.outcomes, &Outcome::complete))
      figures = figures_of(seed.outcomes, search_on(seed.outcomes, s, seed.jobs), seed.jobs);
    seed.outcomes = {};
    seed.jobs = {};
    if (options_.stop != nullptr && options_.stop->load()) figures.reset();
    return figures;
  }

 private:
  /// A policy as it is run: its name, the same with its argument, and what it has learned.
  struct Contestant {
    std::string policy;
    std::string agent;
    std::vector<std::uint8_t> learned;
    bool as_prior = false;
    bool told_truth = false;  ///< whatever the others believe
    bool informed = false;    ///< knows the true board, but not the future
  };
  struct Outcome {
    bool complete = false;
    Metrics metrics;
    RunLedger ledger;
    std::vector<ActionTally::Entry> used;
  };
  struct SeedJobs {
    std::vector<ReleasedJob> jobs;
    std::unique_ptr<LowerBound> bound;  ///< null: there is none
  };

  struct Seed {
    std::once_flag begun;
    std::atomic<std::size_t> left{0};
    SeedJobs jobs;
    std::vector<Outcome> outcomes;
  };

  /// In place, since the bound keeps to the jobs where they stand.
  void find_jobs(std::size_t s, SeedJobs& jobs) const {
    jobs.jobs = released_jobs(bound_model_.sim().ledger, options_.seed(s));
    if (bound_model_.why_none().empty())
      jobs.bound = std::make_unique<LowerBound>(bound_model_, jobs.jobs);
  }

  SeedFigures figures_of(std::span<const Outcome> outcomes, const std::vector<Outcome>& searched,
                         const SeedJobs& jobs) const {
    std::vector<Entrant> entrants = entrants_of(outcomes);
    for (const Outcome& one : searched)
      if (one.complete) entrants.push_back({"search", &one.ledger, false});
    const bool told = !scenario_.plain_load && energy_is_wanted(scenario_);
    SeedFigures figures;
    if (told) figures.bounds = find_bounds(jobs.bound.get(), entrants);
    const std::vector<Gaps> gaps = find_gaps(jobs.bound.get(), entrants);
    const double best_reward = reward_of_yardsticks(outcomes);
    for (std::size_t p = 0; p < options_.policies.size(); ++p) {
      Metrics one = outcomes[p].metrics;
      one.regret = best_reward - one.reward;
      if (scenario_.plain_load)
        one.efficiency_pct =
            efficiency_pct(one, outcomes[slowest_].metrics, outcomes[fastest_].metrics);
      if (one.jobs > 0 && told) {
        one.energy_gap_to_bound_pct = gaps[p].to_bound_pct;
        one.energy_gap_to_best_found_pct = gaps[p].to_best_found_pct;
        one.energy_gap_to_informed_pct = gaps[p].to_informed_pct;
      }
      figures.policies.push_back(one);
    }
    return figures;
  }

  /// The best of those that run whatever is listed; NaN where none does.
  double reward_of_yardsticks(std::span<const Outcome> outcomes) const {
    double best = std::numeric_limits<double>::quiet_NaN();
    if (scenario_.plain_load) return best;
    for (std::size_t p = 0; p < outcomes.size(); ++p) {
      const Contestant& one = contestants_[p];
      const bool always =
          one.policy == yardstick() || (one.informed && has_role(one.policy, Role::kInformed));
      if (always && !(outcomes[p].metrics.reward <= best)) best = outcomes[p].metrics.reward;
    }
    return best;
  }

  std::vector<Entrant> entrants_of(std::span<const Outcome> outcomes) const {
    std::vector<Entrant> entrants;
    for (std::size_t p = 0; p < outcomes.size(); ++p)
      entrants.push_back({contestants_[p].policy, &outcomes[p].ledger, contestants_[p].informed});
    return entrants;
  }

  /// A clairvoyant search among the actions that the best ones of a seed used most.
  std::vector<Outcome> search_on(std::span<const Outcome> outcomes, std::size_t s,
                                 const SeedJobs& jobs) const {
    std::vector<Outcome> found;
    double work = 0;
    for (const ReleasedJob& one : jobs.jobs) work += one.job.work;
    if (jobs.bound == nullptr || work == 0) return found;
    if (!std::ranges::all_of(outcomes, &Outcome::complete)) return found;
    std::vector<const Outcome*> best;
    for (const Outcome& one : outcomes) best.push_back(&one);
    std::ranges::stable_sort(best, {}, [](const Outcome* one) {
      return std::pair{one->ledger.unmet, one->ledger.charged_mj};
    });
    std::vector<Action> choices;
    for (std::size_t i = 0; i < std::min(kLearntFrom, best.size()); ++i) {
      std::size_t taken = 0;
      for (const ActionTally::Entry& entry : best[i]->used) {
        if (taken++ == kActionsOfEach) break;
        if (std::ranges::find(choices, entry.action) == choices.end())
          choices.push_back(entry.action);
      }
    }
    if (choices.empty()) return found;
    const double seconds = static_cast<double>(scenario_.duration_ns) * 1e-9;
    const double idle_mj = jobs.bound->idle_mj();
    const double price_mj = (jobs.bound->energy_mj(best[0]->ledger.met) - idle_mj) / work;
    for (const double hurry : {1.0, 1.5}) {
      const std::uint64_t seed = options_.seed(s);
      const Stage stage = options_.make_platform(platform_, scenario_, seed);
      Scripted agent(search_schedule(
          *stage.truth, choices,
          {.jobs = jobs.jobs, .idle_mw = idle_mj / seconds, .price_mj = hurry * price_mj}));
      found.push_back(play(stage, true_belief_, agent, jobs));
    }
    return found;
  }

  Outcome play(const Stage& stage, const Belief& belief, Agent& agent, const SeedJobs& jobs) const {
    RunLedgerSink ledger(jobs.jobs, jobs.bound.get());
    ActionTally tally;
    SessionOptions session;
    session.truth = &truth_;
    RecoverySink recovery(changes_);
    session.measuring = {&ledger, &tally, &recovery};
    session.stop = options_.stop;
    SessionResult result = run_session(*stage.platform, belief, agent, weights_, session);
    result.metrics.recovery_s = recovery.mean_s();
    // mJ over mW are seconds.
    if (scenario_.battery_mj > 0 && result.metrics.power_mean_mw > 0)
      result.metrics.battery_h =
          scenario_.battery_mj * scenario_.battery_pct / 100 / result.metrics.power_mean_mw / 3600;
    return {result.status == Status::kFinished, result.metrics, ledger.result(*stage.truth),
            tally.entries()};
  }

  /// Those that are not there already and were told as much.
  void add_informed(Role role) {
    for (const AgentInfo& info : agent_catalogue()) {
      if (info.role != role) continue;
      const std::string name(info.name);
      const auto same = std::ranges::find(contestants_, name, &Contestant::policy);
      if (same == contestants_.end() || !same->informed)
        contestants_.push_back({name, name, {}, false, true, true});
    }
  }

  /// Of a policy that runs whether it is listed or not.
  std::size_t beside(const std::string& policy) {
    const auto there = std::ranges::find(contestants_, policy, &Contestant::policy);
    const auto i = static_cast<std::size_t>(there - contestants_.begin());
    if (there == contestants_.end()) contestants_.push_back({policy, policy, {}});
    return i;
  }

  static double efficiency_pct(const Metrics& one, const Metrics& slowest, const Metrics& fastest) {
    const double range = slowest.slack_lost_pct - fastest.slack_lost_pct;
    // Below a thousandth of the period there is nothing for a clock to change.
    if (!(range > 0.1)) return std::numeric_limits<double>::quiet_NaN();
    return 100 * (slowest.slack_lost_pct - one.slack_lost_pct) / range;
  }

  void find_static_best() {
    static_best_ = options_.static_best;
    if (static_best_.empty()) {
      HindsightOptions search;
      search.seeds = options_.seeds;
      search.first_seed = options_.first_seed;
      search.seed_list = options_.seed_list;
      search.threads = options_.threads;
      search.make_platform = options_.make_platform;
      search.stop = options_.stop;
      search.progress = options_.progress;
      static_best_ = format_action(platform_, scenario_,
                                   best_in_hindsight(platform_, scenario_, search).action);
    }
    for (Contestant& contestant : contestants_)
      if (is_searched(contestant.policy)) contestant.agent.append(":").append(static_best_);
  }

  Outcome run_one(const Contestant& contestant, std::size_t s, const SeedJobs& jobs) const {
    const std::uint64_t seed = options_.seed(s);
    const Stage stage = options_.make_platform(platform_, scenario_, seed);
    const Belief& belief = contestant.told_truth ? true_belief_ : belief_;
    const AgentContext context{belief, weights_, seed, stage.truth};
    const auto agent = make_agent(contestant.agent, context);
    if (!contestant.learned.empty()) agent->load(contestant.learned, contestant.as_prior);
    return play(stage, belief, *agent, jobs);
  }

  const PlatformSpec& truth_;
  const Scenario& scenario_;
  const CompareOptions& options_;
  const Belief belief_;
  const PlatformSpec platform_;
  const Belief true_belief_;
  const RewardWeights weights_;
  const std::vector<std::int64_t> changes_;
  const BoundModel bound_model_;
  std::vector<Contestant> contestants_;
  std::size_t slowest_ = 0, fastest_ = 0;  ///< indices; of plain load
  std::string static_best_;
  std::vector<Seed> seeds_;
};

Contest::Contest(const PlatformSpec& platform, const Scenario& scenario,
                 const CompareOptions& options)
    : runs_(std::make_unique<Runs>(platform, scenario, options)) {}
Contest::~Contest() = default;
std::vector<std::string> Contest::agents() const { return runs_->agents(); }
const std::string& Contest::static_best() const { return runs_->static_best(); }
const std::string& Contest::why_no_bound() const { return runs_->why_no_bound(); }
std::size_t Contest::runs_per_seed() const { return runs_->per_seed(); }
std::optional<SeedFigures> Contest::run(std::size_t seed, std::size_t i) {
  return runs_->run(seed, i);
}

}  // namespace flyball
