#pragma once

#include <vector>

#include "env/model/platform_spec.h"
#include "env/spaces/observation.h"

namespace flyball {

/// What a cluster under plain load is expected to show over the next epoch at some operating point,
/// should the load go on as it was: what waits for memory takes as long at any clock, the rest as
/// many cycles. Of a core that was busy throughout it is a lower bound, since nobody knows how much
/// more it would have done.
struct PlainForecast {
  double busiest = 0;  ///< busy share of the busiest core; above 1: work that would be left over
  double mw = 0;       ///< of the cluster, modelled
};

class PlainForecaster {
 public:
  static constexpr double kRoomy = 0.8;       ///< busy share up to which a clock is high enough
  static constexpr double kSaturated = 0.95;  ///< from which demand is not known

  /// The platform outlives it.
  explicit PlainForecaster(const PlatformSpec& platform) : platform_(platform) {}

  PlainForecast at(int cluster, const ClusterObservation& seen, int opp) const noexcept;
  /// The best one but `chosen`, within the cap: of those that are high enough the one that takes least
  /// power, else the highest. `chosen` itself when there is no other.
  int next_best(int cluster, const ClusterObservation& seen, int chosen) const noexcept;
  /// Power of a cluster that shows this at its clock.
  double modelled_mw(int cluster, const ClusterObservation& seen) const noexcept;

 private:
  double power_mw(int cluster, int opp, double busy_cores, double temp_c) const noexcept;
  const PlatformSpec& platform_;
};

}  // namespace flyball
