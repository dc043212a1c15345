#pragma once

#include <limits>
#include <string>
#include <vector>

#include "agents/agent.h"
#include "env/model/belief.h"
#include "governor/metrics/metrics.h"
#include "governor/replay/recorded_scenario.h"

namespace flyball {

/// What another policy would have had in a recorded run, by simulation.
struct Counterfactual {
  std::string refusal;  ///< why there is none; empty where there is
  Metrics recorded;     ///< the record's own
  Metrics replayed;     ///< what its decisions come to in the simulation: the measure of its truth
  Metrics other;        ///< what the other policy's come to there
  std::size_t open_jobs = 0;  ///< whose work is not known
  /// Of the jobs' times as replayed, mean of the amounts; NaN without a job.
  double time_error_pct = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::string> assumed;  ///< what the record does not say, and nothing in it tells
};

/// Plays a policy in a scenario from the first moment to the last, as 'compare' does one seed.
Metrics play_policy(const PlatformSpec& platform, const Scenario& scenario, const Belief& belief,
                    Agent& agent);

/// `platform` is what the simulation takes for true, `agent` new and told what it has learned.
Counterfactual counterfactual(const std::string& recording, const PlatformSpec& platform,
                              const Belief& belief, Agent& agent);

}  // namespace flyball
