#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agents/ablation.h"
#include "agents/agent.h"
#include "agents/allowance.h"
#include "agents/app_table.h"
#include "agents/arm_learner.h"
#include "agents/double_q.h"
#include "agents/forecast_errors.h"
#include "agents/job_tracker.h"
#include "agents/learned_board.h"
#include "agents/plan_table.h"
#include "kernels/base/random.h"

namespace flyball {

/// The default agent: double Q-learning (van Hasselt, NIPS 2010) with discount and an epsilon
/// schedule that keeps a floor, on two factored tables per kind of application instead of one over
/// thousands of joint configurations:
///
///   slow loop  state:  time pressure, other load, heat, queue
///              action: the mapping of the next job; its level is the quickest that reaches the
///                      accuracy floor. Kept for up to kHoldJobs jobs while it stays safe and the
///                      state does not change.
///   fast loop  state:  time pressure, how much jobs vary, heat, preference, queue
///              action: the margin of the running job, a number of mean deviations of the jobs'
///                      work; the frequencies are the cheapest that finish work + margin in time.
///
/// Actions are relative and states normalised, so a table of some thousand entries means the same
/// on every platform. The tables hold corrections to a prior, the believed energy of the
/// configuration under discussion and the risk of the margin. What is learned belongs to the kind of
/// application: two streams of one kind share it, and one that comes later finds it.
///
/// One step of both tables is one job. Everything that its application is charged from the end of
/// the job before to its own end is its cost, and an equal part of what is nobody's; jobs that are
/// dropped meanwhile are charged to the one that runs. What an idle platform takes anyway is left
/// out, once.
///
/// The prior is itself learned: LearnedBoard corrects the belief of times and power by what comes of
/// every job, for all mappings and clocks at once, where a table would have to try each. What it is
/// unsure of is tried when the improvement expected of it, over the jobs to come, is worth more than
/// the trial. The tables learn what the model has no words for. Without tables it is `planner`,
/// without either `model`.
///
/// Exploration is safe: an action counts only if, were the job as long as work + a worst
/// case of deviations, the mapping at its highest frequencies still finished in time; and while a
/// job runs its frequency is raised as soon as waiting another epoch would put that out of reach.
/// Between jobs all clusters go to their lowest.
class QLearning : public Agent, public Spoilable {
 public:
  static constexpr std::array<double, 6> kMargins{0.5, 1, 1.5, 2.5, 4, 6};
  static constexpr int kPressureBins = 8;
  static constexpr std::uint32_t kPayload = 5;  ///< version of what save() writes
  // More than that load() takes of nobody.
  static constexpr std::uint32_t kMaxProfiles = 256;
  static constexpr std::size_t kMaxNameBytes = 256;
  static constexpr int kSlowStates = kPressureBins * 3 * 3 * 2;
  static constexpr int kFastStates = kPressureBins * 3 * 3 * 3 * 2;
  static constexpr int kHoldJobs = 8;
  /// Mean absolute deviations; 6 are 4.8 standard deviations of a normal one. The first that leaves
  /// a safe mapping.
  static constexpr std::array<double, 4> kWorstCases{6, 4, 2.5, 1.5};
  static constexpr double kDeadlineUse = 0.98;  ///< the rest is for wake-ups
  static constexpr double kBudgetUse = 0.99;    ///< the rest is for a board that warms
  static constexpr double kEpsilonStart = 0.2, kEpsilonFloor = 0.01;
  static constexpr double kEpsilonJobs = 200;  ///< after so many jobs epsilon is halfway down
  /// Exploration leaves out what the prior expects to cost this share more than the best.
  static constexpr double kExploreCost = 0.15;
  /// A mapping other than the one in force must promise to save this share: moving is never free.
  static constexpr double kMoveShare = 0.03;

  /// Energy that trials may have cost in vain, in jobs; a trial takes so many, and is forgiven over
  /// 200.
  static constexpr double kMostDebt = 3, kTrialJobs = 4, kForgiven = 1.0 / 200;

  static constexpr DoubleQ::Options kTable{
      .discount = 0.6, .step_floor = 0.01, .prior_visits = 20, .baseline_step = 0.1};

