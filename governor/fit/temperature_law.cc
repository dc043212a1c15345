#include <Eigen/Dense>
#include <cmath>
#include <vector>

#include "governor/fit/fit.h"

namespace flyball {

/// Settled temperatures rise with the power: T = T0 + R P, of the unit's own rows.
void fit_temperatures(FittedPlatform& platform) {
  for (FittedCluster& cluster : platform.clusters) {
    std::vector<const Measurement*> rows;
    for (const FittedRow& row : cluster.rows)
      if (row.kept() && row.measured.power_mw && row.measured.temp_c) rows.push_back(&row.measured);
    if (rows.size() < 3) continue;
    Eigen::MatrixXd design(static_cast<Eigen::Index>(rows.size()), 2);
    Eigen::VectorXd y(static_cast<Eigen::Index>(rows.size()));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto at = static_cast<Eigen::Index>(i);
      design(at, 0) = 1;
      design(at, 1) = *rows[i]->power_mw / 1e3;
      y[at] = *rows[i]->temp_c;
    }
    const Eigen::VectorXd x = design.colPivHouseholderQr().solve(y);
    constexpr double kAmbientC = 25;  // assumed: tables seldom say
    if (x[1] > 0 && x[1] < 100 && std::abs(x[0] - kAmbientC) < 100) {
      cluster.offset_c = x[0] - kAmbientC;
      cluster.r_k_per_w = x[1];
    }
  }
}

}  // namespace flyball
