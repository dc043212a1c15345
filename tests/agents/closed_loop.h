#pragma once

#include <string>

#include "env/sim/simulator.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {

/// A policy on the simulated tiny platform.
class ClosedLoop {
 public:
  ClosedLoop(const TinyWorld& world, const std::string& policy)
      : world_(lasting(world)),
        simulator_(world_.platform, world_.scenario, {}),
        agent_(world_.make(policy)) {
    simulator_.observe(now);
  }
  /// One epoch; false at the end of the scenario.
  bool step() {
    agent_->decide(now, action);
    simulator_.apply(action);
    return simulator_.advance(agent_->epoch(), now) == Status::kOk;
  }

  Observation now;  ///< after the last epoch
  Action action;    ///< that was in force in it

 private:
  /// Applications that run to the end, where nothing else is said.
  static TinyWorld lasting(TinyWorld world) {
    for (AppSpec& app : world.scenario.apps)
      if (app.stop_ns == 0) app.stop_ns = world.scenario.duration_ns;
    return world;
  }

  TinyWorld world_;
  Simulator simulator_;
  std::unique_ptr<Agent> agent_;
};

}  // namespace flyball
