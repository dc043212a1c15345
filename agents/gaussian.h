#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "agents/ablation.h"
#include "kernels/base/bytes.h"

namespace flyball {

/// What is believed of a handful of numbers: a normal distribution, corrected by measurements that are
/// linear in them (the Kalman filter's update, or recursive least squares with a prior). Nothing
/// allocates.
template <int kMax>
class Gaussian {
 public:
  using Vector = std::array<double, kMax>;

  int size() const { return size_; }
  /// One more number, independent of those before.
  void add(double mean, double deviation) {
    mean_[size_] = first_[size_] = mean;
    covariance_[size_][size_] = deviation * deviation;
    ++size_;
  }
  double mean(int i) const { return mean_[i]; }
  double first(int i) const { return first_[i]; }
  void set_mean(int i, double value) { mean_[i] = value; }
  double covariance(int i, int j) const { return covariance_[i][j]; }
  double deviation(int i) const { return std::sqrt(covariance_[i][i]); }
  /// Of the sum of x[i] times number i.
  double variance(const Vector& x) const {
    double sum = 0;
    for (int i = 0; i < size_; ++i) {
      if (x[i] == 0) continue;
      for (int j = 0; j < size_; ++j) sum += x[i] * covariance_[i][j] * x[j];
    }
    return std::max(0.0, sum);
  }
  double value(const Vector& x) const {
    double sum = 0;
    for (int i = 0; i < size_; ++i) sum += x[i] * mean_[i];
    return sum;
  }
  /// Number i is believed to be so, independent of the others.
  void restart(int i, double mean, double variance) {
    for (int j = 0; j < size_; ++j) covariance_[i][j] = covariance_[j][i] = 0;
    mean_[i] = mean;
    covariance_[i][i] = variance;
  }
  /// Number i may have changed since, by about so much.
  void widen(int i, double deviation) { covariance_[i][i] += deviation * deviation; }
  /// The sum was found to be `innovation` above value(x), with so much noise.
  void update(const Vector& x, double innovation, double noise_variance) {
    Vector v{};
    double s = noise_variance;
    for (int i = 0; i < size_; ++i) {
      for (int j = 0; j < size_; ++j) v[i] += covariance_[i][j] * x[j];
      s += x[i] * v[i];
    }
    if (!(s > 0)) return;
    for (int i = 0; i < size_; ++i) {
      mean_[i] += v[i] / s * innovation;
      for (int j = 0; j < size_; ++j) covariance_[i][j] -= v[i] * v[j] / s;
    }
  }

  /// Spoils what was learned: the means are as at first, as far on the other side of that, or each as
  /// far as another was. How sure it is stays.
  void ablate(Ablation how, Random& random) {
    Vector off{};
    for (int i = 0; i < size_; ++i) off[i] = mean_[i] - first_[i];
    for (int i = size_ - 1; how == Ablation::kShuffled && i > 0; --i) {
      std::swap(off[i], off[random.below(static_cast<std::uint32_t>(i) + 1)]);
    }
    const double sign = how == Ablation::kZeroed ? 0 : how == Ablation::kNegated ? -1 : 1;
    for (int i = 0; i < size_; ++i) {
      mean_[i] = first_[i] + sign * off[i];
    }
  }

  void save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(size_));
    for (int i = 0; i < size_; ++i) out.f32(static_cast<float>(mean_[i]));
    for (int i = 0; i < size_; ++i) {
      for (int j = 0; j <= i; ++j) out.f32(static_cast<float>(covariance_[i][j]));
    }
  }
  std::size_t saved_bytes() const {
    const auto size = static_cast<std::size_t>(size_);
    return 4 + sizeof(float) * (size + size * (size + 1) / 2);
  }
  /// Throws Error (kInput) unless it has as many numbers; then nothing has changed.
  void load(ByteReader& in) {
    Gaussian read = *this;
    in.expect(static_cast<std::uint32_t>(size_), "number of beliefs");
    for (int i = 0; i < size_; ++i) read.mean_[i] = static_cast<double>(in.f32());
    for (int i = 0; i < size_; ++i) {
      for (int j = 0; j <= i; ++j) {
        read.covariance_[i][j] = read.covariance_[j][i] = static_cast<double>(in.f32());
      }
      if (!(read.covariance_[i][i] >= 0)) in.reject("a variance is below 0");
    }
    *this = read;
  }
  /// Of another board: how far its numbers are off what its file said, and how sure that is. first()
  /// is 0.
  static Gaussian of_another(ByteReader& in) {
    Gaussian read;
    const std::uint32_t size = in.u32();
    if (size > static_cast<std::uint32_t>(kMax)) in.reject("its number of beliefs is out of range");
    for (std::uint32_t i = 0; i < size; ++i) read.add(0, 0);
    for (int i = 0; i < read.size_; ++i) read.mean_[i] = static_cast<double>(in.f32());
    for (int i = 0; i < read.size_; ++i) {
      for (int j = 0; j <= i; ++j)
        read.covariance_[i][j] = read.covariance_[j][i] = static_cast<double>(in.f32());
      if (!(read.covariance_[i][i] >= 0)) in.reject("a variance is below 0");
    }
    for (int i = 0; i < read.size_; ++i) read.mean_[i] -= static_cast<double>(in.f32());
    return read;
  }
  /// What save() leaves out: what was believed at first, which says how far off it is.
  void save_first(ByteWriter& out) const {
    for (int i = 0; i < size_; ++i) out.f32(static_cast<float>(first_[i]));
  }
  void skip_first(ByteReader& in) const {
    for (int i = 0; i < size_; ++i) in.f32();
  }

 private:
  int size_ = 0;
  Vector mean_{};
  Vector first_{};
  std::array<Vector, kMax> covariance_{};
};

}  // namespace flyball
