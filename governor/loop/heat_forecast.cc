#include "governor/loop/heat_forecast.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/det_math.h"
#include "kernels/base/normal_tail.h"

namespace flyball {

void HeatForecast::note(const Observation& outcome) noexcept {
  if (platform_.trips.empty() || !std::isfinite(outcome.energy_mj)) return;
  pending_mj_ += outcome.energy_mj;
  pending_s_ += static_cast<double>(outcome.epoch_ns) * 1e-9;
  if (pending_s_ < kStepS) return;
  const double mean_w = pending_mj_ * 1e-3 / pending_s_;
  if (!known_) {
    // Settled at what is seen first, for nothing else is known.
    thermal_reset(platform_, 0, mean_w, state_);
    lately_w_ = mean_w;
    known_ = true;
  } else {
    thermal_advance(platform_, mean_w, pending_s_, state_);
    lately_w_ += (mean_w - lately_w_) * det_lag(pending_s_ / kLatelyS);
  }
  pending_mj_ = pending_s_ = 0;
}

double HeatForecast::exceeded(const Observation& now, double more_mw, double sd_mw,
                              double seconds) const noexcept {
  if (!known_ || !(more_mw > 0)) return 0;
  double most = 0;
  for (const TripPoint& trip : platform_.trips) {
    const auto n = static_cast<std::size_t>(trip.node);
    const ThermalNode& node = platform_.thermal[n];
    if (node.cluster >= now.cluster_count) continue;
    const double temp_c = now.cluster[static_cast<std::size_t>(node.cluster)].temp_c;
    double rise_k = 0, k_per_w = 0;
    for (std::size_t t = 0; t < node.terms.size(); ++t) {
      const ThermalTerm& term = node.terms[t];
      const double share = term.r_k_per_w * det_lag(seconds / term.tau_s);
      rise_k += share * (lately_w_ + more_mw * 1e-3 - state_.filtered_w[n][t]);
      k_per_w += share;
    }
    const double sd_k = std::hypot(kSensorK, k_per_w * sd_mw * 1e-3);
    const double z = (trip.temp_c - temp_c - rise_k) / sd_k;
    most = std::max(most, normal_tail(z));
  }
  return most;
}

}  // namespace flyball
