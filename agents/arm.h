#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "env/spaces/observation.h"

namespace flyball {

/// A way to run the next job that is believed to be safe: a mapping at the point of its frontier that
/// suits the time there is. Its features, and there are no others, are the energy that the job is
/// believed to take of each kind, in reference jobs, beyond an idle platform:
///
///   2 c, 2 c + 1     what switches, and what leaks, in cluster c: the job's expected work at the point
///                    planned, with the share of jobs that are hurried
///   2 n, 2 n + 1     what is not the arm's: 1 (the rest of the board) and the other load, as a share of
///                    the most loaded cluster's cores
///
/// A belief that is right has the cost as the sum of the first 2 n. What is wrong of it is a factor of
/// each, the same for all mappings and clocks, so that a few jobs tell about all arms.
struct Arm {
  static constexpr int kMost = 2 * kMaxClusters + 2;
  using Features = std::array<double, kMost>;
  int mapping = 0;
  unsigned units = 0;   ///< the clusters that it uses, as bits
  double believed = 0;  ///< what it costs, as first believed
  Features x{};
};

/// What a choice depends on beside the arms.
struct ArmState {
  int regime = 0;        ///< of other load: none, some, much
  bool coupled = false;  ///< by a queue or by heat: what this job does, the next ones feel
  std::uint64_t jobs = 0;
};
inline constexpr int kLoadRegimes = 3;

/// What is known of the weights of a linear cost before anything is learned: of so many features what
/// an arm costs is made, and of so many more what it is charged beside that.
struct LinearPrior {
  int own = 0, context = 0;
  double mean = 0;                        ///< of a weight of an arm's own
  double spread = 1, context_spread = 0;  ///< standard deviations
  double noise = 0.03;                    ///< of one cost, standard deviation

  int size() const { return own + context; }
  double mean_of(int i) const { return i < own ? mean : 0; }
  double spread_of(int i) const { return i < own ? spread : context_spread; }
  /// Of the features above, in reference jobs: factors are as unsure as PowerEstimate's.
  static LinearPrior of_board(int clusters) { return {2 * clusters, 2, 1, 0.6, 0.5, 0.03}; }
};

}  // namespace flyball
