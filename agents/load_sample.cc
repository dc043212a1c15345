#include "agents/load_sample.h"

#include <algorithm>

namespace flyball {

int load_pct(double busy_share) {
  // The tolerance keeps 0.29, which is a little less in binary, at 29.
  return std::clamp(static_cast<int>(100 * busy_share + 1e-6), 0, 100);
}

std::optional<LoadSample::Result> LoadSample::take() {
  if (elapsed_ns_ <= 0 || (elapsed_ns_ < kRateNs && !soon_)) return std::nullopt;
  const double elapsed_ns = static_cast<double>(elapsed_ns_), idle_ns = elapsed_ns - busy_ns_;
  const bool slept = idle_ns > 2.0 * kRateNs;
  Result sample;
  if (slept) sample.missed = static_cast<int>(std::min(idle_ns / kRateNs, 1e6));
  if (slept && previous_pct_ > 0) {
    sample.load_pct = previous_pct_;
    previous_pct_ = 0;
  } else {
    sample.load_pct = previous_pct_ = load_pct(busy_ns_ / elapsed_ns);
  }
  elapsed_ns_ = 0;
  busy_ns_ = 0;
  soon_ = false;
  return sample;
}

}  // namespace flyball
