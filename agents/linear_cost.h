#pragma once

#include <algorithm>
#include <cmath>

#include "agents/ablation.h"
#include "agents/arm.h"
#include "agents/gaussian.h"
#include "agents/surprise.h"

namespace flyball {

/// A cost that is linear in the features of arms (agents/arm.h), by Bayesian linear regression: weights
/// are normal, and every job corrects them by Kalman's update, which is ridge regression with the prior
/// in the place of 0. The noise is learned as well.
class LinearCost {
 public:
  explicit LinearCost(const LinearPrior& prior) : prior_(prior), noise_(prior.noise * prior.noise) {
    for (int i = 0; i < prior.size(); ++i) weights_.add(prior.mean_of(i), prior.spread_of(i));
  }

  /// Of what the arm decides; without `own`, all that a job is charged.
  double cost(const Arm& arm) const { return weights_.value(own(arm.x)); }
  double charged(const Arm& arm) const { return weights_.value(arm.x); }
  /// Of charged(), one standard deviation.
  double deviation(const Arm& arm) const { return std::sqrt(weights_.variance(arm.x)); }
  /// By how many deviations jobs cost more than expected, lately.
  double surprise() const { return surprise_; }
  double noise() const { return std::sqrt(noise_); }

  /// `known_noise` of this cost comes on top of what is learned of all.
  void learn(const Arm& arm, double cost, double known_noise) {
    const double innovation = watch(arm, cost, known_noise);
    const double noise = noise_ + known_noise * known_noise;
    const double variance = weights_.variance(arm.x) + noise;
    if (std::abs(surprise_) > kSurprised) widen();
    const double most = kOutlier * std::sqrt(variance);
    const double taken = std::clamp(innovation, -most, most);
    weights_.update(arm.x, taken, noise);
    // As far as what was expected to be off is noise, what was found to be off says how much there is.
    noise_ *= 1 + kNoiseWeight * noise_ / variance * (taken * taken / variance - 1);
    noise_ = std::clamp(noise_, kLeastNoise * kLeastNoise, kMostNoise * kMostNoise);
  }
  /// Notes how far off the expectation was, and changes no weight.
  double watch(const Arm& arm, double cost, double known_noise) {
    const double innovation = cost - charged(arm);
    const double deviation =
        std::sqrt(weights_.variance(arm.x) + noise_ + known_noise * known_noise);
    surprise_ +=
        kSurpriseWeight * (std::clamp(innovation / deviation, -kOutlier, kOutlier) - surprise_);
    return innovation;
  }
  /// The board is another one now.
  void widen() {
    for (int i = 0; i < prior_.size(); ++i) weights_.widen(i, prior_.spread_of(i) / 2);
    surprise_ = 0;
  }

  void ablate(Ablation how, Random& random) { weights_.ablate(how, random); }
  void save(ByteWriter& out) const {
    weights_.save(out);
    out.f32(static_cast<float>(noise_));
  }
  void load(ByteReader& in) {
    weights_.load(in);
    noise_ = std::clamp(static_cast<double>(in.f32()), kLeastNoise * kLeastNoise,
                        kMostNoise * kMostNoise);
    surprise_ = 0;
  }
  const Gaussian<Arm::kMost>& weights() const { return weights_; }

 private:
  static constexpr double kLeastNoise = 0.002, kMostNoise = 1, kNoiseWeight = 0.05;

  Arm::Features own(Arm::Features x) const {
    std::fill(x.begin() + prior_.own, x.end(), 0.0);
    return x;
  }

  LinearPrior prior_;
  Gaussian<Arm::kMost> weights_;
  double noise_;
  double surprise_ = 0;
};

}  // namespace flyball
