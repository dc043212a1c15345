#include "env/linux/shadow_platform.h"

#include <algorithm>
#include <cmath>

#include "env/model/model.h"

namespace flyball {
namespace {

constexpr double kSaturated = 0.95;
// A program waits for its own late work, or gives it up.
constexpr double kLongestBacklogNs = 1e9;

}  // namespace

Status ShadowPlatform::apply(const Action& action) noexcept {
  action_ = action;
  return real_.apply(action);
}

Status ShadowPlatform::advance(const EpochRequest& request, Observation& out) noexcept {
  const bool naps = real_.napping();
  const Status status = real_.advance(request, out);
  if (real_.power_measured()) {
    measured_mj_ += out.energy_mj;
    measured_ns_ += static_cast<double>(out.epoch_ns);
  }
  out.power_mw = out.energy_mj = 0;
  for (int c = 0; c < out.cluster_count; ++c) {
    const auto at = static_cast<std::size_t>(c);
    ClusterObservation& seen = out.cluster[at];
    if (naps) {  // then Linux governs anyway
      action_.opp[at] = seen.opp;
      ledger_.forget_backlog(c);
    }
    ledger_.imagine(c, action_.opp[at], static_cast<double>(out.epoch_ns), seen);
    out.power_mw += seen.power_mw;
  }
  out.energy_mj = out.power_mw * static_cast<double>(out.epoch_ns) * 1e-9;
  return status;
}

double ShadowLedger::power_mw(int cluster, int opp, double busy_cores,
                              double temp_c) const noexcept {
  const PlatformSpec& spec = platform_;
  const auto c = static_cast<std::size_t>(cluster);
  return cluster_power_mw(spec.clusters[c], {.opp = opp,
                                             .busy_cores = busy_cores,
                                             .busy_nf = busy_cores * spec.apps[0].unit[c].core_nf,
                                             .gate_idle_cores = true,
                                             .temp_c = temp_c});
}

void ShadowLedger::imagine(int cluster, int opp, double ns, ClusterObservation& seen) noexcept {
  const auto c = static_cast<std::size_t>(cluster);
  const ClusterSpec& spec = platform_.clusters[c];
  const auto theirs = static_cast<double>(seen.freq_khz);
  opp = std::min(opp, spec.max_opp());
  const auto ours = static_cast<double>(spec.opps[static_cast<std::size_t>(opp)].freq_khz);
  if (!(theirs > 0) || !(ns > 0)) return;
  const double share = seen.counters.stall_share();
  const double stalled = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0;
  const double slower = (1 - stalled) * theirs / ours + stalled;

  constexpr double kCyclesPerKhzNs = 1e-6;
  const double fresh_ns = seen.util_max * ns * slower;
  const double wanted_ns = fresh_ns + backlog_[c] / (ours * kCyclesPerKhzNs);
  const double busy_ns = std::min(ns, wanted_ns);
  const double before = backlog_[c];
  backlog_[c] = std::min(wanted_ns - busy_ns, kLongestBacklogNs) * ours * kCyclesPerKhzNs;

  Tally& tally = tally_[c];
  const double fresh = fresh_ns * ours * kCyclesPerKhzNs;
  tally.ns += ns;
  tally.busy_ns += seen.util_max * ns;
  tally.work += fresh;
  // First come, first served. An epoch late is not late: busy time is seen in ticks of 10 ms.
  const double epoch = ns * ours * kCyclesPerKhzNs;
  const double left_of_before = std::max(0.0, before - busy_ns * ours * kCyclesPerKhzNs);
  tally.late_work += std::min(backlog_[c] - left_of_before, std::max(0.0, backlog_[c] - epoch));
  if (seen.util_max >= kSaturated && ours > theirs) tally.linux_slow_ns += ns;
  tally.linux_clock += seen.util_max * ns * theirs;
  tally.ours_busy_ns += busy_ns;
  tally.ours_clock += busy_ns * ours;
  const double more = seen.util_max > 0 ? busy_ns / ns / seen.util_max : 0;
  const double mean = std::min(1.0, seen.util_mean * (seen.util_max > 0 ? more : 1));
  const double theirs_mw = power_mw(cluster, seen.opp, seen.util_mean * spec.cores, seen.temp_c);
  seen.power_mw = power_mw(cluster, opp, mean * spec.cores, seen.temp_c);
  tally.linux_mj += theirs_mw * ns * 1e-9;
  tally.ours_mj += seen.power_mw * ns * 1e-9;

  const double cycles = seen.counters.cycles * more * ours / theirs;
  seen.counters.stalled_cycles = stalled / slower * cycles;
  seen.counters.instructions *= wanted_ns > 0 ? busy_ns / wanted_ns : 1;
  seen.counters.cycles = cycles;
  seen.util_max = busy_ns / ns;
  seen.util_mean = mean;
  seen.freq_khz = seen.asked_khz = spec.opps[static_cast<std::size_t>(opp)].freq_khz;
  seen.opp = seen.asked_opp = static_cast<std::uint8_t>(opp);
}

}  // namespace flyball
