#include "governor/compare/evaluate.h"

#include <algorithm>
#include <memory>

#include "agents/ablation.h"
#include "agents/agent.h"
#include "env/sim/simulator.h"
#include "governor/compare/parallel.h"
#include "governor/metrics/session.h"
#include "kernels/base/random.h"

namespace flyball {
namespace {

constexpr int kLearnJobs = 500, kJudgeJobs = 1000;
constexpr double kWithinPct = 5;
constexpr std::uint64_t kOtherSeeds = 10'000, kShuffleStream = 0x73687566;
constexpr int kNextJobs = 100, kStepJobs = 10;  // how finely `jobs_to_5_pct` is looked for

/// What a run really took, by the releases of the first application: the same for every policy.
class Meter final : public Platform {
 public:
  Meter(Platform& platform, int jobs) : platform_(platform) {
    mj_at_.reserve(static_cast<std::size_t>(jobs) + 64);
  }
  const Binding& binding(int slot) const override { return platform_.binding(slot); }
  void observe(Observation& out) const noexcept override { platform_.observe(out); }
  Status apply(const Action& action) noexcept override { return platform_.apply(action); }
  Status advance(const EpochRequest& request, Observation& out) noexcept override {
    const Status status = platform_.advance(request, out);
    total_mj_ += out.energy_mj;
    for (std::uint32_t i = 0; i < out.app[0].released; ++i) mj_at_.push_back(total_mj_);
    for (int a = 0; a < out.app_count; ++a) {
      jobs_ += out.app[a].finished + out.app[a].dropped;
      missed_ += out.app[a].missed;
    }
    for (const JobRecord& job : out.jobs()) {
      feasible_ += !job.infeasible;
      avoidable_ += job.missed && !job.infeasible;
    }
    return status;
  }
  void interrupt() override { platform_.interrupt(); }
  std::vector<KnobSetting> capture() const override { return platform_.capture(); }
  std::vector<KnobOutcome> restore(const std::vector<KnobSetting>& settings) override {
    return platform_.restore(settings);
  }

  /// From the release of job `first` to that of `last`, counted from 0.
  double energy_mj(int first, int last) const { return at(last) - at(first); }
  int released() const { return static_cast<int>(mj_at_.size()); }
  double missed_pct() const { return share_pct(missed_, jobs_); }
  double avoidable_pct() const { return share_pct(avoidable_, feasible_); }

 private:
  static double share_pct(std::uint64_t part, std::uint64_t all) {
    return all > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(all)
                   : EvaluateRow::kNothing;
  }
  double at(int job) const {
    if (mj_at_.empty()) return 0;
    return mj_at_[static_cast<std::size_t>(std::clamp(job, 0, released() - 1))];
  }

  Platform& platform_;
  std::vector<double> mj_at_;
  double total_mj_ = 0;
  std::uint64_t jobs_ = 0, missed_ = 0, feasible_ = 0, avoidable_ = 0;
};

/// What is kept of a run.
struct Run {
  std::vector<double> mj;  ///< per kStepJobs jobs
  double missed_pct = 0, avoidable_pct = 0;
  bool complete = false;

  /// `first` and `last` are multiples of kStepJobs.
  double energy_mj(int first, int last) const {
    double sum = 0;
    const int steps = static_cast<int>(mj.size());
    for (int i = first / kStepJobs; i < std::min(last / kStepJobs, steps); ++i) sum += mj[i];
    return sum;
  }
};

double gap_pct(const Run& run, const Run& informed, int first, int last) {
  const double best = informed.energy_mj(first, last);
  return best > 0 ? 100 * (run.energy_mj(first, last) / best - 1) : EvaluateRow::kNothing;
}

double jobs_within(const Run& run, const Run& informed, int jobs) {
  const int until = std::min(kJudgeJobs, jobs);
  for (int n = 0; n + kNextJobs <= until; n += kStepJobs) {
    if (gap_pct(run, informed, n, n + kNextJobs) <= kWithinPct &&
        gap_pct(run, informed, n, until) <= kWithinPct) {
      return n;
    }
  }
  return EvaluateRow::kNothing;
}

class Suite {
 public:
  explicit Suite(const EvaluateOptions& options) : options_(options) {
    for (const std::string& agent : options.agents) {
      contestant_.push_back(agent == kPriorPolicy ? kPrior : policies_.size());
      labels_.push_back(agent);
      if (agent != kPriorPolicy) policies_.push_back({agent});
    }
    for (const TrainedAgent& agent : options.trained) {
      contestant_.push_back(policies_.size());
      labels_.push_back(agent.label);
      policies_.push_back({agent.policy, &agent});
    }
    for (int b = 0; b < options.boards; ++b) {
      // As many of each, and exactly as described comes once per platform.
      const int kinds = static_cast<int>(options.platforms.size());
      boards_.push_back(draw_board(options.platforms[static_cast<std::size_t>(b % kinds)],
                                   b / kinds, options.first_seed));
      std::vector<Scenario>& list = scenarios_.emplace_back();
      for (const std::string& name : options.scenarios) {
        list.push_back(
            stretched(load_scenario(name, options.platforms[static_cast<std::size_t>(b % kinds)]),
                      options.jobs));
      }
    }
  }

