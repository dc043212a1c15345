#pragma once

#include <algorithm>

#include "agents/arm.h"
#include "agents/linear_belief.h"

namespace flyball {

/// A cost that is linear in the features of arms (agents/arm.h).
class LinearCost {
 public:
  explicit LinearCost(const LinearPrior& prior) : own_(prior.own), belief_(prior.noise) {
    for (int i = 0; i < prior.size(); ++i) belief_.add(prior.mean_of(i), prior.spread_of(i));
  }

  /// Of what the arm decides; without `own`, all that a job is charged.
  double cost(const Arm& arm) const {
    Arm::Features own = arm.x;
    std::fill(own.begin() + own_, own.end(), 0.0);
    return belief_.value(own);
  }
  double charged(const Arm& arm) const { return belief_.value(arm.x); }
  /// Of charged(), one standard deviation.
  double deviation(const Arm& arm) const { return belief_.deviation(arm.x); }
  double surprise() const { return belief_.surprise(); }
  double noise() const { return belief_.noise(); }

  void learn(const Arm& arm, double cost, double known_noise) {
    belief_.learn(arm.x, cost, known_noise);
  }
  void watch(const Arm& arm, double cost, double known_noise) {
    belief_.watch(arm.x, cost, known_noise);
  }
  void widen() { belief_.widen(); }

  void ablate(Ablation how, Random& random) { belief_.ablate(how, random); }
  void save(ByteWriter& out) const { belief_.save(out); }
  void load(ByteReader& in) { belief_.load(in); }
  const Gaussian<Arm::kMost>& weights() const { return belief_.weights(); }

 private:
  int own_;
  LinearBelief<Arm::kMost> belief_;
};

}  // namespace flyball
