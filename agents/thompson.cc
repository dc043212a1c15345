#include "agents/thompson.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "agents/surprise.h"
#include "kernels/base/det_math.h"

namespace flyball {
namespace {

constexpr double kLeastUnknownNoise = 0.002;  // reference jobs

/// Gamma with mean `shape` and scale 1 (Marsaglia and Tsang, 2000); shape >= 1.
double gamma(double shape, Random& random) {
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = random.normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (det_log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * det_log(v)) return d * v;
  }
}

}  // namespace

NormalInverseGamma::NormalInverseGamma(const LinearPrior& prior)
    : prior_(prior), rate_((kFirstShape - 1) * prior.noise * prior.noise) {
  for (int i = 0; i < prior.size(); ++i) {
    weights_.add(prior.mean_of(i), prior.spread_of(i) / prior.noise);
  }
}

void NormalInverseGamma::learn(Vector x, double cost, double known_noise) {
  const double scale = 1 / std::sqrt(1 + known_noise * known_noise / noise_variance());
  for (double& each : x) each *= scale;
  cost *= scale;
  const double spread = 1 + weights_.variance(x);
  const double deviation = std::sqrt(noise_variance() * spread);
  const double off = std::clamp((cost - value(x)) / deviation, -kOutlier, kOutlier);
  surprise_ += kSurpriseWeight * (off - surprise_);
  if (std::abs(surprise_) > kSurprised) {
    // Not noise: the board is another one now.
    const double unit = std::sqrt(noise_variance());
    for (int i = 0; i < weights_.size(); ++i) weights_.widen(i, prior_.spread_of(i) / (2 * unit));
    surprise_ = 0;
  }
  const double innovation = off * deviation;
  weights_.update(x, innovation, 1);
  rate_ += innovation * innovation / (2 * spread);
  shape_ += 0.5;
  rate_ = std::max(rate_, (shape_ - 1) * kLeastUnknownNoise * kLeastUnknownNoise);
  if (shape_ > kMostShape) {
    rate_ *= (kMostShape - 1) / (shape_ - 1);
    shape_ = kMostShape;
  }
}

NormalInverseGamma::Vector NormalInverseGamma::draw(Random& random) const {
  const double deviation = std::sqrt(rate_ / gamma(shape_, random));
  const int n = weights_.size();
  Vector z{}, drawn{};
  for (int i = 0; i < n; ++i) z[i] = random.normal();
  std::array<Vector, Arm::kMost> root{};  // Cholesky's
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j <= i; ++j) {
      double sum = weights_.covariance(i, j);
      for (int k = 0; k < j; ++k) sum -= root[i][k] * root[j][k];
      // What is known exactly, or to rounding, is not drawn.
      root[i][j] = i == j ? std::sqrt(std::max(0.0, sum)) : (root[j][j] > 0 ? sum / root[j][j] : 0);
    }
    drawn[i] = weights_.mean(i);
    for (int j = 0; j <= i; ++j) drawn[i] += deviation * root[i][j] * z[j];
  }
  return drawn;
}

void NormalInverseGamma::save(ByteWriter& out) const {
  weights_.save(out);
  out.f32(static_cast<float>(shape_));
  out.f32(static_cast<float>(rate_));
}

void NormalInverseGamma::load(ByteReader& in) {
  weights_.load(in);
  shape_ = static_cast<double>(in.f32());
  rate_ = static_cast<double>(in.f32());
  if (!(shape_ >= kFirstShape && shape_ <= kMostShape && rate_ > 0)) {
    in.reject("its noise is out of range");
  }
  surprise_ = 0;
}

double Thompson::cost(const ArmState&, const Arm& arm) const {
  Arm::Features x = arm.x;
  std::fill(x.begin() + own_, x.end(), 0.0);
  return belief_.value(x);
}

ArmLearner::Choice Thompson::choose(const ArmState&, std::span<const Arm> arms, int, Random& random,
                                    std::span<double>) {
  const Arm::Features weights = belief_.draw(random);
  int chosen = 0;
  double least = std::numeric_limits<double>::max();
  for (std::size_t i = 0; i < arms.size(); ++i) {
    double sum = 0;
    for (int k = 0; k < own_; ++k) sum += weights[k] * arms[i].x[k];
    if (sum < least) least = sum, chosen = static_cast<int>(i);
  }
  return {chosen, arms.size() > 1 ? Draw::kUnknown : Draw::kNone};
}

}  // namespace flyball
