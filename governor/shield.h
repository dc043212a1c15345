#pragma once

#include <cstdint>

#include "agents/agent.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/action.h"
#include "env/spaces/observation.h"

namespace flyball {

/// Stands between agent and platform and belongs to no agent. It
///  - clamps every index to the platform's tables and every frequency to the thermal cap,
///  - replaces a configuration that is known (model scaled by the slowdown observed) to miss a deadline
///    when a safe one exists, for agents that learn,
///  - takes over with the fastest safe configuration after a run of misses or when sensors vanish, until
///    the stream is healthy again.
/// Baselines run with clamping only: they are measured as they are.
class Shield {
 public:
  struct Options {
    bool guard = true;             ///< false: clamp only
    int takeover_misses = 5;       ///< in a row, of one application
    int release_after = 10;        ///< jobs on time in a row before control goes back
    int sensor_epochs = 20;        ///< epochs without sensors before it takes over
  };
  enum class Verdict : std::uint8_t { kPassed, kClamped, kReplaced, kTakenOver };

  Shield(const PlatformSpec& platform, const Scenario& scenario, Options options);
  Verdict check(const Observation& now, Action& action);
  void learn(const Observation& outcome, const Action& applied);

 private:
  const PlatformSpec& platform_;
  const Scenario& scenario_;
  Options options_;
};

}  // namespace flyball
