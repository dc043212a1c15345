#pragma once

#include <cstdint>
#include <vector>

#include "env/ledger/job_ledger.h"

namespace flyball {

/// A job as the seed says, whatever a policy makes of it.
struct ReleasedJob {
  int app = 0;
  LedgerJob job;
};

/// Every job that a run of the scenario releases, in the order of their release.
std::vector<ReleasedJob> released_jobs(const LedgerModel& model, std::uint64_t seed);

}  // namespace flyball
