#pragma once

#include <cstdint>

#include "env/spaces/observation.h"

namespace flyball {

/// Jobs of an application so far. A job is settled when it has ended, or waits and is late already: the
/// share that missed is of those, wherever it is printed.
struct JobCount {
  std::uint64_t released = 0, finished = 0, missed = 0, dropped = 0;
  std::uint64_t pending = 0;  ///< backlog at the end of the last epoch
  bool overdue = false;       ///< whose oldest job is already late

  void add(const AppObservation& app, std::int64_t now_ns) noexcept {
    released += app.released;
    finished += app.finished;
    missed += app.missed;
    dropped += app.dropped;
    pending = app.backlog;
    overdue = app.backlog > 0 && app.required.deadline_ns > 0 &&
              now_ns > app.oldest_release_ns() + app.required.deadline_ns;
  }
  std::uint64_t settled() const {
    const std::uint64_t open = pending - (overdue ? 1 : 0);
    return released > open ? released - open : 0;
  }
  std::uint64_t settled_and_missed() const { return missed + (overdue ? 1 : 0); }
};

}  // namespace flyball