  Evaluation run() {
    const std::size_t contestants = policies_.size();
    const std::size_t scenarios = options_.scenarios.size();
    const auto seeds = static_cast<std::size_t>(options_.seeds);
    const std::size_t cells = boards_.size() * scenarios * seeds;
    std::vector<Run> runs(cells * contestants);
    parallel_for(
        runs.size(), options_.threads, options_.stop,
        [&](std::size_t i) {
          const std::size_t cell = i / contestants;
          runs[i] = run_one(cell / seeds / scenarios,
                            scenarios_[cell / seeds / scenarios][cell / seeds % scenarios],
                            cell % seeds, i % contestants);
        },
        [&](std::size_t done) {
          if (options_.progress) {
            options_.progress(static_cast<double>(done) / static_cast<double>(runs.size()));
          }
        });
    Evaluation result;
    result.cells = cells;
    for (std::size_t cell = 0; cell < cells; ++cell) {
      const Run* of = &runs[cell * contestants];
      if (!std::all_of(of, of + contestants, [](const Run& run) { return run.complete; })) continue;
      ++result.cells_done;
      for (std::size_t a = 0; a < labels_.size(); ++a) {
        const UnknownBoard& board = boards_[cell / seeds / scenarios];
        EvaluateRow row = judge(of[kInformed], of[kPrior], of[contestant_[a]]);
        row.agent = labels_[a];
        row.board = board.name;
        row.scenario = scenarios_[cell / seeds / scenarios][cell / seeds % scenarios].name;
        row.seed = options_.first_seed + cell % seeds;
        row.observable = board.sensors.observable();
        result.rows.push_back(row);
      }
    }
    if (options_.ablate) run_ablations(result);
    result.boards = std::move(boards_);
    return result;
  }

 private:
  struct Contestant {
    std::string policy;
    const TrainedAgent* trained = nullptr;  ///< what it begins with
  };
  /// `prepare` is called with the agent before it runs, `done` with it after.
  Run play(const UnknownBoard& board, const Scenario& scenario, std::uint64_t seed,
           const std::string& policy, bool informed, int jobs,
           const std::function<void(Agent&)>& prepare = {},
           const std::function<void(Agent&)>& done = {}) const {
    Simulator simulator(board.truth, scenario, SimOptions{.seed = seed});
    Meter meter(simulator, jobs);
    const Belief belief = informed ? Belief::of(board.truth) : board.belief;
    FaultySensors sensors(meter, belief, informed ? SensorFaults{} : board.sensors, seed);
    const RewardWeights weights = reward_weights(belief);
    const AgentContext context{belief, weights, seed, &simulator};
    const auto agent = make_agent(policy, context);
    if (prepare) prepare(*agent);
    SessionOptions session;
    session.stop = options_.stop;
    const SessionResult result = run_session(sensors, belief, *agent, weights, session);
    if (done) done(*agent);
    Run run;
    run.complete = result.status == Status::kFinished;
    run.missed_pct = meter.missed_pct();
    run.avoidable_pct = meter.avoidable_pct();
    for (int n = 0; n + kStepJobs <= std::min(jobs, meter.released() - 1); n += kStepJobs) {
      run.mj.push_back(meter.energy_mj(n, n + kStepJobs));
    }
    return run;
  }

  Run run_one(std::size_t b, const Scenario& scenario, std::size_t s,
              std::size_t contestant) const {
    const Contestant& one = policies_[contestant];
    return play(boards_[b], scenario, options_.first_seed + s, one.policy, contestant == kInformed,
                options_.jobs, start_of(one, b));
  }

  /// Gives an agent what it begins with; empty for one that begins untrained.
  std::function<void(Agent&)> start_of(const Contestant& one, std::size_t b) const {
    if (one.trained == nullptr) return {};
    return [&learned = one.trained->learned[b % options_.platforms.size()]](Agent& agent) {
      agent.load(learned, false);
    };
  }

