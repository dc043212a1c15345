#pragma once

#include <algorithm>
#include <cmath>

namespace flyball {

/// How far jobs come out from what was forecast of them, each as a share of the forecast. What the next
/// may be off is Student's t: few jobs tell little of how far jobs are off, and the interval is the wider
/// for it. The last twenty or so count.
class ForecastErrors {
 public:
  /// What is said before any job is worth two of them.
  static constexpr double kPriorJobs = 2;

  explicit ForecastErrors(double prior_deviation = 0) : mean_(prior_deviation / kDeviations) {}
  /// One that was preempted says little of the next: no error is more than the forecast itself.
  void add(double share) {
    jobs_ = std::min(jobs_ + 1, kMostJobs);
    mean_ += (std::min(1.0, std::abs(share)) - mean_) / (jobs_ + kPriorJobs);
  }
  /// Of the next, where 1.645 of it either way are to be a 90 % interval.
  double deviation() const { return kDeviations * mean_ * widened(jobs_ + kPriorJobs); }
  double mean() const { return mean_; }
  void set_prior(double mean) {
    if (jobs_ == 0) mean_ = mean;
  }

 private:
  static constexpr double kDeviations = 1.25;  // a normal one's, of its mean absolute deviation
  static constexpr double kMostJobs = 18;
  /// Student's 95th percentile over the normal's, by the first terms of its series.
  static double widened(double freedom) {
    constexpr double z = 1.6449, z2 = z * z;
    return 1 + (z2 + 1) / (4 * freedom) + ((5 * z2 + 16) * z2 + 3) / (96 * freedom * freedom);
  }
  double mean_;  ///< absolute
  double jobs_ = 0;
};

/// The energy that jobs take over what is modelled of them, and how far off time and energy are. An
/// application begins with what is known of its profile.
struct ForecastRecord {
  double energy_ratio = 1;
  int jobs = 0;
  ForecastErrors time, energy;

  void add(double time_error, double ratio, double energy_error) {
    constexpr double kWeight = 0.25;
    time.add(time_error);
    energy.add(energy_error);
    ++jobs;
    energy_ratio += std::max(kWeight, 1.0 / jobs) * (ratio - energy_ratio);
  }
  /// Nothing of its own yet: as others of its profile.
  void begin_as(const ForecastRecord& profile) {
    if (jobs > 0) return;
    energy_ratio = profile.energy_ratio;
    time.set_prior(profile.time.mean());
    energy.set_prior(profile.energy.mean());
  }
};

}  // namespace flyball
