#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "agents/agent.h"
#include "agents/double_q.h"
#include "agents/job_tracker.h"
#include "agents/profile.h"
#include "kernels/base/random.h"

namespace flyball {

/// The default agent: double Q-learning (van Hasselt, NIPS 2010) with discount and an epsilon
/// schedule that keeps a floor, on two factored tables per application instead of one over
/// thousands of joint configurations:
///
///   slow loop: state (time pressure, other load, heat, queue) x action (mapping); the level of
///   width and precision is the quickest that reaches
///              the accuracy floor. Kept for up to kHoldJobs jobs while it stays safe and the state
///              does not change.
///   fast loop: state (time pressure, how much jobs vary, heat, preference, queue) x action
///   (margin). A margin is a number
///              of mean deviations of the jobs' work; the frequencies are the cheapest that finish
///              work + margin in time.
///
/// Actions are relative and states normalised, so a table of some thousand entries means the same
/// on every platform. The tables hold corrections to a prior, the model's energy of the
/// configuration under discussion and the risk of the margin: offline training and the model give
/// the prior, online learning corrects it. One step of both tables is one job: from its release to
/// the next one's, paid by the reward of the epochs between, less what other applications' jobs
/// cost in them and what an idle platform costs anyway.
///
/// Exploration is safe: an action counts only if, were the job as long as work + a worst
/// case of deviations, the mapping at its highest frequencies still finished in time; and while a
/// job runs its frequency is raised as soon as waiting another epoch would put that out of reach.
/// Between jobs all clusters go to their lowest.
class QLearning final : public Agent {
 public:
  static constexpr std::array<double, 6> kMargins{0.5, 1, 1.5, 2.5, 4, 6};
  static constexpr int kPressureBins = 8;
  static constexpr int kSlowStates = kPressureBins * 3 * 3 * 2;
  static constexpr int kFastStates = kPressureBins * 3 * 3 * 3 * 2;
  static constexpr int kHoldJobs = 8;
  /// Mean absolute deviations; 6 are 4.8 standard deviations of a normal one. The first that leaves
  /// a safe mapping.
  static constexpr std::array<double, 4> kWorstCases{6, 4, 2.5, 1.5};
  static constexpr double kDeadlineUse = 0.98;  ///< the rest is for transition latency and wake-up
  static constexpr double kEpsilonStart = 0.2, kEpsilonFloor = 0.01;
  static constexpr double kEpsilonJobs = 200;  ///< after so many jobs epsilon is halfway down
  /// Exploration leaves out what the prior expects to cost this share more than the best.
  static constexpr double kExploreCost = 0.15;
  /// A mapping other than the one in force must promise to save this share: moving is never free.
  static constexpr double kMoveShare = 0.03;

  static constexpr DoubleQ::Options kTable{
      .discount = 0.6, .step_floor = 0.01, .prior_visits = 20, .baseline_step = 0.1};

  explicit QLearning(const AgentContext& context);
  std::string_view name() const override { return "q_learning"; }
  EpochRequest epoch() const override {
    return {.interval_ns = interval_ns_, .stop_at_release = true, .stop_at_finish = true};
  }
  void decide(const Observation& now, Action& out) override;
  void learn(const Observation& outcome, const Action& applied, double reward) override;
  const Explanation& why() const override;
  void set_learning(bool on) override { learning_ = on; }
  bool learns() const override { return true; }
  std::vector<std::uint8_t> save() const override;
  void load(const std::vector<std::uint8_t>& payload) override;

  double epsilon() const;

 private:
  /// A choice whose outcome is still awaited.
  struct Open {
    bool valid = false;
    int state = 0, action = 0;
    double prior = 0;  ///< of the action, future included
  };
  struct App {
    App(const PlatformSpec& platform, const Scenario& scenario, int app, double tail_ns);
    Profile profile;
    JobTracker jobs;
    DoubleQ slow, fast;
    int accuracy_level = 0;
    // The setting in force and what was chosen for it.
    int mapping = -1;
    int margin = 0;
    int held_jobs = 0;
    double worst_case = kWorstCases[0];  ///< that its mapping was safe for
    OppChoice opp{};
    Open open_slow, open_fast;
    double reward = 0;  ///< since the last choice
    int finished = 0;
    Requirements required;
  };
  /// What the rest of the decision needs to know of one application now.
  struct Situation {
    double weight_energy = 1;  ///< reward per mJ
    double miss_cost = 3;
    double pressure = 1;  ///< time there is over the least time it takes
    OppChoice cap{};
    int slow_state = 0, fast_state = 0;
  };

  void start_stream();
  Situation assess(const Observation& now, int app) const;
  /// Time that one nominal job may take on a mapping that is as modelled, for the whole backlog to
  /// be on time when every job has `work`.
  double limit_ns(const Observation& now, int app, double work) const;
  double point_limit_ns(const Observation& now, int app, int mapping, double deviations) const;
  void slow_priors(const Observation& now, int app, const Situation& s, double worst_case,
                   std::array<double, kMaxMappings>& prior, bool& any_safe) const;
  void fast_priors(const Observation& now, int app, const Situation& s, int mapping,
                   std::array<double, kMargins.size()>& prior) const;
  void choose(const Observation& now, int app);
  int explore(std::span<const double> prior);
  void meet_company(const Observation& now, int app);
  void set_frequencies(const Observation& now, int app);
  bool in_reach_later(const Observation& now, int app, const OppChoice& opp) const;
  void close(App& app, const Situation& s, std::span<const double> slow,
             std::span<const double> fast);

  const PlatformSpec& platform_;
  const Scenario& scenario_;
  RewardWeights weights_;
  Random rng_;
  std::int64_t interval_ns_;
  std::vector<App> apps_;
  bool learning_ = true;
  std::uint64_t jobs_learned_ = 0;
  Action decided_;

  // The explanation is worded only when somebody reads it.
  struct Reason {
    enum class Kind { kIdle, kChosen, kRunning, kHurry } kind = Kind::kIdle;
    int app = 0;
    double slack_pct = 0, demand = 0, floor_pct = 0;
    bool explored = false;
    float value = 0;
  };
  Reason reason_;
  mutable Explanation why_;
};

}  // namespace flyball