  AblationRow ablate(std::size_t b, const std::string& name, std::size_t s,
                     std::size_t learner) const {
    const Contestant& one = policies_[contestant_[learner]];
    const std::string& policy = one.policy;
    const UnknownBoard& board = boards_[b];
    const Scenario scenario = stretched(
        load_scenario(name, options_.platforms[b % options_.platforms.size()]), kLearnJobs);
    const std::uint64_t seed = options_.first_seed + s;
    ByteWriter learned;
    play(board, scenario, seed, policy, false, kLearnJobs, start_of(one, b),
         [&](Agent& agent) { agent.save(learned); });
    const std::vector<std::uint8_t> payload = learned.take();
    const std::uint64_t other = seed + kOtherSeeds;
    bool complete = true;
    const auto gap = [&](const Run& run, const Run& informed) {
      complete = complete && run.complete && informed.complete;
      return gap_pct(run, informed, 0, kLearnJobs);
    };
    const Run informed = play(board, scenario, other, kPriorPolicy, true, kLearnJobs);
    const auto use = [&](const std::function<void(Agent&)>& spoil) {
      return gap(play(board, scenario, other, policy, false, kLearnJobs,
                      [&](Agent& agent) {
                        agent.load(payload, false);
                        agent.set_learning(false);
                        if (spoil) spoil(agent);
                      }),
                 informed);
    };
    AblationRow row{labels_[learner],
                    board.name,
                    scenario.name,
                    seed,
                    board.sensors.observable(),
                    false,
                    0,
                    0,
                    {}};
    row.prior_gap_pct =
        gap(play(board, scenario, other, kPriorPolicy, false, kLearnJobs), informed);
    row.gap_pct = use({});
    for (const Ablation how : {Ablation::kZeroed, Ablation::kNegated, Ablation::kShuffled}) {
      row.spoilt_gap_pct[static_cast<std::size_t>(how)] = use([&](Agent& agent) {
        Random random(seed, kShuffleStream);
        if (auto* learned = dynamic_cast<Spoilable*>(&agent)) learned->ablate(how, random);
      });
    }
    row.complete = complete;  // learning was, too: a stop is for all that comes after it
    return row;
  }

  void run_ablations(Evaluation& result) const {
    std::vector<std::size_t> learners;
    for (std::size_t a = 0; a < labels_.size(); ++a) {
      const AgentInfo* info = find_agent(policies_[contestant_[a]].policy);
      if (info != nullptr && info->learns) learners.push_back(a);
    }
    const std::size_t scenarios = options_.scenarios.size();
    const auto seeds = static_cast<std::size_t>(options_.seeds);
    result.ablations.resize(boards_.size() * scenarios * seeds * learners.size());
    parallel_for(
        result.ablations.size(), options_.threads, options_.stop,
        [&](std::size_t i) {
          const std::size_t cell = i / learners.size();
          result.ablations[i] =
              ablate(cell / seeds / scenarios, options_.scenarios[cell / seeds % scenarios],
                     cell % seeds, learners[i % learners.size()]);
        },
        [](std::size_t) {});
    result.cells += result.ablations.size();
    std::erase_if(result.ablations, [](const AblationRow& row) { return !row.complete; });
    result.cells_done += result.ablations.size();
  }

  EvaluateRow judge(const Run& informed, const Run& prior, const Run& run) const {
    const int last = options_.jobs;
    EvaluateRow row;
    row.prior_gap_pct = gap_pct(prior, informed, kLearnJobs, kJudgeJobs);
    row.gap_after_500_jobs_pct = gap_pct(run, informed, kLearnJobs, kJudgeJobs);
    row.jobs_to_5_pct = jobs_within(run, informed, last);
    row.deadline_miss_pct = run.missed_pct;
    row.avoidable_miss_pct = run.avoidable_pct;
    row.later_gap_pct = gap_pct(run, informed, kLearnJobs, last);
    row.prior_later_gap_pct = gap_pct(prior, informed, kLearnJobs, last);
    const double prior_mj = prior.energy_mj(0, kLearnJobs);
    row.jobs_lost = prior_mj > 0 ? (run.energy_mj(0, kLearnJobs) - prior_mj) / prior_mj * kLearnJobs
                                 : EvaluateRow::kNothing;
    return row;
  }

  static constexpr std::size_t kInformed = 0, kPrior = 1;
  const EvaluateOptions& options_;
  std::vector<Contestant> policies_{{kPriorPolicy}, {kPriorPolicy}};  ///< the contestants
  std::vector<std::string> labels_;                                   ///< per agent
  std::vector<std::size_t> contestant_;  ///< per agent: the prior runs once, whoever asks for it
  std::vector<UnknownBoard> boards_;
  std::vector<std::vector<Scenario>> scenarios_;  ///< per board
};

}  // namespace

Evaluation evaluate(const EvaluateOptions& options) { return Suite(options).run(); }

}  // namespace flyball
