#include "governor/fit/least_squares.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>

namespace flyball {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kImpossible = 10;  // the logarithmic error of a law that gives no power at all

/// Subsets of n columns as bits, the smallest first.
std::vector<unsigned> subsets(Index n) {
  std::vector<unsigned> all(std::size_t{1} << n);
  std::iota(all.begin(), all.end(), 0u);
  std::stable_sort(all.begin(), all.end(), [](unsigned a, unsigned b) {
    return __builtin_popcount(a) < __builtin_popcount(b);
  });
  return all;
}

MatrixXd columns_of(const MatrixXd& matrix, unsigned subset) {
  MatrixXd some(matrix.rows(), __builtin_popcount(subset));
  for (Index c = 0, to = 0; c < matrix.cols(); ++c)
    if (subset & (1u << c)) some.col(to++) = matrix.col(c);
  return some;
}

/// Rows divided by what they are to give, so that errors are relative, and by a column's length.
MatrixXd relative(const MatrixXd& design, const VectorXd& y) {
  return y.cwiseInverse().asDiagonal() * design;
}

VectorXd errors(const MatrixXd& design, const VectorXd& y, const VectorXd& x) {
  return ((design * x).array() / y.array() - 1).matrix();
}

double log_error(double error) {
  return error <= -1 ? kImpossible : std::min(kImpossible, std::abs(std::log1p(error)));
}

/// Least absolute errors, by weights that are their inverse.
VectorXd least_absolute(const MatrixXd& design, const VectorXd& y, int rounds) {
  VectorXd weight = VectorXd::Ones(y.size()), x;
  for (int round = 0; round < rounds; ++round) {
    x = non_negative_fit(design, y, weight);
    weight = errors(design, y, x).cwiseAbs().cwiseMax(1e-5).cwiseInverse();
  }
  return x;
}

double absolute_cost(const VectorXd& error) {
  double cost = 0;
  for (const double e : error) cost += std::min(log_error(e), 0.5);
  return cost;
}

std::size_t best_absolute(const std::vector<MatrixXd>& designs, const VectorXd& y) {
  constexpr int kQuick = 8;
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t d = 0; d < designs.size(); ++d) {
    const double cost = absolute_cost(errors(designs[d], y, least_absolute(designs[d], y, kQuick)));
    // A later design is a richer curve: it has to be better by more than rounding.
    if (cost < least * (1 - 1e-6)) {
      least = cost;
      best = d;
    }
  }
  return best;
}

std::vector<bool> keep(const VectorXd& error, Index parameters, double tolerance) {
  const Index n = error.size();
  std::vector<bool> kept(static_cast<std::size_t>(n), true);
  if (n < parameters + 2) return kept;
  std::vector<double> size;
  for (const double e : error) size.push_back(log_error(e));
  const double spare = static_cast<double>(n) / static_cast<double>(n - parameters);
  const double deviation = 1.4826 * median_of(size) * std::sqrt(spare);
  const double bound = std::max(tolerance, 3.5 * deviation);
  std::vector<std::size_t> order(size.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return size[a] > size[b]; });
  // Least absolute errors hold until half of the rows are wrong; some are left to tell that by.
  Index left = std::min(9 * n / 20, n - parameters - 1);
  for (const std::size_t row : order) {
    if (size[row] <= bound || left-- <= 0) break;
    kept[row] = false;
  }
  return kept;
}

VectorXd weights_of(const std::vector<bool>& kept) {
  VectorXd weight(static_cast<Index>(kept.size()));
  for (std::size_t i = 0; i < kept.size(); ++i) weight[static_cast<Index>(i)] = kept[i] ? 1 : 0;
  return weight;
}

