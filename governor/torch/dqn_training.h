#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "agents/dqn.h"
#include "governor/torch/dqn_data.h"

namespace flyball {

struct DqnTraining {
  int steps = 400;
  std::uint64_t seed = 1;
  std::function<void(double done)> progress;
};

struct DqnTrained {
  DqnBody body;
  /// Of each platform, of the last layer's weights.
  std::vector<std::vector<double>> mean, spread;
  /// How far a job's cost is off what is expected after ten jobs, in reference jobs, root of the mean square:
  /// as believed at first, and with what was learned. On boards that were kept out of the learning but chose
  /// the best of its steps, so that the second is never above the first.
  double untrained_error = 0, error = 0;
};

/// Meta-learning of a Bayesian last layer through its closed form (Harrison, Sharma and Pavone,
/// "Meta-learning priors for efficient online Bayesian regression", WAFR 2018), on targets of fitted
/// Q-iteration (Riedmiller, ECML 2005): of each board the last layer is what least squares make of its
/// first jobs, and what is minimised is how unlikely it finds the others. Every fourth board is kept
/// out, and what did best there is returned. The same on the same machine.
DqnTrained train_dqn(std::span<const DqnBoards> boards, const DqnTraining& training);

}  // namespace flyball
