#include "env/sim/faulty_sensors.h"

#include <algorithm>

#include "env/model/idle_states.h"
#include "env/model/model.h"

namespace flyball {
namespace {

constexpr double kUnreadTempC = 45;  // as LinuxPlatform assumes it
constexpr std::uint64_t kNoiseStream = 0x736e6f69, kTempNoiseStream = 0x74656d70;

}  // namespace

FaultySensors::FaultySensors(Platform& platform, const PlatformSpec& board,
                             const SensorFaults& faults, std::uint64_t seed)
    : platform_(platform),
      board_(board),
      faults_(faults),
      random_(seed, kNoiseStream),
      temp_random_(seed, kTempNoiseStream) {
  if (faults.any()) truth_ = std::make_unique<Observation>();
}

FaultySensors::FaultySensors(Platform& platform, const Belief& belief, const SensorFaults& faults,
                             std::uint64_t seed)
    : FaultySensors(platform, belief.mean, faults, seed) {}

FaultySensors::FaultySensors(std::unique_ptr<Platform> platform, const PlatformSpec& board,
                             const SensorFaults& faults, std::uint64_t seed)
    : FaultySensors(*platform, board, faults, seed) {
  own_ = std::move(platform);
}

double FaultySensors::energy_at(std::int64_t ns) const {
  for (int back = 0; back + 1 < marks_; ++back) {
    const Mark& later = history_[(head_ - back + kHistory) % kHistory];
    const Mark& earlier = history_[(head_ - back - 1 + kHistory) % kHistory];
    if (ns >= later.ns) return later.mj;
    if (ns < earlier.ns) continue;
    return earlier.mj + (later.mj - earlier.mj) * static_cast<double>(ns - earlier.ns) /
                            static_cast<double>(later.ns - earlier.ns);
  }
  return history_[(head_ - marks_ + 1 + kHistory) % kHistory].mj;
}

/// Of a board without a sensor: what is believed, at the clocks and the load that are seen.
double FaultySensors::modelled_mj(const Observation& truth) const {
  const PlatformSpec& board = board_;
  double power_mw = board.board_mw;
  for (int c = 0; c < truth.cluster_count; ++c) {
    const ClusterSpec& cluster = board.clusters[c];
    ClusterLoad load;
    load.opp = truth.cluster[c].opp;
    load.busy_cores = truth.cluster[c].util_mean * cluster.cores;
    load.gate_idle_cores = cluster.gate_idle_cores;
    load.temp_c = truth.cluster[c].temp_c;
    // Whatever is busy counts as the application that has jobs, at the level that it used last.
    for (int a = 0; a < truth.app_count; ++a) {
      const int known = truth.app[a].bound() ? board.find_app(platform_.binding(a).profile) : -1;
      if (known < 0) continue;
      const AppProfile& app = board.apps[static_cast<std::size_t>(known)];
      const AppSetting& used =
          truth.app[a].running.busy ? truth.app[a].running.setting : truth.app[a].last_setting;
      load.busy_nf = load.busy_cores * app.unit[c].core_nf * app.levels[used.level].activity_factor;
      load.static_ma = truth.cluster[c].util_max * app.unit[c].static_ma;
      break;
    }
    double cluster_mw = cluster_power_mw(cluster, load);
    if (!cluster.idle_states.empty() && truth.cluster[c].util_max <= 0 && truth.epoch_ns > 0) {
      const auto epoch_ns = static_cast<double>(truth.epoch_ns);
      cluster_mw *= 1 - saved_ns(cluster, epoch_ns) / epoch_ns;
    }
    power_mw += cluster_mw;
  }
  return power_mw * static_cast<double>(truth.epoch_ns) * 1e-9;
}

double FaultySensors::shown_mj(const Observation& truth) {
  if (!faults_.present) return modelled_mj(truth);
  double shown = truth.energy_mj;
  if (faults_.delay_ns > 0) {
    const double total_mj = history_[head_].mj + truth.energy_mj;
    head_ = (head_ + 1) % kHistory;
    history_[head_] = {truth.now_ns, total_mj};
    marks_ = std::min(marks_ + 1, kHistory);
    const std::int64_t begin_ns = truth.now_ns - truth.epoch_ns;
    if (begin_ns > faults_.delay_ns) {
      shown = energy_at(truth.now_ns - faults_.delay_ns) - energy_at(begin_ns - faults_.delay_ns);
    }
  }
  if (faults_.noise > 0) shown *= std::max(0.0, 1 + faults_.noise * random_.normal());
  if (faults_.power_lost(truth.now_ns)) {
    lost_ = std::min(lost_ + 1, kMaxHeldReadings + 1);
    if (last_mw_ < 0 || lost_ > kMaxHeldReadings) return modelled_mj(truth);
    return last_mw_ * static_cast<double>(truth.epoch_ns) * 1e-9;
  }
  lost_ = 0;
  if (faults_.stuck_from_ns >= 0 && truth.now_ns >= faults_.stuck_from_ns) {
    const double epoch_s = static_cast<double>(truth.epoch_ns) * 1e-9;
    if (stuck_mw_ < 0) stuck_mw_ = shown / epoch_s;
    shown = stuck_mw_ * epoch_s;
  }
  last_mw_ = shown / (static_cast<double>(truth.epoch_ns) * 1e-9);
  return shown;
}

Status FaultySensors::advance(const EpochRequest& request, Observation& out) noexcept {
  const Status status = platform_.advance(request, out);
  if (truth_) *truth_ = out;
  if (truth_ && out.epoch_ns > 0) show_power(out);
  if (out.epoch_ns > 0 && faults_.of_temperature()) show_temperatures(out);
  if (truth_) out.count_held();
  return status;
}

void FaultySensors::show_temperatures(Observation& out) {
  temp_head_ = (temp_head_ + 1) % kHistory;
  temp_marks_ = std::min(temp_marks_ + 1, kHistory);
  Temperatures& now = temps_[temp_head_];
  now.ns = out.now_ns;
  for (int c = 0; c < out.cluster_count; ++c) now.c[c] = out.cluster[c].temp_c;
  // The newest that is old enough; until there is one, the first.
  int back = 0;
  const auto mark = [&](int i) { return (temp_head_ - i + kHistory) % kHistory; };
  while (back + 1 < temp_marks_ && temps_[mark(back)].ns > out.now_ns - faults_.temp_delay_ns)
    ++back;
  const bool stuck = faults_.temp_stuck_from_ns >= 0 && out.now_ns >= faults_.temp_stuck_from_ns;
  for (int c = 0; c < out.cluster_count; ++c) {
    double shown_c = temps_[mark(back)].c[c];
    if (faults_.temp_noise_c > 0) shown_c += faults_.temp_noise_c * temp_random_.normal();
    if (stuck && !temp_stuck_) stuck_c_[c] = shown_c;
    out.cluster[c].temp_c = stuck ? stuck_c_[c] : shown_c;
  }
  temp_stuck_ = stuck;
  const bool lost = faults_.temp_lost(out.now_ns);
  temp_lost_ = lost ? std::min(temp_lost_ + 1, kMaxHeldReadings + 1) : 0;
  for (int c = 0; c < out.cluster_count; ++c) {
    ClusterObservation& cluster = out.cluster[c];
    if (!lost) {
      last_c_[c] = cluster.temp_c;
      continue;
    }
    cluster.temp_c = temp_shown_ ? last_c_[c] : kUnreadTempC;
    if (temp_shown_ && temp_lost_ <= kMaxHeldReadings)
      cluster.sensed.mark_held(Sensed::kTemp);
    else
      cluster.sensed.mark_absent(Sensed::kTemp);
  }
  temp_shown_ = temp_shown_ || !lost;
}

void FaultySensors::show_power(Observation& out) {
  const bool held = last_mw_ >= 0;
  const double shown = shown_mj(out);
  const bool stuck = stuck_mw_ >= 0 && lost_ == 0;
  const auto mark = [&](Sensed& sensed) {
    if (lost_ == 0) return;
    held&& lost_ <= kMaxHeldReadings ? sensed.mark_held(Sensed::kPower)
                                     : sensed.mark_absent(Sensed::kPower);
  };
  mark(out.sensed);
  for (int c = 0; c < out.cluster_count; ++c) mark(out.cluster[c].sensed);
  if (!(out.energy_mj > 0)) {
    // A board that takes nothing now is late in showing what it took before; whose that was it forgets.
    out.energy_mj = shown;
    out.power_mw = shown / (static_cast<double>(out.epoch_ns) * 1e-9);
    return;
  }
  const double ratio = shown / out.energy_mj;
  out.energy_mj *= ratio;
  out.power_mw = stuck ? stuck_mw_ : out.power_mw * ratio;
  for (int c = 0; c < out.cluster_count; ++c) out.cluster[c].power_mw *= ratio;
  for (int a = 0; a < out.app_count; ++a) {
    AppObservation& app = out.app[a];
    Share& share = job_[a];
    share.true_mj += app.energy_mj;
    app.energy_mj *= ratio;
    share.shown_mj += app.energy_mj;
    for (JobRecord* job = out.job_store.data(); job != out.job_store.data() + out.job_count;
         ++job) {
      if (job->app != a || job->dropped || !(share.true_mj > 0)) continue;
      job->energy_mj *= share.shown_mj / share.true_mj;
    }
    if (app.finished > 0) share = {};
  }
}

}  // namespace flyball
