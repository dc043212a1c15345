#pragma once

#include <array>

#include "env/spaces/observation.h"

namespace flyball {

/// The one definition of what a policy is paid, for every agent and every platform. Costs of one
/// epoch, of each application and of nobody in particular:
///
///   of an application:  w_e * its share of the energy / ref_energy_mj
///                       + miss * priority * (jobs that were late, jobs below the floor, jobs over the
///                         energy budget; a late one with grace counts in part, see miss_of())
///                       + accuracy * points below the floor, summed over its finished jobs
///                       + budget * energy above its budget, summed over its finished jobs / ref_energy_mj
///                       + accuracy * points below its most accurate level (100 of a miss), if it wants it
///                       + latency / what it may take, if it wants low latency
///                       + the weights of its own monitors that were not as desired, summed over its
///                         finished jobs
///   shared:             2 * energy_preference * the energy of nobody's job / ref_energy_mj
///                       + budget * energy above the strictest power budget / ref_energy_mj
///                       + heat * sum over clusters of max(0, temp_c - temp_limit_c) * epoch_s
///
/// dimensionless: 1 is the energy of one reference job (full width, one core of the fastest CPU
/// cluster at its highest frequency). w_e = energy_weight(): the user's preference of 0.5
/// leaves energy as it is, 0 ignores it, 1 counts it twice; of an application that wants something
/// else it only breaks ties. The shares of the energy sum to the platform's.
///
/// What is summed is the rows of the monitor table that have a charge (monitors.h).
///
/// A bound is a bound: however little a job is beyond one, it has missed it, so that no hair beyond
/// pays; and a dropped job has missed all that was asked of it.
struct RewardWeights {
  double miss = 3.0;              ///< one missed deadline costs as much as this many reference jobs
  double accuracy_per_pct = 0.5;  ///< one percentage point below the floor, for one job
  double budget = 2.0;            ///< energy above a budget, on top of the energy term
  double heat_per_c_s = 0.2;      ///< one kelvin above the limit, for one second
  double temp_limit_c = 80;       ///< overridden by the platform's first passive trip less 5 K
  double ref_energy_mj = 1;       ///< from the platform's model
};

struct RewardParts {
  /// Costs, all >= 0.
  double energy = 0, misses = 0, accuracy = 0, budget = 0, heat = 0, latency = 0, monitors = 0;
  double total() const {
    return -(energy + misses + accuracy + budget + heat + latency + monitors);
  }
  RewardParts& operator+=(const RewardParts& other) {
    energy += other.energy;
    misses += other.misses;
    accuracy += other.accuracy;
    budget += other.budget;
    heat += other.heat;
    latency += other.latency;
    monitors += other.monitors;
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

/// Energy of an application that wants something else than little of it.
inline constexpr double kTieBreak = 0.1;
/// What the energy of an application counts for.
inline double energy_weight(double energy_preference, const Requirements& required) {
  return 2 * energy_preference * (required.objective == Objective::kEnergy ? 1 : kTieBreak);
}

/// Fills in `out` for slots that are in use.
void judge(const RewardWeights& weights, const Observation& outcome, Reward& out);

}  // namespace flyball
