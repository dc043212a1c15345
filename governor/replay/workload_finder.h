#pragma once

#include <cstddef>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/replay/recorded_run.h"

namespace flyball {

/// What a record says of its workload, with what it does not say.
struct FoundWorkload {
  Scenario scenario;
  double work_error_pct = 0;  ///< of the jobs' times as replayed, mean of the amounts
  std::size_t open_jobs = 0;  ///< whose work is not known: they were dropped, or open at the end
};

/// What a record does not say is found by playing its own decisions on `platform`, again and again, and
/// correcting by what comes out otherwise: the work of each job by its cycles, where they were counted, or
/// its time; other load by the time for which a cluster was busy beyond the jobs, and its power; the
/// ambient temperature by the clusters' temperatures. What the platform's model has wrong, these take on,
/// so far as they can. `said` is of the record: its applications' jobs are listed.
FoundWorkload find_workload(const RecordedRun& run, const PlatformSpec& platform,
                            const Scenario& said);

}  // namespace flyball