/// Whether the rows leave something over that tells how sure the parameters are: more equations that
/// differ than parameters were tried, and an error. A row that says the same again is no other one.
bool leaves_errors(const MatrixXd& design, const VectorXd& y, const RobustFit& fit) {
  constexpr double kRounding = 1e-6;  // no measurement follows a law as closely
  const MatrixXd a = relative(design, y);
  const auto columns = (design.array() != 0).colwise().any().count();
  std::vector<Index> different;
  for (Index row = 0; row < a.rows() && std::ssize(different) <= columns; ++row) {
    if (!fit.kept[static_cast<std::size_t>(row)]) continue;
    const bool again = std::any_of(different.begin(), different.end(), [&](Index other) {
      return (a.row(row) - a.row(other)).norm() <= kRounding * a.row(row).norm();
    });
    if (!again) different.push_back(row);
  }
  const auto rows = std::count(fit.kept.begin(), fit.kept.end(), true);
  return std::ssize(different) > columns &&
         fit.sum_of_squares > static_cast<double>(rows) * kRounding * kRounding;
}

/// Of the parameters that are not zero, by Student's t.
VectorXd half_widths(const MatrixXd& design, const VectorXd& y, const RobustFit& fit) {
  VectorXd half = VectorXd::Constant(fit.x.size(), kNaN);
  unsigned active = 0;
  for (Index p = 0; p < fit.x.size(); ++p)
    if (fit.x[p] > 0) active |= 1u << p;
  const auto rows = std::count(fit.kept.begin(), fit.kept.end(), true);
  const auto spare = rows - __builtin_popcount(active);
  if (active == 0 || spare < 1 || !leaves_errors(design, y, fit)) return half;
  const MatrixXd a = weights_of(fit.kept).asDiagonal() * columns_of(relative(design, y), active);
  const MatrixXd covariance =
      (a.transpose() * a).inverse() * (fit.sum_of_squares / static_cast<double>(spare));
  const boost::math::students_t student(static_cast<double>(spare));
  const double t = boost::math::quantile(student, 0.975);
  for (Index p = 0, from = 0; p < fit.x.size(); ++p)
    if (active & (1u << p)) {
      half[p] = t * std::sqrt(std::max(0.0, covariance(from, from)));
      ++from;
    }
  return half;
}

}  // namespace

double median_of(std::vector<double> values) {
  if (values.empty()) return kNaN;
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

VectorXd non_negative_fit(const MatrixXd& design, const VectorXd& y, const VectorXd& weight) {
  MatrixXd a = relative(design, y);
  const VectorXd root = weight.cwiseSqrt();
  a = root.asDiagonal() * a;
  VectorXd scale = a.colwise().norm().transpose();
  for (double& s : scale) s = s > 0 ? 1 / s : 1;
  a = a * scale.asDiagonal();
  VectorXd best = VectorXd::Zero(design.cols());
  double least = std::numeric_limits<double>::infinity();
  for (const unsigned subset : subsets(design.cols())) {
    if (subset == 0) continue;
    const MatrixXd some = columns_of(a, subset);
    Eigen::ColPivHouseholderQR<MatrixXd> qr(some);
    qr.setThreshold(1e-9);
    if (qr.rank() < some.cols()) continue;
    const VectorXd x = qr.solve(root);
    if (x.minCoeff() < 0) continue;
    const double cost = (some * x - root).squaredNorm();
    if (!(cost < least * (1 - 1e-9) - 1e-18)) continue;
    least = cost;
    best.setZero();
    for (Index c = 0, from = 0; c < design.cols(); ++c)
      if (subset & (1u << c)) best[c] = x[from++] * scale[c];
  }
  return best;
}

RobustFit robust_fit(const std::vector<MatrixXd>& designs, const VectorXd& y, double tolerance) {
  constexpr int kThorough = 40;
  RobustFit fit;
  fit.design = best_absolute(designs, y);
  const MatrixXd& first = designs[fit.design];
  fit.kept = keep(errors(first, y, least_absolute(first, y, kThorough)), first.cols(), tolerance);
  const VectorXd weight = weights_of(fit.kept);
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t d = 0; d < designs.size(); ++d) {
    const VectorXd x = non_negative_fit(designs[d], y, weight);
    const double cost = weight.dot(errors(designs[d], y, x).cwiseAbs2());
    if (!(cost < least * (1 - 1e-6))) continue;
    least = cost;
    fit.design = d;
    fit.x = x;
  }
  fit.error = errors(designs[fit.design], y, fit.x);
  fit.sum_of_squares = least;
  fit.half_width = half_widths(designs[fit.design], y, fit);
  return fit;
}

}  // namespace flyball
