#pragma once

#include <vector>

#include "tests/bench/peers/pool_peers.h"

namespace flyball::bench {

/// What the two items of a job do.
enum class PoolTask {
  kEmpty,  ///< nothing: what a call costs, whoever runs the items
  kMeet,   ///< each waits for the other one: both threads have to take part
  kWork  ///< 1 us of arithmetic each: what the call adds to that 1 us (1 us more for who runs both)
};
inline constexpr PoolTask kPoolTasks[] = {PoolTask::kEmpty, PoolTask::kMeet, PoolTask::kWork};
const char* name_of(PoolTask task);

/// From single calls, the clock's own time subtracted.
struct PoolTimes {
  double p50_ns = 0;          ///< of the best window of 400 calls
  double p99_ns = 0;          ///< of that window
  double typical_p50_ns = 0;  ///< the median of the windows' p50
};

/// Contenders take turns, a window each, for `rounds` rounds. Each is made for its window and ended
/// after it: some spin for ever when they have nothing to do, and there are two CPUs. All are
/// pinned, to CPU 0 (the caller) and 1. The result is [variant][task].
std::vector<std::vector<PoolTimes>> pool_tournament(const std::vector<PoolVariant>& variants,
                                                    int rounds);

}  // namespace flyball::bench
