#pragma once

#include <Eigen/Dense>
#include <vector>

namespace flyball {

// Errors are relative: a table spans two decades of power, and its least rows count as much as its
// greatest. Parameters are capacitances, currents, cycles: never negative.

/// The x >= 0 that minimises sum_i weight_i ((row_i x - y_i) / y_i)^2. With the few parameters
/// there are, every set of those that may be positive is tried, the smallest first, so that columns
/// which depend on each other are never used together.
Eigen::VectorXd non_negative_fit(const Eigen::MatrixXd& design, const Eigen::VectorXd& y,
                                 const Eigen::VectorXd& weight);

struct RobustFit {
  std::size_t design = 0;  ///< index of the one that fits best
  Eigen::VectorXd x;
  /// Of the 95 % interval; NaN where x is 0, or nothing is left over to tell it by: no more kept rows
  /// that differ than parameters, or no error of theirs.
  Eigen::VectorXd half_width;
  Eigen::VectorXd error;  ///< row_i x / y_i - 1, of rejected rows too
  std::vector<bool> kept;
  double sum_of_squares = 0;  ///< of the errors of kept rows
};

/// Fits the kept rows of the best of several designs of the same y > 0, each a curve that the data
/// do not rule out. Rows are rejected whose logarithmic error is beyond both `tolerance` and 3.5
/// robust standard deviations (median absolute deviation) of a least-absolute-errors fit of all
/// rows; none while fewer than two rows more than parameters are left, and never more than 45 in 100.
RobustFit robust_fit(const std::vector<Eigen::MatrixXd>& designs, const Eigen::VectorXd& y,
                     double tolerance);

double median_of(std::vector<double> values);

}  // namespace flyball
