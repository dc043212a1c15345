#pragma once

#include <algorithm>
#include <optional>

#include "agents/load_sample.h"
#include "env/spaces/observation.h"

namespace flyball {

/// A cpufreq policy under a governor that samples.
struct SampledPolicy {
  int opp = -1;  ///< asked for last
  int cap = -1;
  LoadSample load;

  /// An epoch has passed in which the busiest CPU was busy for `busy_share`; limits hold at once. A sample, if
  /// the scheduler calls and it is due.
  std::optional<LoadSample::Result> pass(const Observation& now, int cluster, int new_cap,
                                         double busy_share, bool scheduled) {
    const ClusterObservation& seen = now.cluster[static_cast<std::size_t>(cluster)];
    if (opp < 0) opp = seen.opp;
    if (cap != new_cap) load.limits_changed();
    cap = new_cap;
    opp = std::min(opp, cap);
    load.pass(now.epoch_ns, busy_share);
    return scheduled ? load.take() : std::nullopt;
  }
};

}  // namespace flyball
