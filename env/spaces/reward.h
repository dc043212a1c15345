#pragma once

#include "env/spaces/observation.h"

namespace flyball {

/// The one definition of what a policy is paid, for every agent and every platform:
///
///   reward = - ( w_e * energy_mj / ref_energy_mj
///              + miss       * sum over jobs of priority * missed
///              + accuracy   * sum over jobs of max(0, floor_pct - accuracy_pct)
///              + budget     * (energy and power spent above an application's budget) / ref_energy_mj
///              + heat       * sum over clusters of max(0, temp_c - temp_limit_c) * epoch_s )
///
/// dimensionless: 1 is the energy of one reference job (full width, one core of the fastest CPU
/// cluster at its highest frequency). w_e = 2 * energy_preference: the user's preference of 0.5 leaves energy
/// as it is, 0 ignores it, 1 counts it twice.
struct RewardWeights {
  double miss = 3.0;               ///< one missed deadline costs as much as this many reference jobs
  double accuracy_per_pct = 0.5;   ///< one percentage point below the floor, for one job
  double budget = 2.0;             ///< energy above a budget, on top of the energy term
  double heat_per_c_s = 0.2;       ///< one kelvin above the limit, for one second
  double temp_limit_c = 80;        ///< overridden by the platform's first passive trip less 5 K
  double ref_energy_mj = 1;        ///< from the platform's model
};

struct RewardParts {
  double energy = 0, misses = 0, accuracy = 0, budget = 0, heat = 0;  ///< costs, all >= 0
  double total() const { return -(energy + misses + accuracy + budget + heat); }
};

RewardParts reward_parts(const RewardWeights& weights, const Observation& outcome);

}  // namespace flyball
