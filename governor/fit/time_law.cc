#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "governor/fit/fit.h"
#include "governor/fit/least_squares.h"

namespace flyball {
namespace {

// A clock that is off by less is not told from noise.
constexpr double kTimeTolerance = 0.08;
// The laws of clocks, cores and widths multiply: each is fitted with the others held, in turn.
constexpr int kTimeRounds = 60;

bool timed(const FittedRow& row) {
  return row.kept() && row.measured.time_ms && row.measured.cores >= 1;
}

double scaling(double cores, double parallel) { return 1 - parallel + parallel / cores; }

FittedWidth& width_of(FittedPlatform& platform, const Measurement& row) {
  return *std::find_if(platform.widths.begin(), platform.widths.end(),
                       [&](const FittedWidth& width) { return width.width_pct == row.width_pct; });
}

double clock_ms(const FittedCluster& cluster, double mhz) {
  return cluster.mcycles.value / mhz * 1e3 + cluster.memory_ms.value;
}

struct Fitted {
  RobustFit fit;
  std::vector<FittedRow*> rows;
};

Fitted fit_clock(FittedPlatform& platform, FittedCluster& cluster) {
  Fitted fitted;
  for (FittedRow& row : cluster.rows)
    if (timed(row)) fitted.rows.push_back(&row);
  const auto n = static_cast<Eigen::Index>(fitted.rows.size());
  Eigen::MatrixXd design(n, 2);
  Eigen::VectorXd y(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const Measurement& row = fitted.rows[static_cast<std::size_t>(i)]->measured;
    const double share =
        scaling(row.cores, platform.parallel_fraction.value) * width_of(platform, row).time_factor;
    design(i, 0) = 1e3 / row.mhz * share;
    design(i, 1) = share;
    y[i] = *row.time_ms;
  }
  // One clock says nothing of memory.
  std::set<double> clocks;
  for (const FittedRow* row : fitted.rows) clocks.insert(row->measured.mhz);
  if (clocks.size() < 2) design.col(1).setZero();
  fitted.fit = robust_fit({design}, y, kTimeTolerance);
  cluster.mcycles = {fitted.fit.x[0], fitted.fit.half_width[0]};
  cluster.memory_ms = {fitted.fit.x[1], fitted.fit.half_width[1]};
  return fitted;
}

void fit_widths(FittedPlatform& platform) {
  for (FittedWidth& width : platform.widths) {
    if (&width == &platform.widths.back()) continue;
    std::vector<double> factors;
    for (const FittedCluster& cluster : platform.clusters)
      for (const FittedRow& row : cluster.rows)
        if (timed(row) && row.measured.width_pct == width.width_pct)
          factors.push_back(*row.measured.time_ms /
                            (clock_ms(cluster, row.measured.mhz) *
                             scaling(row.measured.cores, platform.parallel_fraction.value)));
    if (!factors.empty()) width.time_factor = std::clamp(median_of(factors), 1e-3, 1.0);
  }
}

/// Amdahl's fraction, from rows of more than one core; the interval is that of their median.
void fit_parallel(FittedPlatform& platform) {
  std::vector<double> fractions;
  for (const FittedCluster& cluster : platform.clusters)
    for (const FittedRow& row : cluster.rows) {
      if (!timed(row) || row.measured.cores < 2) continue;
      const double relative =
          *row.measured.time_ms /
          (clock_ms(cluster, row.measured.mhz) * width_of(platform, row.measured).time_factor);
      fractions.push_back((1 - relative) / (1 - 1 / row.measured.cores));
    }
  const double middle = median_of(fractions);
  std::vector<double> distances;
  for (const double fraction : fractions) distances.push_back(std::abs(fraction - middle));
  const auto n = static_cast<double>(fractions.size());
  platform.parallel_fraction.value = std::clamp(middle, 0.0, 1.0);
  // Rows that agree to the last digit say the same again: nothing tells how sure they are.
  const double apart = median_of(distances);
  if (n > 2 && apart > 1e-6)
    platform.parallel_fraction.half = 1.96 * 1.2533 * 1.4826 * apart / std::sqrt(n);
}

void judge(FittedCluster& cluster, const Fitted& fitted) {
  double sum = 0;
  int kept = 0;
  for (std::size_t i = 0; i < fitted.rows.size(); ++i) {
    FittedRow& row = *fitted.rows[i];
    const double error = fitted.fit.error[static_cast<Eigen::Index>(i)];
    row.law_ms = *row.measured.time_ms * (1 + error);
    if (fitted.fit.kept[i]) {
      sum += std::abs(error);
      ++kept;
      continue;
    }
    // The clock at which the law gives the time that was measured.
    const double others =
        cluster.memory_ms.value * row.law_ms / clock_ms(cluster, row.measured.mhz);
    const double cycles_ms = row.law_ms - others, left_ms = *row.measured.time_ms - others;
    row.rejected = fmt::format(
        "takes {:.4g} ms where its clock makes {:.4g}: ", *row.measured.time_ms, row.law_ms);
    row.rejected += left_ms > 0 ? fmt::format(
                                      "it ran at {:.0f} MHz, not at {:.0f}: a clock that was "
                                      "stuck, throttled or not yet set",
                                      row.measured.mhz * cycles_ms / left_ms, row.measured.mhz)
                                : std::string("faster than any clock");
  }
  if (kept > 0) cluster.mean_time_error_pct = 100 * sum / kept;
}

}  // namespace

void fit_times(FittedPlatform& platform) {
  std::set<double> core_counts;
  for (FittedCluster& cluster : platform.clusters) {
    for (const FittedRow& row : cluster.rows)
      if (timed(row)) {
        cluster.has_time = true;
        core_counts.insert(row.measured.cores);
      }
  }
  platform.has_time = std::all_of(platform.clusters.begin(), platform.clusters.end(),
                                  [](const FittedCluster& cluster) { return cluster.has_time; });
  platform.parallel_measured = core_counts.size() > 1 && *core_counts.begin() == 1;
  platform.parallel_fraction.value = kAssumedParallel;
  for (FittedWidth& width : platform.widths)
    width.time_factor = width.width_pct / platform.widths.back().width_pct;
  const bool coupled = platform.parallel_measured || platform.widths.size() > 1;
  for (int round = 0; round < (coupled ? kTimeRounds : 1); ++round) {
    for (FittedCluster& cluster : platform.clusters)
      if (cluster.has_time) fit_clock(platform, cluster);
    if (platform.widths.size() > 1) fit_widths(platform);
    if (platform.parallel_measured) fit_parallel(platform);
  }
  for (FittedCluster& cluster : platform.clusters)
    if (cluster.has_time) judge(cluster, fit_clock(platform, cluster));
}

}  // namespace flyball