  /// Of mappings, whose prior is learned as well: what the table finds off while that moves is not
  /// true for long, so it takes its time.
  static constexpr DoubleQ::Options kSlowTable{
      .discount = 0.6, .step_floor = 0.002, .prior_visits = 200, .baseline_step = 0.1};
  static constexpr double kBelievedEpsilon = 0.1;  ///< share of epsilon where the belief learns too
  /// What of it learns: nothing, the belief of the board, or the tables as well; or the belief of
  /// times, and what arms cost somebody else (agents/job_bandit.h).
  enum class Kind { kModel, kPlanner, kTables, kArms };
  explicit QLearning(const AgentContext& context, Kind kind = Kind::kTables);
  std::string_view name() const override { return "q_learning"; }
  EpochRequest epoch() const override {
    return {.interval_ns = interval_ns_, .stop_at_release = true, .stop_at_finish = true};
  }
  void bind(int slot, const Binding& binding, const Observation& now) override;
  void unbind(int slot) override;
  void begin_run() override;
  void end_run() override;
  void decide(const Observation& now, Decision& out) noexcept override;
  bool alternatives(const Observation& now, const Decision& decided,
                    DrawnActions& out) const override;
  void replaced(const Observation& now, const Action& decided,
                const Action& applied) noexcept override;
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override;
  void set_learning(bool on) override {
    learning_ = on;
    board_.set_learning(on);
  }
  const LearnedBoard& board() const { return board_; }
  bool learns() const override { return true; }
  std::uint32_t feature_version() const override { return 2; }
  void save(ByteWriter& out) const override;
  std::size_t saved_bytes() const override;
  std::vector<std::string> load(const std::vector<std::uint8_t>& payload, bool as_prior) override;
  void ablate(Ablation how, Random& random) override;

 protected:
  /// What has been learned of one kind of application.
  struct Learned {
    Learned(int mappings, std::uint64_t hash)
        : profile_hash(hash),
          slow(kSlowStates, mappings, kSlowTable),
          fast(kFastStates, static_cast<int>(kMargins.size()), kTable) {}
    std::uint64_t profile_hash;  ///< of the believed costs; 0: nobody knew them
    std::uint64_t jobs = 0;
    bool fresh = true;  ///< nothing has been learned of it, so there is nothing to keep
    DoubleQ slow, fast;
    std::unique_ptr<ArmLearner> arms;  ///< of a kArms
  };
  /// What a policy file has of an application's profile is of this board's, kept with a note because
  /// nobody here knows it, or refused since its costs were others.
  void meet_profile(const ByteReader& in, const std::string& profile, bool as_prior,
                    Learned& learned, std::vector<std::string>& notes) const;
  /// A choice whose outcome is still awaited.
  struct Open {
    bool valid = false;
    int state = 0, action = 0;
    QValue prior;  ///< of the action, future included
  };
  /// One whose outcome is known, but not yet what follows.
  struct Closed {
    bool pending = false;
    Open open;
    QValue cost;
    void take(const Open& ended, QValue paid) {
      cost = pending ? cost + paid : paid;
      if (!pending || ended.valid) open = ended;
      pending = true;
    }
  };
  /// An action of a table, and how likely it was to be drawn.
  struct Chance {
    int choice = 0;
    double probability = 0;
  };
  struct App {
    App(std::shared_ptr<PlanTable> costs, JobTracker tracker, int known_profile,
        Learned& learned_of_it);
    int known;  ///< profile of the belief, or -1
    /// Trials so far, per set of clusters: one that tells nothing is not made for ever.
    std::array<std::uint8_t, 1u << kMaxClusters> trials{};
    int surprises = 0;  ///< of the board's power, when trials began to be counted
    /// When nothing was worth a trial: version of the belief, plus 1, and jobs.
    std::uint32_t settled_version = 0;
    std::uint64_t settled_jobs = 0;
    // What trials have cost in vain, in jobs' energy, by when; the mapping of the last one, or -1.
    double debt = 0;
    std::uint64_t debt_jobs = 0;
    int tried = -1;
    std::shared_ptr<PlanTable> profile;
    JobTracker jobs;
    Learned* learned;
    int level = 0;          ///< of the next job
    int mapping = -1;       ///< of the next job
    int best_mapping = -1;  ///< what that would be without a trial
    int best_margin = -1;   ///< of the running job, the same
    OppChoice best_opp{};   ///< its clocks with that
    int held_jobs = 0;
    double worst_case = kWorstCases[0];  ///< that its mapping was safe for
    int margin = 2;                      ///< of the running job
    // What the last decision drew from: mappings of the next job, margins of the running one. Empty
    // when nothing was left to chance.
    std::vector<Chance> next_chances, margin_chances;
    bool margin_chosen = false;  ///< by the last decision
    OppChoice opp{};
    std::uint64_t running = ~0ULL;  ///< sequence of the job that was seen to run
    Open next_slow, slow, fast;     ///< of the next job, of the running one
    /// Of a kArms: of the next job, of the running one, and of the one that is done.
    struct Taken {
      Arm arm;
      ArmState state;
      bool valid = false, explored = false;
    };
    Taken next_arm, arm, done_arm;
    double done_cost = 0, done_noise = 0;
    bool arm_done = false, done_disturbed = false;
    QValue cost;  ///< since the last end of a job
    Closed closed_slow, closed_fast;
    Requirements required;
    mutable RememberedTime time_now, time_at_top;
    // Energy as it was forecast and as it came: other programs' and heat are in what a job is charged.
    double modelled_mj = 0;  ///< of the running job, when it started
    double spent_mj = 0;     ///< on it so far
    double energy_ratio = 1;
    double forecast_ns = 0;    ///< its time, as it was forecast when it started
    double energy_off = 0;     ///< mean relative deviation from that
    ForecastRecord forecasts;
    double shared_mj = 0;  ///< of the running job as it was forecast, before `forecasts`
    double extra_mw = 0;       ///< mean power of its jobs, as planned, beyond an idle platform's
    std::vector<float> ratio;  ///< energy as it came over as modelled, per mapping and level
    AppSetting scored;         ///< of the last job that was seen to run
    std::vector<float> undesired;  ///< per level: what its monitors have cost a job, lately
    bool is_undesired = false;     ///< any of it was not 0
    std::vector<std::uint8_t>
        ladder;  ///< levels, each slower and more accurate than the one before
  };
  /// What the rest of a decision needs to know of one application now.
  struct Situation {
    double energy_weight = 1;  ///< of the energy among the costs
    double miss_cost = 3;
    double pressure = 1;  ///< time there is over the least time it takes
    OppChoice cap{};
    int slow_state = 0, fast_state = 0;
    Allowance allowed;  ///< of a job as it is, not a nominal one
    Objective objective = Objective::kEnergy;
    double latency_per_ns = 0;  ///< cost of time, where low latency is wanted
  };
  /// Which job a question is about.
  enum class Job { kRunning, kNext };

