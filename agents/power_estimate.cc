#include "agents/power_estimate.h"

#include <algorithm>
#include <cmath>

#include "agents/surprise.h"
#include "env/model/idle_states.h"
#include "kernels/base/hash.h"

namespace flyball {
namespace {

constexpr double kRestSpread = 0.2;   // of what is outside the clusters
constexpr double kFirstNoise = 0.05;  // relative: sensors of boards are within 1 to 10 %
constexpr double kLeastNoise = 0.02, kMostNoise = 0.3, kNoiseWeight = 0.05;
constexpr double kOtherCores = 0.1;  // busy cores of others that disturb
// A reading that stays when another one is expected, so many times, is that of a stuck sensor.
constexpr int kStuckAfter = 4;
constexpr double kOtherPower = 0.05;
constexpr double kColdestC = -40;
constexpr double kTempWeightPerS = 0.1;

}  // namespace

PowerEstimate::PowerEstimate(const Belief& prior, const PlatformSpec& corrected)
    : board_(prior.mean),
      corrected_(corrected),
      clusters_(static_cast<int>(board_.clusters.size())),
      rest_(2 * clusters_),
      noise_(kFirstNoise * kFirstNoise) {
  const double spread = board_.power_spread.value_or(kSpread);
  for (int c = 0; c < clusters_; ++c) {
    factors_.add(1, spread);
    factors_.add(1, spread);
    for (std::size_t k = 0; k < leakage_mw_[c].size(); ++k) {
      leakage_mw_[c][k] = static_cast<float>(
          leakage_mw(board_.clusters[c], 1.0, kColdestC + static_cast<double>(k)));
    }
  }
  factors_.add(1, spread / kSpread * kRestSpread);
  temp_c_.fill(kPlanTempC);
}

double PowerEstimate::warmth(int cluster) const {
  return at(cluster, temp_c_[cluster]) / at(cluster, kPlanTempC);
}

double PowerEstimate::at(int cluster, double temp_c) const {
  const auto& table = leakage_mw_[cluster];
  const auto kelvin = static_cast<std::size_t>(
      std::clamp(temp_c - kColdestC, 0.0, static_cast<double>(table.size() - 1)));
  return std::max(1e-9, static_cast<double>(table[kelvin]));
}

double PowerEstimate::energy_mj(const Parts& parts) const {
  double sum = 0;
  for (int i = 0; i < factors_.size(); ++i) sum += parts[i] * factor(i);
  return sum;
}

bool PowerEstimate::stuck() const { return repeats_ >= kStuckAfter; }

void PowerEstimate::add_epoch(const Observation& outcome,
                              const std::array<const AppProfile*, kMaxApps>& profile) {
  const double ms = static_cast<double>(outcome.epoch_ns) * 1e-6;  // mW * ms = 1e-3 mJ
  double before_mj = 0;
  for (int i = 0; i <= rest_; ++i) before_mj += stretch_.believed_mj[i];
  std::array<double, kMaxClusters> own_cores{}, core_nf{}, static_ma{};
  std::array<bool, kMaxClusters> gated{};
  for (int a = 0; a < outcome.app_count; ++a) {
    const AppObservation& seen = outcome.app[a];
    if (profile[a] == nullptr || !seen.bound()) continue;
    // One that starts as the epoch ends has taken nothing yet.
    const bool runs = seen.running.busy && seen.running.start_ns < outcome.now_ns;
    if (!runs && seen.finished == 0) continue;
    const AppSetting& used = runs ? seen.running.setting : seen.last_setting;
    for (int c = 0; c < clusters_; ++c) {
      const int cores = board_.mappings[used.mapping].cores[c];
      if (cores == 0) continue;
      const UnitProfile& unit = profile[a]->unit[c];
      own_cores[c] += cores;
      core_nf[c] =
          std::max(core_nf[c], unit.core_nf * profile[a]->levels[used.level].activity_factor);
      static_ma[c] += unit.static_ma;
      gated[c] = gated[c] || unit.gate_idle_cores;
    }
  }
  for (int c = 0; c < clusters_; ++c) {
    const ClusterSpec& cluster = board_.clusters[c];
    const ClusterObservation& seen = outcome.cluster[c];
    const double busy = seen.util_mean * cluster.cores;
    stretch_.disturbed = stretch_.disturbed || busy > own_cores[c] + kOtherCores;
    const OperatingPoint& opp = cluster.opps[seen.opp];
    const double volts = opp.voltage_mv / 1000;
    const double powered = cluster.gate_idle_cores || gated[c] ? busy : cluster.cores;
    const double switched_nf = cluster.uncore_nf * std::min(1.0, powered) + core_nf[c] * busy +
                               cluster.idle_core_nf * (powered - busy);
    temp_c_[c] += std::min(1.0, 1e-3 * ms * kTempWeightPerS) * (seen.temp_c - temp_c_[c]);
    const double leaking = 1 - cluster.leak_core_share * (1 - powered / cluster.cores);
    const double on = own_cores[c] > 0 ? 1 : 0;
    const double awake = awake_part(c, busy, static_cast<double>(outcome.epoch_ns));
    // Beside cores that are busy, idle ones sleep as the profile of the job says (profile_table.cc).
    ClusterPower asleep;
    if (busy > 0 && !cluster.idle_states.empty())
      asleep = idle_saving(cluster, seen.opp, static_cast<int>(own_cores[c]),
                           cluster.gate_idle_cores || gated[c], deepest_idle(cluster, false));
    const double running = std::min(1.0, seen.util_max);
    const double delivered_khz = corrected_.clusters[c].opps[seen.opp].delivered_khz();
    stretch_.believed_mj[2 * c] +=
        1e-3 * ms *
        (awake * volts * volts * delivered_khz * 1e-3 * switched_nf -
         running * asleep.fixed_mw * delivered_khz / opp.delivered_khz());
    stretch_.believed_mj[2 * c + 1] +=
        1e-3 * ms *
        (awake * volts * (leaking * at(c, seen.temp_c) + on * static_ma[c]) -
         running * asleep.leak * at(c, seen.temp_c));
  }
  stretch_.believed_mj[rest_] += 1e-3 * ms * board_.board_mw;
  double believed_mj = -before_mj;
  for (int i = 0; i <= rest_; ++i) believed_mj += stretch_.believed_mj[i];
  const double believed_mw = 1e3 * believed_mj / ms;
  watch_repeats(outcome, believed_mw);
  stretch_.end_mw = believed_mw;
  stretch_.disturbed = stretch_.disturbed || stuck() || !outcome.sensors_ok ||
                       !outcome.sensed.fresh(Sensed::kPower);
  stretch_.seen_mj += outcome.energy_mj;
  stretch_.ns += outcome.epoch_ns;
}

/// Of an epoch in which a cluster has been idle, the part of its power that its idle states leave.
double PowerEstimate::awake_part(int c, double busy_cores, double epoch_ns) {
  const ClusterSpec& cluster = board_.clusters[c];
  if (cluster.idle_states.empty()) return 1;
  const double before_ns = idle_ns_[c];
  idle_ns_[c] = busy_cores > 0 ? 0 : before_ns + epoch_ns;
  if (busy_cores > 0) return 1;
  return 1 - (saved_ns(cluster, before_ns + epoch_ns) - saved_ns(cluster, before_ns)) / epoch_ns;
}

void PowerEstimate::watch_repeats(const Observation& outcome, double believed_mw) {
  repeated_ = outcome.power_mw == shown_mw_;
  if (!repeated_) {
    repeats_ = 0;
    before_repeats_.kept = false;
  } else if (std::abs(believed_mw - believed_mw_) > kOtherPower * believed_mw_) {
    ++repeats_;
  }
  if (stuck() && before_repeats_.kept) {
    factors_ = before_repeats_.factors;
    noise_ = before_repeats_.noise;
    surprise_ = before_repeats_.surprise;
    before_repeats_.kept = false;
  }
  shown_mw_ = outcome.power_mw;
  believed_mw_ = believed_mw;
}

bool PowerEstimate::close_stretch(const Observation& outcome) {
  Fnv1a settings;
  for (int a = 0; a < outcome.app_count; ++a) {
    const AppObservation& seen = outcome.app[a];
    settings.add(seen.bound() ? seen.last_setting.mapping << 8 | seen.last_setting.level : -1);
    settings.add(seen.setting.mapping);
  }
  const bool steady = settings.value() == last_;
  last_ = settings.value();
  const Stretch stretch = stretch_;
  stretch_ = {};
  const bool after_disturbance = last_disturbed_;
  const double end_differs_mw = stretch.end_mw - last_end_mw_;
  last_disturbed_ = stretch.disturbed;
  last_end_mw_ = stretch.end_mw;
  disturbed_ = stretch.disturbed || after_disturbance;
  late_mj_ = std::abs(1e-3 * kLateMs * end_differs_mw);
  const bool settled = static_cast<double>(since_change_ns_) >= kLateMs * 1e6;
  if (steady) {
    since_change_ns_ += stretch.ns;
  } else {
    since_change_ns_ = 0;
    for (const JobRecord& job : outcome.jobs()) {
      if (!job.dropped) since_change_ns_ = std::max(since_change_ns_, job.execution_ns());
    }
  }
  if (!learning_ || !steady || !settled || disturbed_) return false;
  double all_mj = 0;
  for (int i = 0; i <= rest_; ++i) all_mj += stretch.believed_mj[i];
  if (!(all_mj > 0) || !(stretch.seen_mj > 0)) return false;
  if (repeated_ && !before_repeats_.kept) {
    before_repeats_ = {factors_, noise_, surprise_, true};
  }
  // Relative to what is expected, so that a long stretch counts as much as a short one.
  const double expected_mj = energy_mj(stretch.believed_mj);
  Parts share{};
  for (int i = 0; i <= rest_; ++i) share[i] = stretch.believed_mj[i] / expected_mj;
  const double innovation = stretch.seen_mj / expected_mj - factors_.value(share);
  // What a late sensor moves from one stretch to the next is no noise that averages out.
  const double late = late_mj_ / all_mj;
  const double noise = noise_ + late * late;
  const double deviation = std::sqrt(factors_.variance(share) + noise);
  surprise_ += kSurpriseWeight * (innovation / deviation - surprise_);
  if (std::abs(surprise_) > kSurprised) {
    // Not noise: the board is another one now.
    for (int i = 0; i < rest_; ++i) factors_.widen(i, kSpread / 2);
    surprise_ = 0;
    ++surprises_;
  }
  factors_.update(share, std::clamp(innovation, -kOutlier * deviation, kOutlier * deviation),
                  noise);
  const double left = stretch.seen_mj / expected_mj - factors_.value(share);
  noise_ += kNoiseWeight * (left * left - noise_) * noise_ / noise;
  noise_ = std::clamp(noise_, kLeastNoise * kLeastNoise, kMostNoise * kMostNoise);
  return true;
}

bool PowerEstimate::observe(const Observation& outcome,
                            const std::array<const AppProfile*, kMaxApps>& profile) {
  if (outcome.epoch_ns <= 0) return false;
  add_epoch(outcome, profile);
  bool finished = false;
  for (int a = 0; a < outcome.app_count; ++a) finished = finished || outcome.app[a].finished > 0;
  return finished && close_stretch(outcome);
}

}  // namespace flyball
