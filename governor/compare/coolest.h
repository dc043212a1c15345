#pragma once

#include <array>

#include "env/sim/sim_model.h"

namespace flyball {

/// Per cluster, how far above the ambient it is at least at any time of a run, whatever a policy
/// does, K. Never less than that: leakage, which grows with temperature, is bounded below by it.
///
/// A node's temperature follows the power by a sum of lags. The power is never below what leaks with
/// every core gated, at the lowest voltages; where a fan (a negative term) makes more power cool
/// later, that may have been as much as all cores can take.
std::array<double, kMaxClusters> least_rise_k(const SimModel& model, double initial_w,
                                              double coldest_ambient_c);

}  // namespace flyball