  using SlowPriors = std::array<DoubleQ::Prior, kMaxMappings>;
  using FastPriors = std::array<DoubleQ::Prior, kMargins.size()>;

  Situation assess(const Observation& now, int slot, Job job) const;
  /// Time that one nominal job may take on a mapping that is as believed, for the whole backlog to
  /// be on time when every job has `work`.
  double limit_ns(const Observation& now, int slot, Job job, double work) const;
  double point_limit_ns(const Observation& now, int slot, Job job, int mapping,
                        double deviations) const;
  /// By how much a job takes more energy than planned, since it is hurried (see hurry()) as soon as
  /// its worst case would be late otherwise.
  double hurried(const ProfilePoint& planned, const ProfilePoint& top, double slow, double left_ns,
                 double work, double worst) const;
  /// Fills in the platform's mappings. Those that take more than the share `use` of what is allowed are
  /// left out; with a `use` of 0 none is, and they cost what the reward says.
  void slow_priors(const Observation& now, int slot, const Situation& s, double worst_case,
                   double use, SlowPriors& prior, bool& any_safe) const;
  /// What a job of the slot may take, by all that is asked.
  Allowance allowance(const Observation& now, int slot) const;
  /// By how much a job takes more energy than modelled, as far as known.
  double energy_ratio(const App& app, int mapping, int level, bool cautious) const;
  /// Of an application that wants accuracy: the most accurate level that is safe and permitted.
  void choose_level(const Observation& now, int slot);
  /// Of one that does not: the quickest level that reaches its floor, or the one above it that costs
  /// less with what the application's own monitors cost there.
  int desired_level(const App& app, const Observation& now, int slot) const;
  void learn_desire(App& app, const JobRecord& job, const AppObservation& seen);
  bool level_fits(const Observation& now, int slot, int level, double use);
  /// The point of those up to `within` that the running job may use.
  int permitted_point(const Observation& now, int slot, int within) const;
  void fast_priors(const Observation& now, int slot, const Situation& s, FastPriors& prior) const;
  void choose_next(const Observation& now, int slot, Decision& out);
  void choose_margin(const Observation& now, int slot, Decision& out);
  /// Of a kArms: the mapping of the next job, and what is learned of the job before.
  int choose_arm(const Observation& now, int slot, const Situation& s,
                 std::span<const DoubleQ::Prior> prior, int greedy, bool hold, Decision& out,
                 bool& explored);
  void finish_arm(App& app, bool seen, double energy_weight);
  Arm arm_of(const Observation& now, int slot, int mapping) const;
  /// The mapping whose trial promises more than it costs; -1: none.
  int worth_a_trial(const Observation& now, int slot, std::span<const DoubleQ::Prior> prior,
                    int greedy);
  /// Learns from a job that is done; `next` is empty when nothing follows.
  void close(Learned& learned, DoubleQ& table, Closed& closed, int next_state,
             std::span<const DoubleQ::Prior> next, double energy_weight);
  void finish(App& app);
  void score(App& app, const JobRecord& job);
  int draw(std::span<const DoubleQ::Prior> prior, double energy_weight, double epsilon, int greedy,
           std::vector<Chance>& chances, bool& explored);
  static double probability_of(const std::vector<Chance>& chances, int choice);
  double epsilon(const Learned& learned) const;
  void meet_company(const Observation& now, int slot);
  void set_frequencies(const Observation& now, int slot, Decision& out);
  /// The point of the frontier that finishes the running job with a margin; -1 when none does.
  int point_within(const Observation& now, int slot, int margin) const;
  OppChoice frequencies(const Observation& now, int slot, int point) const;
  /// Whether a job's clocks are lower on any cluster than they would be without a trial.
  bool tries_clocks(const Observation& now, int slot, const OppChoice& opp) const;
  /// Of `decided`, what would be without any trial.
  Action without_trials(const Observation& now, const Action& decided) const;
  /// The highest of the clusters on which the job runs, once waiting longer were too late.
  bool hurry(const Observation& now, int slot, OppChoice& opp) const;
  void credit_next(const Observation& now, int slot, const AppSetting& applied);
  void credit_margin(const Observation& now, int slot, const OppChoice& applied);
  bool in_reach_later(const Observation& now, int slot, const OppChoice& opp) const;
  void find_interval(const Observation& now);
  /// Of a kArms, for each kind of application.
  virtual std::unique_ptr<ArmLearner> make_arms() const { return nullptr; }
  Learned& learned_of(const std::string& profile, std::uint64_t hash);
  std::shared_ptr<PlanTable> profile_of(const AppTable<App>::Slot& place, int slot,
                                        const Requirements& required);
  /// nullptr where they are not learned.
  TimeEstimate* times_of(int known);

