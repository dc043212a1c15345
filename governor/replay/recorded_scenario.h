#pragma once

#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/replay/recorded_run.h"

namespace flyball {

/// What happened to a run, as a scenario that any policy can be played in.
struct RecordedScenario {
  Scenario scenario;
  std::string refusal;        ///< why there is none; empty where there is
  double work_error_pct = 0;  ///< of the jobs' times as replayed, mean of the amounts
  std::size_t open_jobs = 0;  ///< whose work is not known: they were dropped, or open at the end
  std::vector<std::string> assumed;  ///< what the record does not say, and nothing in it tells
};

/// Arrivals, deadlines, requirements and how long queues may get are the record's; what it does not say is
/// found on `platform` (workload_finder.h), which has the profiles of its tasks (recorded_tasks.h).
RecordedScenario recorded_scenario(const RecordedRun& run, const PlatformSpec& platform);

/// What happened so far as the record says it, without what is to be found; says what it `assumed`.
Scenario scenario_as_said(const RecordedRun& run, const PlatformSpec& platform,
                          std::vector<std::string>& assumed);

}  // namespace flyball
