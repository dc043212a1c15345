#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "agents/ablation.h"
#include "agents/gaussian.h"
#include "agents/surprise.h"

namespace flyball {

/// A cost that is linear in given features, by Bayesian linear regression: weights are normal, and every
/// job corrects them by Kalman's update, which is ridge regression with the prior in the place of 0.
/// The noise is learned as well.
template <int kMost>
class LinearBelief {
 public:
  using Features = std::array<double, kMost>;

  explicit LinearBelief(double noise) : noise_(noise * noise) {}
  /// One more feature; of all it is added before anything is learned.
  void add(double mean, double spread) {
    spread_[weights_.size()] = spread;
    weights_.add(mean, spread);
  }

  double value(const Features& x) const { return weights_.value(x); }
  /// Of value(), one standard deviation.
  double deviation(const Features& x) const { return std::sqrt(weights_.variance(x)); }
  /// By how many deviations jobs cost more than expected, lately.
  double surprise() const { return surprise_; }
  double noise() const { return std::sqrt(noise_); }

  /// `known_noise` of this cost comes on top of what is learned of all.
  void learn(const Features& x, double cost, double known_noise) {
    const double innovation = watch(x, cost, known_noise);
    const double noise = noise_ + known_noise * known_noise;
    const double variance = weights_.variance(x) + noise;
    if (std::abs(surprise_) > kSurprised) widen();
    const double most = kOutlier * std::sqrt(variance);
    const double taken = std::clamp(innovation, -most, most);
    weights_.update(x, taken, noise);
    // As far as what was expected to be off is noise, what was found to be off says how much there is.
    noise_ *= 1 + kNoiseWeight * noise_ / variance * (taken * taken / variance - 1);
    noise_ = std::clamp(noise_, kLeastNoise * kLeastNoise, kMostNoise * kMostNoise);
  }
  /// Notes how far off the expectation was, and changes no weight.
  double watch(const Features& x, double cost, double known_noise) {
    const double innovation = cost - value(x);
    const double deviation = std::sqrt(weights_.variance(x) + noise_ + known_noise * known_noise);
    surprise_ +=
        kSurpriseWeight * (std::clamp(innovation / deviation, -kOutlier, kOutlier) - surprise_);
    return innovation;
  }
  /// The board is another one now.
  void widen() {
    for (int i = 0; i < weights_.size(); ++i) weights_.widen(i, spread_[i] / 2);
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
  const Gaussian<kMost>& weights() const { return weights_; }
  Gaussian<kMost>& weights() { return weights_; }

 private:
  static constexpr double kLeastNoise = 0.002, kMostNoise = 1, kNoiseWeight = 0.05;

  std::array<double, kMost> spread_{};
  Gaussian<kMost> weights_;
  double noise_;
  double surprise_ = 0;
};

}  // namespace flyball
