#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/loop/control_loop.h"
#include "governor/replay/recorded_run.h"

namespace flyball {

/// What happened to a run, as a scenario that any policy can be played in.
struct RecordedScenario {
  Scenario scenario;
  std::string refusal;        ///< why there is none; empty where there is
  double work_error_pct = 0;  ///< of the jobs' times as replayed, mean of the amounts
  std::size_t open_jobs = 0;  ///< whose work is not known: they were dropped, or open at the end
};

/// Arrivals, deadlines and requirements are the record's. What it does not say is found by playing its
/// own decisions on `platform`, again and again, and correcting by what comes out otherwise: the work of
/// each job by its cycles, where they were counted, or its time; other load by the time for which a
/// cluster was busy beyond the jobs, and its power; the ambient temperature by the clusters' temperatures.
/// What the platform's model has wrong, these take on, so far as they can.
RecordedScenario recorded_scenario(const RecordedRun& run, const PlatformSpec& platform);

/// Plays the decisions of a record, at the times at which they were made.
Metrics play_recorded_decisions(const RecordedRun& run, const PlatformSpec& platform,
                                const Scenario& scenario, const RewardWeights& weights);

}  // namespace flyball
