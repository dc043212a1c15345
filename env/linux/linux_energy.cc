#include <algorithm>
#include <array>
#include <cmath>

#include "env/linux/linux_parts.h"
#include "env/model/model.h"

namespace flyball {

double LinuxPlatform::Parts::modelled_mw(const Cluster& cluster, double busy_cores) const noexcept {
  const auto c = static_cast<std::size_t>(index_of(cluster));
  ClusterLoad load{.opp = nearest_opp(*cluster.spec, cluster.now_khz),
                   .busy_cores = busy_cores,
                   .busy_nf = busy_cores * made.spec.apps[0].unit[c].core_nf,
                   .gate_idle_cores = true,
                   .temp_c = temp_c};
  return cluster_power_mw(*cluster.spec, load);
}

double LinuxPlatform::Parts::model_mw() const noexcept {
  double mw = made.spec.board_mw;
  for (const Cluster& cluster : cluster_list) mw += modelled_mw(cluster, cluster.busy_cores);
  return mw;
}

void LinuxPlatform::Parts::charge(bool busy) noexcept {
  // A gauge is read by whoever asks. What a package has taken is read by one of its cores, and none is
  // woken for that.
  const bool wakes_nobody = busy || !power.counts_energy();
  if (wakes_nobody && now_ns - power_tried_ns >= (busy ? kPowerNs : kSlowSensorsNs)) {
    // The mean over a time in which nobody looked is not the power of now.
    if (now_ns - power_tried_ns >= kPowerOfNowNs) power.begin_anew();
    power_tried_ns = now_ns;
    if (power.read(now_ns, measured_mw)) {
      measured_mj += measured_mw * static_cast<double>(now_ns - power_ns) * 1e-9;
      power_ns = now_ns;
      power_read.took(now_ns);
    } else if (power_read.failed(); power_read.gone()) {
      measured_mw = -1;
    }
  }
  if (!power_is_of_now()) {
    epoch_mj = model_mw() * static_cast<double>(last_epoch_ns) * 1e-9;
    measured_mj = charged_mj = 0;
    power_ns = now_ns;
    return;
  }
  const double by_now_mj =
      measured_mj + measured_mw * static_cast<double>(now_ns - power_ns) * 1e-9;
  epoch_mj = std::max(0.0, by_now_mj - charged_mj);
  charged_mj += epoch_mj;
}

double LinuxPlatform::Parts::jobs_model_mw() const noexcept {
  double mw = made.spec.board_mw;
  for (const Cluster& cluster : cluster_list)
    mw += modelled_mw(cluster, jobs->busy_cores(index_of(cluster)));
  return mw;
}

void LinuxPlatform::Parts::serve_jobs() noexcept {
  const double stretch_ns = static_cast<double>(now_ns - served_ns);
  const double by_model_mj = jobs_model_mw() * stretch_ns * 1e-9;
  double mj = by_model_mj * off_model;
  // What was off while nothing ran may be far off now.
  if (power_is_of_now()) mj = std::min(mj, 2 * measured_mw * stretch_ns * 1e-9);
  served_ns = now_ns;
  by_model_sum_mj += by_model_mj;
  reckoned_mj += mj;
  std::array<std::int64_t, kMaxClusters> khz{};
  for (std::size_t c = 0; c < cluster_list.size(); ++c) khz[c] = cluster_list[c].now_khz;
  jobs->run_until(now_ns - start_ns, mj, khz);
}

void LinuxPlatform::Parts::settle_energy() noexcept {
  if (by_model_sum_mj > 0) {
    constexpr double kAveragingNs = 2e9;
    const double kept = std::exp(-static_cast<double>(last_epoch_ns) / kAveragingNs);
    lately_mj = kept * lately_mj + epoch_mj;
    lately_by_model_mj = kept * lately_by_model_mj + by_model_sum_mj;
    off_model = std::clamp(lately_mj / lately_by_model_mj, 0.01, 100.0);
    by_model_sum_mj = 0;
  }
  owed_mj += epoch_mj - reckoned_mj;
  const double rest_mj = std::max(0.0, owed_mj);
  owed_mj -= rest_mj;
  epoch_mj = reckoned_mj + rest_mj;
  reckoned_mj = 0;
  jobs->run_until(now_ns - start_ns, rest_mj, {});
}

}  // namespace flyball
