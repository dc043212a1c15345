#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "env/spaces/decision.h"
#include "env/spaces/job.h"

namespace flyball {

/// How often what was predicted came true: of the jobs that had a forecast, those whose time, and whose
/// energy, was within the 90 % interval. The first forecast that was made of a job counts.
class ForecastScore {
 public:
  void expect(const Decision& decided) {
    for (int i = 0; i < decided.forecasts; ++i) {
      const Forecast& forecast = decided.forecast[static_cast<std::size_t>(i)];
      if (forecast.app >= kMaxApps) continue;
      Open& open = open_[forecast.app];
      if (open.is_open && open.forecast.sequence == forecast.sequence) continue;
      open = {true, forecast};
    }
  }
  void ended(const JobRecord& job) {
    if (job.dropped || job.app >= kMaxApps) return;
    Open& open = open_[job.app];
    const Forecast& forecast = open.forecast;
    if (!open.is_open || forecast.sequence != job.sequence) return;
    open.is_open = false;
    ++jobs_;
    time_held_ +=
        std::abs(static_cast<double>(job.execution_ns()) - static_cast<double>(forecast.time_ns)) <=
        kHalf * static_cast<double>(forecast.time_sd_ns);
    energy_held_ += std::abs(job.energy_mj - static_cast<double>(forecast.energy_mj)) <=
                    kHalf * static_cast<double>(forecast.energy_sd_mj);
    const auto took_ns = static_cast<double>(std::max<std::int64_t>(1, job.execution_ns()));
    time_error_ += std::abs(static_cast<double>(forecast.time_ns) - took_ns) / took_ns;
    if (job.energy_mj > 0) {  // there is no share of nothing
      ++energy_jobs_;
      energy_error_ +=
          std::abs(static_cast<double>(forecast.energy_mj) - job.energy_mj) / job.energy_mj;
    }
    const double off = static_cast<double>(forecast.miss_probability) - (job.missed ? 1 : 0);
    brier_ += off * off;
  }
  /// NaN when nothing was predicted.
  double time_held_pct() const { return pct(time_held_); }
  double energy_held_pct() const { return pct(energy_held_); }
  /// How far off it was, as a share of what it took, mean.
  double time_error_pct() const { return mean(100 * time_error_, jobs_); }
  double energy_error_pct() const { return mean(100 * energy_error_, energy_jobs_); }
  /// Of the probabilities of a miss: the mean square of how far they were off (Brier's score).
  double miss_brier() const { return mean(brier_, jobs_); }

 private:
  static constexpr double kHalf =
      1.645;  // standard deviations either way, of a normal distribution
  struct Open {
    bool is_open = false;
    Forecast forecast;
  };
  double pct(std::uint64_t held) const {
    return jobs_ > 0 ? 100.0 / static_cast<double>(jobs_) * static_cast<double>(held)
                     : std::numeric_limits<double>::quiet_NaN();
  }
  static double mean(double sum, std::uint64_t jobs) {
    return jobs > 0 ? sum / static_cast<double>(jobs) : std::numeric_limits<double>::quiet_NaN();
  }
  std::array<Open, kMaxApps> open_{};
  std::uint64_t jobs_ = 0, energy_jobs_ = 0, time_held_ = 0, energy_held_ = 0;
  double time_error_ = 0, energy_error_ = 0, brier_ = 0;
};

}  // namespace flyball
