#pragma once

#include <cstdint>

#include "env/spaces/action.h"

namespace flyball {

/// What is known of one job once it has finished. Times are monotonic, from the start of the run.
struct JobRecord {
  std::uint64_t sequence = 0;  ///< counts the jobs of its application from 0
  std::int64_t release_ns = 0;
  std::int64_t start_ns = 0;
  std::int64_t finish_ns = 0;
  std::int64_t deadline_ns = 0;  ///< absolute
  double energy_mj = 0;          ///< platform energy while it ran, shared among the running jobs
  double cycles = 0;             ///< of the busiest core; 0 where there is no counter
  float accuracy_pct = 0;        ///< expected top-1 of the level it ran with
  float accuracy_floor_pct = 0;  ///< that was asked for when it was released
  std::uint8_t app = 0;
  AppSetting setting;
  bool missed = false;      ///< finished after its deadline, or was dropped
  bool dropped = false;     ///< never ran: the queue was full
  bool infeasible = false;  ///< by the truth nothing could have met it: for figures, not for deciding

  std::int64_t latency_ns() const { return finish_ns - release_ns; }
  std::int64_t execution_ns() const { return finish_ns - start_ns; }
};

}  // namespace flyball
