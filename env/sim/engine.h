#pragma once

#include <cstdint>

#include "env/sim/sim_model.h"
#include "env/sim/sim_state.h"
#include "env/spaces/action.h"
#include "env/spaces/observation.h"

namespace flyball {

/// Moves a SimState through time, from event to event: releases, completions, frequency changes
/// that take effect, edges of the background, events of the scenario, looks at the trip points,
/// thermal steps. Between two of them every rate and every power is constant, so that energy and
/// progress are exact; only leakage follows the temperature in steps of at most `max_step_ns`. The
/// simulation and its previews are this same code, on the state itself or on a copy.
class Engine {
 public:
  /// Finished and dropped jobs go to `sink`; to nowhere when it is null. A preview, which is short,
  /// may take longer thermal steps.
  Engine(const SimModel& model, SimCache& cache, SimState& state, Observation* sink = nullptr,
         int step_factor = 1)
      : m_(model),
        cache_(cache),
        s_(state),
        sink_(sink),
        step_ns_(model.max_step_ns * step_factor) {}

  /// What ends a run() before its time.
  struct StopAt {
    bool release = false, finish = false, watched_finish = false;
  };

  /// The state at the beginning, with what is due at time 0.
  void reset(std::uint64_t seed);
  void apply(const Action& action);
  /// Jobs that wait start first; what is due at the very end has happened, but nothing has started
  /// with it.
  void run(std::int64_t until_ns, const StopAt& stop);
  /// Temperatures as of now.
  void thermal_step();

 private:
  void reset_app(int app, std::uint64_t seed);
  void settle_temperatures();
  void start_waiting();
  void refresh();
  void refresh_cluster(int cluster, double share, const std::array<const JobCost*, kMaxApps>& cost);
  std::int64_t next_event_ns() const;
  void settle();
  void handle_due();
  void set_timeline();
  void take_event(const ScenarioEvent& event);
  void set_goal(int cluster);
  void release(int app);
  void finish(int app);

  const SimModel& m_;
  SimCache& cache_;
  SimState& s_;
  Observation* sink_;
  std::int64_t step_ns_;
};

}  // namespace flyball
