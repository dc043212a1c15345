#pragma once

#include <array>

#include "env/spaces/observation.h"

namespace flyball {

/// The one definition of what a policy is paid, for every agent and every platform. Costs of one
/// epoch, of each application and of nobody in particular:
///
///   of an application:  w_e * its share of the energy / ref_energy_mj
///                       + miss * priority * its missed jobs
///                       + accuracy * points below the floor, summed over its finished jobs
///                       + budget * energy above its budget, summed over its finished jobs / ref_energy_mj
///   shared:             w_e * the energy of nobody's job / ref_energy_mj
///                       + budget * energy above the strictest power budget / ref_energy_mj
///                       + heat * sum over clusters of max(0, temp_c - temp_limit_c) * epoch_s
///
/// dimensionless: 1 is the energy of one reference job (full width, one core of the fastest CPU
/// cluster at its highest frequency). w_e = 2 * energy_preference: the user's preference of 0.5
/// leaves energy as it is, 0 ignores it, 1 counts it twice. The shares of the energy sum to the
/// platform's.
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
  RewardParts& operator+=(const RewardParts& other) {
    energy += other.energy;
    misses += other.misses;
    accuracy += other.accuracy;
    budget += other.budget;
    heat += other.heat;
    return *this;
  }
};

struct Reward {
  RewardParts shared;
  int apps = 0;
  std::array<RewardParts, kMaxApps> app;
  RewardParts sum() const {
    RewardParts all = shared;
    for (int a = 0; a < apps; ++a) all += app[static_cast<std::size_t>(a)];
    return all;
  }
  double total() const { return sum().total(); }
};

/// Fills in `out` for slots that are in use.
void judge(const RewardWeights& weights, const Observation& outcome, Reward& out);

}  // namespace flyball