  Kind kind_;
  LearnedBoard board_;
  std::array<std::int16_t, kMaxApps> known_{};
  std::vector<std::uint8_t> mask_;  ///< clusters per mapping, as bits
  const Belief& belief_;            ///< of `board_`: the one it was given, as corrected
  const PlatformSpec& platform_;
  RewardWeights weights_;
  Random rng_;
  double latency_ns_;  ///< until a decision changes a frequency
  std::int64_t interval_ns_ = 50'000'000;
  AppTable<App> apps_;
  std::map<std::string, std::unique_ptr<Learned>> learned_;
  /// Of the believed applications; making one takes as long as thousands of epochs, so it serves all
  /// runs. With idle states there is one per slot, for it follows how far apart jobs come.
  std::vector<std::shared_ptr<PlanTable>> profiles_;
  std::vector<ForecastRecord> forecasts_;  ///< of all applications of a profile
  bool weighs_gaps_;
  bool learning_ = true;
  SlowPriors
      next_priors_;  ///< room for choose_next(): clearing all of it takes longer than to choose
  double idle_mw_ = 0;
  double power_budget_mw_ = Allowance::kAny;  ///< the strictest of all that are asked
  // Room for choose_arm().
  std::vector<Arm> arm_room_;
  std::vector<double> chance_room_;
  bool draws_known_ = true;  ///< how likely the last decision was
};

}  // namespace flyball
