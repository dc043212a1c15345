#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "agents/app_table.h"
#include "env/model/belief.h"
#include "env/model/model.h"
#include "env/spaces/action.h"
#include "env/spaces/decision.h"
#include "env/spaces/observation.h"
#include "governor/loop/heat_forecast.h"
#include "governor/loop/slowdown.h"

namespace flyball {

/// Stands between agent and platform and belongs to no agent. It
///  - clamps every index to the platform's tables and every frequency to the thermal cap,
/// and for agents that learn it
///  - refuses to lower the clocks of a running job when it is known (belief scaled by the slowdown
///    observed) to miss its deadline with less; where there is time, an agent may,
///  - replaces a configuration that is known to make the next job miss its deadline when a safe one
///    exists, and lowers no running job's clocks for that,
///  - lets an agent try something other than what it holds best only where that is unlikely to miss,
///    to overheat and to be less accurate than asked, unless nothing safe exists (below),
///  - takes over an application with its fastest safe configuration after a run of its misses, and
///    all of them when sensors vanish, until the stream is healthy again.
/// Baselines run with clamping only: they are measured as they are.
///
/// A replacement is the cheapest configuration, by what is believed of its energy, that is predicted
/// to be on time. All candidates of an application are made and sorted when it binds: per mapping
/// and level one rung per OPP (19 on the A15; a mapping that spans clusters climbs them together),
/// some 1,800 on an Exynos 5422. An epoch whose action passes looks at one or two predictions per
/// application; a replacement looks, once or twice, at the cheapest ones of every level that is
/// accurate enough, and of the slower ones at one in 16.
///
/// What if a trial (Decision::trial) were made: judged is by the shield's own belief alone, whatever the
/// agent makes of the same jobs, and by a stricter measure than "known to miss".
///  - A setting for the next job: its time at the highest clocks that it may get, normal around the
///    belief scaled by the slowdown; the accuracy of its level; the temperature after kTrialJobs jobs
///    with the power that it adds to what is taken now.
///  - Lower clocks for a job that runs: the time of what is left of it, at them until clocks are decided on
///    again, and at the highest from then on.
/// A trial that fails is replaced by what the agent would do without it, where that passes, or else by
/// the cheapest configuration that does; where none does, it is made. What is no trial is not asked.
class Shield {
 public:
  struct Options {
    bool guard = true;  ///< false: clamp only
    /// False for an agent that decides again at every release: clocks are its own until then.
    bool guard_idle = true;
    int takeover_misses =
        5;  ///< in a row, of one application; jobs that nothing could save don't count
    int release_after = 10;  ///< jobs on time in a row before control goes back
    int sensor_epochs = 20;  ///< epochs without sensors before it takes over
    int hold_jobs = 100;     ///< gives control back after so many jobs even if misses go on: the
                             ///< fastest configuration evidently does not help, and it heats
    double risk = 1.0;    ///< mean absolute deviations of the slowdown added before "known to miss"
    double safety = 2.0;  ///< the same for what replaces it, so that it is not replaced again
    bool what_if = true;  ///< false: trials are judged as everything else
    double trial_miss = 0.05;  ///< a trial may be this likely to miss its deadline
    double trial_hot = 0.05;   ///< and this likely to reach a trip point
  };
  enum class Verdict : std::uint8_t { kPassed, kClamped, kReplaced, kTakenOver };
  /// What a trial is expected to do.
  struct Risk {
    double miss = 0, hot = 0;  ///< probabilities
    double short_pct = 0;      ///< points below the floor
  };
  /// The last trial that a check refused.
  struct Refused {
    int slot = -1;  ///< none
    Risk risk;
    Reason reason() const;
  };

  /// The belief outlives the shield.
  Shield(const Belief& belief, Options options);
  /// An application has taken a slot, or left it. Allocates; nothing after does.
  void bind(int slot, const Binding& binding, const Observation& now);
  void unbind(int slot);

  /// Makes `action`, of which `trial` is one, admissible for the state `now`.
  Verdict check(const Observation& now, Action& action, const Trial& trial = {},
                Refused* refused = nullptr) const noexcept;
  /// What came of `applied`.
  void learn(const Observation& outcome, const Action& applied) noexcept;
  /// The fastest safe configuration of everybody.
  void make_safe(const Observation& now, Action& action) const;

