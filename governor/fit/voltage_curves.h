#pragma once

#include <vector>

#include "governor/fit/fit.h"

namespace flyball {

/// What the voltages of a unit's operating points may be: mV by OPP. One curve where they are
/// known.
struct VoltageCurves {
  std::vector<std::vector<double>> mv;
  /// How many numbers were free in choosing among them.
  int freedom = 0;
};

/// Fills the unit's `opps` (their clocks, and voltages where known) and gives the curves to choose
/// from: of the rows' voltages, else of the list, missing ones interpolated, and a voltage that
/// falls while the clock rises raised to the one before, which a platform file demands.
///
/// Where nothing is known, power still tells the curve's shape, though not its scale, which C and k
/// absorb: 1000 mV at the top are assumed, a flat part up to a knee, and from there a rise of order
/// 1 or 2, as regulators and published tables have them. The fewer clocks there are, the fewer of
/// these three are free.
VoltageCurves voltage_curves(FittedPlatform& platform, FittedCluster& cluster,
                             const Voltages& listed);

}  // namespace flyball
