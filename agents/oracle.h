#pragma once

#include <array>
#include <cstdint>

#include "agents/agent.h"
#include "env/model/model.h"
#include "env/sim/sim_model.h"
#include "env/sim/sim_state.h"

namespace flyball {

/// What could have been had: for every job, with its true work and all disturbances known, the
/// configuration of least energy that meets deadline and accuracy floor, or else the one that
/// finishes first. Exhaustive: every mapping x every choice of OPPs for the clusters it uses, played
/// in forks of the simulator, which start the job at its release with what is in force then, as it
/// will be; the other clusters at their lowest.
///
/// A job's mapping and level are planned when the one before it has started, for they must be in
/// force at its release; its OPPs are planned with them and again at its start, when all that has
/// been decided since is known. Energies are compared at one instant, at rest after the job.
///
/// Several applications are searched one after the other, each around what the ones before it got; a
/// shared cluster runs at the higher of their frequencies. Between jobs a cluster goes to its lowest
/// if that saves more than the next start costs. Jobs are coupled where they queue. A job may then
/// take its even share only of the time up to the deadline of each job behind it, those that are
/// still to be released included.
///
/// What is left out cannot be better: a level that reaches the floor and costs neither less time
/// nor less energy than another that does, and, since time falls as any frequency
/// rises, a mapping that misses with all its clusters at their highest misses with every choice.
/// Deterministic: ties go to the first in order.
class Oracle final : public Agent {
 public:
  /// Throws Error (kInput) when `context.truth` is null: only a simulated platform knows the future.
  explicit Oracle(const AgentContext& context);
  std::string_view name() const override { return "oracle"; }
  EpochRequest epoch() const override {
    return {.interval_ns = 50'000'000, .stop_at_release = true, .stop_at_finish = true};
  }
  void bind(int slot, const Binding&, const Observation&) override { forget(slot); }
  void unbind(int slot) override { forget(slot); }
  void begin_run() override { plan_.fill({}); }
  void decide(const Observation& now, Decision& out) noexcept override;
  /// Configurations tried in the last search.
  int tried() const { return tried_; }

 private:
  struct JobPlan {
    bool made = false;
    std::uint64_t sequence = 0;  ///< of the job; the plan serves those after it until they have one
    AppSetting setting;
    OppChoice opp{};
    double power_mw = 0;  ///< mean of the platform from the job's start until energies are compared
  };
  struct Plan {
    JobPlan running, next;
    bool searched = false;  ///< `next` is what the search has given, if anything
  };
  /// What the candidates of one search have in common.
  struct Trial {
    int app = 0;
    double start_mj = 0;
    std::int64_t start_ns = 0;
    std::int64_t limit_ns = 0;    ///< the job is on time when done by then
    std::int64_t compare_ns = 0;  ///< energies are those up to here
  };
  struct Best {
    bool found = false, on_time = false;
    double cost = 0;  ///< energy when on time, latency in ms otherwise
    JobPlan job;
  };

  void forget(int slot) { plan_[static_cast<std::size_t>(slot)] = {}; }
  const AppProfile& profile(int app) const { return *model_.ledger.profile[app]; }
  int opp_cap(const SimState& state, int cluster) const;

  // How forks are played: with the plans there are.
  OppChoice clocks(const SimState& state, int but_app = -1) const;
  bool keeps_up(const SimState& state, int app, int cluster, const JobPlan& last) const;
  bool step(SimState& state, std::int64_t until_ns);
  bool next_has_started(const SimState& state, int app) const;
  bool play_to_start(SimState& state, int app);
  void play_near(int app);

  // The search.
  void plan_opps(int app, Decision& out);
  void plan_next(int app, Decision& out);
  Trial trial_at(const SimState& start, int app, std::int64_t slowest_ns) const;
  double slowest_ns(const SimState& start, int app, const AppSetting& setting) const;
  std::int64_t latest_finish_ns(const SimState& start, int app) const;
  bool keep_pace(const SimState& start, int app, int mapping, OppChoice& opp) const;
  void search_opps(const Trial& trial, const OppChoice& pace, JobPlan& job, Best& best);
  bool try_choice(const Trial& trial, JobPlan& job, Best& best);
  void join_others(const SimState& start, int app, JobPlan& job) const;
  void tell(int app, const Best& best, Decision& out) const;

  const Simulator& truth_;
  const SimModel& model_;
  /// Power of idling at an OPP beyond idling at the lowest, mW.
  std::array<std::array<double, kMaxOpps>, kMaxClusters> idle_above_mw_{};
  std::array<Plan, kMaxApps> plan_{};
  Action action_;  ///< that the fork in hand is played with
  int tried_ = 0;
  /// Now; where the next job has started; shortly before that; where it has started with the
  /// setting under test; with the OPPs under test. Members, for they are big.
  SimState now_, scout_, near_, base_, trial_;
};

}  // namespace flyball
