#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/base/random.h"
#include "env/scenario/scenario.h"

namespace flyball {

inline constexpr std::int64_t kNeverNs = std::numeric_limits<std::int64_t>::max();

/// When the jobs of one application are released. Draws from a stream of its own, once per release,
/// so that a seed means the same releases under every policy.
class ArrivalStream {
 public:
  ArrivalStream() = default;
  ArrivalStream(const AppSpec& app, std::uint64_t seed, int index)
      : random_(seed, 0x100 + static_cast<std::uint64_t>(index)),
        slot_ns_(app.start_ns),
        period_ns_(app.arrival.period_ns) {
    if (app.arrival.kind == Arrival::Kind::kListed) {
      take_listed(app);
      return;
    }
    if (period_ns_ <= 0) return;
    if (app.arrival.kind == Arrival::Kind::kPoisson) {
      next_ns_ = slot_ns_ = app.start_ns + poisson_gap_ns();
    } else {
      next_ns_ = std::max(app.start_ns, jittered_ns(app.arrival));
      burst_left_ = app.arrival.burst_jobs - 1;
    }
    end_at_stop(app);
  }

  /// Of the next job; kNeverNs when there are no more.
  std::int64_t next_ns() const { return next_ns_; }
  std::int64_t period_ns() const { return period_ns_; }
  /// Takes effect after the release that is next.
  void set_period(std::int64_t period_ns) { period_ns_ = std::max<std::int64_t>(1, period_ns); }

  /// The next job where the scenario lists it; null: it is drawn.
  const ListedJob* listed(const AppSpec& app) const {
    return app.arrival.kind == Arrival::Kind::kListed ? &app.arrival.listed[listed_] : nullptr;
  }

  /// No more releases.
  void end() { next_ns_ = kNeverNs; }

  /// The next job has been released.
  void step(const AppSpec& app) {
    const std::int64_t last_ns = next_ns_;
    const Arrival& arrival = app.arrival;
    if (arrival.kind == Arrival::Kind::kListed) {
      ++listed_;
      take_listed(app);
      return;
    }
    if (arrival.kind == Arrival::Kind::kPoisson) {
      next_ns_ = last_ns + poisson_gap_ns();
    } else if (arrival.kind == Arrival::Kind::kBursty && burst_left_ > 0) {
      --burst_left_;
      next_ns_ = last_ns + std::max<std::int64_t>(1, arrival.burst_gap_ns);
    } else {
      slot_ns_ += period_ns_;
      burst_left_ = arrival.burst_jobs - 1;
      next_ns_ = std::max(last_ns + 1, jittered_ns(arrival));
    }
    end_at_stop(app);
  }

 private:
  std::int64_t poisson_gap_ns() {
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(random_.exponential() * static_cast<double>(period_ns_)));
  }
  std::int64_t jittered_ns(const Arrival& arrival) {
    if (arrival.jitter == 0) return slot_ns_;
    const double shift = random_.uniform(-arrival.jitter, arrival.jitter);
    return slot_ns_ + static_cast<std::int64_t>(shift * static_cast<double>(period_ns_));
  }
  void take_listed(const AppSpec& app) {
    const auto& jobs = app.arrival.listed;
    next_ns_ = listed_ < jobs.size() ? jobs[listed_].release_ns : kNeverNs;
    end_at_stop(app);
  }
  void end_at_stop(const AppSpec& app) {
    if (next_ns_ >= app.stop_ns) next_ns_ = kNeverNs;
  }

  Random random_{0};
  std::int64_t slot_ns_ = 0;  ///< nominal time of the period that is under way
  std::int64_t period_ns_ = 0;
  std::int64_t next_ns_ = kNeverNs;
  int burst_left_ = 0;
  std::uint32_t listed_ = 0;
};

/// The work of successive jobs, relative to the nominal one: log-normal with mean 1, correlated
/// from job to job (the logarithm is a first-order autoregressive process).
class WorkStream {
 public:
  WorkStream() = default;
  WorkStream(const AppSpec& app, std::uint64_t seed, int index)
      : random_(seed, 0x200 + static_cast<std::uint64_t>(index)),
        // sigma^2 = ln(1 + cv^2) gives the log-normal this coefficient of variation.
        sigma_(std::sqrt(det_log(1 + app.work_cv * app.work_cv))),
        correlation_(app.work_correlation),
        fresh_(std::sqrt(1 - app.work_correlation * app.work_correlation)) {
    if (sigma_ > 0) state_ = random_.normal();
  }
  double next() {
    if (sigma_ == 0) return 1;
    const double work = det_exp(sigma_ * state_ - 0.5 * sigma_ * sigma_);
    state_ = correlation_ * state_ + fresh_ * random_.normal();
    return work;
  }

 private:
  Random random_{0};
  double sigma_ = 0;
  double correlation_ = 0;
  double fresh_ = 1;
  double state_ = 0;
};

}  // namespace flyball
