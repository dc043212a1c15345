#pragma once

#include <cstdint>

#include "env/sim/sim_model.h"
#include "env/sim/sim_state.h"
#include "env/spaces/action.h"
#include "env/spaces/observation.h"

namespace flyball {

/// Moves a SimState through time, from event to event: releases, completions, actions and frequency
/// changes that take effect, edges of the background, events of the scenario, looks at the trip
/// points, deeper idle states, thermal steps. Between two of them every rate and every power is
/// constant, so that energy and progress are exact; only leakage follows the temperature in steps of
/// at most `max_step_ns`.
/// The simulation and its forks are this same code, on the state itself or on a copy.
class Engine final : private ScriptWorld {
 public:
  /// Finished and dropped jobs go to `sink`; to nowhere when it is null. A fork that looks ahead may
  /// take longer thermal steps.
  Engine(const SimModel& model, SimCache& cache, SimState& state, Observation* sink = nullptr,
         int step_factor = 1)
      : m_(model),
        cache_(cache),
        s_(state),
        ledger_(model.ledger, state.jobs, sink),
        step_ns_(model.max_step_ns * step_factor) {}

  /// Where finished and dropped jobs go from now on.
  void report_to(Observation* sink) { ledger_.report_to(sink); }

  /// What ends a run() before its time. An epoch never ends before the action that it began with has
  /// taken effect.
  struct StopAt {
    bool release = false, finish = false;
  };

  /// The state at the beginning, with what is due at time 0.
  void reset(std::uint64_t seed);
  /// Takes effect after the platform's decision latency; jobs that start before then start with
  /// what is in force.
  void apply(const Action& action);
  /// What is due at the very end has happened. Later than `until_ns` when the last action is not in
  /// force before.
  void run(std::int64_t until_ns, const StopAt& stop);

 private:
  void settle_temperatures();
  void thermal_step();
  void start_waiting();
  void switch_context(int app);
  void refresh();
  void look_at_idleness();
  void wake(int app);
  double cluster_mw(int cluster) const;
  bool wakes(int app) const { return m_.idle_states && s_.run[app].awake_ns > s_.now_ns; }
  void recall_rates();
  void compute_rates();
  void compute_cluster(int cluster, double share, const std::array<const JobCost*, kMaxApps>& cost);
  void compute_job(int app, const JobCost& cost, double slowdown,
                   const std::array<double, kMaxClusters>& share);
  std::int64_t next_event_ns() const;
  void settle();
  void settle_jobs(double dt_ns);
  void handle_due();
  void put_in_force();
  CpuSet cpus_for(int app) const;
  void set_background(int segment) override;
  void set_ambient(double ambient_c) override;
  void set_battery(double left_mj) override;

  const SimModel& m_;
  SimCache& cache_;
  SimState& s_;
  JobLedger ledger_;
  std::int64_t step_ns_;
};

}  // namespace flyball