  bool in_control(int slot) const;
  /// The time that the guard expects of a job (mean, slowdown included), ns.
  double predicted_ns(int slot, const AppSetting& setting, const OppChoice& opp) const;

  /// Of a setting for the next job, in the place of `instead`; without what guards it otherwise.
  Risk next_risk(const Observation& now, int slot, const AppSetting& setting, const OppChoice& opp,
                 const AppSetting& instead) const;
  /// Of clocks for the job that runs, until `interval_ns` from now at the latest: its miss only.
  double running_risk(const Observation& now, int slot, const OppChoice& opp,
                      std::int64_t interval_ns) const;

 private:
  static constexpr int kTrialJobs = 8;  ///< that a setting is kept for
  struct Candidate {
    OppChoice opp{};
    AppSetting setting;
  };
  /// Of one level, ascending energy, with the least time of every block of them, so that a search
  /// passes over those that are all too slow.
  struct Candidates {
    static constexpr std::size_t kBlock = 16;
    std::vector<Candidate> candidate;
    std::vector<float> time_ns, energy_mj, block_ns;
  };
  struct App {
    std::vector<Candidates> candidates;         ///< per level
    std::vector<std::uint8_t> supported;        ///< per mapping
    std::vector<std::uint8_t> fastest_mapping;  ///< per level, at the highest OPPs
    int fallback_mapping = 0;
    SlowdownEstimate slowdown;
    mutable RememberedTime next;  ///< of the configuration that was asked for last
    int misses_in_row = 0, on_time_in_row = 0, held_jobs = 0;
    bool taken_over = false;
  };

  void build(int slot, const Observation& now, App& app) const;
  bool clamp(const Observation& now, Action& action) const;
  bool keep_pace(const Observation& now, int slot, Action& action) const;
  bool running_misses(const Observation& now, int slot, const OppChoice& opp) const;
  bool replace(const Observation& now, int slot, Action& action) const;
  void take_over(const Observation& now, int slot, Action& action) const;
  bool next_misses(const Observation& now, int slot, const Action& action) const;
  /// The agent decides again when the next job starts: only its mapping and level are fixed by now.
  bool clocks_come_later(const Observation& now, int slot) const {
    return !options_.guard_idle && (now.app[slot].running.busy || now.app[slot].backlog == 0);
  }
  /// Time that the next job may take; 0 when there is no deadline.
  double next_limit_ns(const Observation& now, int slot, double jobs) const;
  using Slow = std::array<float, kMaxMappings>;  ///< how many times its believed time a job counts
  const Candidate* find_safe(const Observation& now, int slot, double limit_ns,
                             const Slow& slow) const;
  void place(const Observation& now, int slot, const AppSetting& setting, const OppChoice& opp,
             Action& action) const;
  bool acceptable(const Risk& risk) const {
    return risk.miss <= options_.trial_miss && risk.hot <= options_.trial_hot &&
           risk.short_pct <= 0;
  }
  bool refuse_trials(const Observation& now, const Trial& trial, Action& action,
                     Refused* refused) const;
  bool refuse_next(const Observation& now, int slot, const Trial& trial, Action& action,
                   Refused* refused) const;
  bool refuse_clocks(const Observation& now, int slot, const Trial& trial, Action& action,
                     Refused* refused) const;
  /// Of a job, at the cheapest clocks that are on time.
  double planned_mj(int slot, const AppSetting& setting, double limit_ns) const;
  OppChoice highest(const Observation& now) const {
    OppChoice opp{};
    for (int c = 0; c < now.cluster_count; ++c) opp[c] = now.cluster[c].opp_cap;
    return opp;
  }
  bool used_by_other(const Observation& now, int slot, int cluster, const Action& action) const;
  bool guards(int slot) const { return apps_.bound(slot) && !apps_.profile(slot).plain_load; }
  void count_job(App& app, const JobRecord& job);

  const PlatformSpec& platform_;
  Options options_;
  AppTable<App> apps_;
  OppHistory history_;
  HeatForecast heat_;
  double trial_deviations_;         ///< standard ones that leave `trial_miss`
  std::vector<std::uint8_t> mask_;  ///< clusters per mapping, as bits
  int blind_epochs_ = 0;
};

}  // namespace flyball
