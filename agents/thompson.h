#pragma once

#include "agents/arm_learner.h"
#include "agents/gaussian.h"

namespace flyball {

/// Bayesian linear regression with unknown noise: weights and noise are normal-inverse-gamma (Bishop,
/// "Pattern Recognition and Machine Learning", 2006, exercise 3.12; Murphy 2007, section 7). Given the
/// noise variance s2 ~ InvGamma(a, b), weights are normal with covariance s2 V.
class NormalInverseGamma {
 public:
  using Vector = Arm::Features;
  static constexpr double kFirstShape = 3;  ///< as sure of the first noise as six jobs make
  static constexpr double kMostShape = 30;  ///< noise may change: sixty jobs are remembered

  explicit NormalInverseGamma(const LinearPrior& prior);
  double value(const Vector& x) const { return weights_.value(x); }
  /// b / (a - 1), the mean of the noise variance.
  double noise_variance() const { return rate_ / (shape_ - 1); }
  double shape() const { return shape_; }
  /// Variance of x times the weights, with the noise at its mean.
  double variance(const Vector& x) const { return noise_variance() * weights_.variance(x); }
  /// `known_noise` of this cost comes on top of what is learned of all: it counts for so much less.
  void learn(Vector x, double cost, double known_noise);
  Vector draw(Random& random) const;

  void ablate(Ablation how, Random& random) { weights_.ablate(how, random); }
  void save(ByteWriter& out) const;
  void load(ByteReader& in);

 private:
  Gaussian<Arm::kMost> weights_;  ///< its covariance is V
  LinearPrior prior_;
  double shape_ = kFirstShape, rate_;
  double surprise_ = 0;
};

/// Thompson sampling (Agrawal and Goyal, "Thompson sampling for contextual bandits with linear
/// payoffs", ICML 2013): weights are drawn from what is believed of them, and the arm taken that is
/// cheapest by those.
class Thompson final : public ArmLearner {
 public:
  static constexpr const char* kName = "thompson";

  Thompson(const LinearPrior& prior, int) : own_(prior.own), belief_(prior) {}
  double cost(const ArmState&, const Arm& arm) const override;
  Choice choose(const ArmState& state, std::span<const Arm> arms, int greedy, Random& random,
                std::span<double> chance) override;
  void learn(const Outcome& outcome) override {
    if (!outcome.disturbed) belief_.learn(outcome.arm.x, outcome.cost, outcome.noise);
  }
  void ablate(Ablation how, Random& random) override { belief_.ablate(how, random); }
  void save(ByteWriter& out) const override { belief_.save(out); }
  void load(ByteReader& in) override { belief_.load(in); }

 private:
  int own_;
  NormalInverseGamma belief_;
};

}  // namespace flyball
