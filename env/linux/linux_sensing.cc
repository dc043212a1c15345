#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <utility>

#include "env/linux/counter_figures.h"
#include "env/linux/linux_parts.h"

namespace flyball {
namespace {

constexpr double kClockSlack = 1.1;  // of a clock counted in ticks of busy time

}  // namespace

bool LinuxPlatform::Parts::is_written(const Cluster& cluster) noexcept {
  return cluster.hand && cluster.hand->report().busy;
}

void LinuxPlatform::Parts::read_clock(Cluster& cluster) noexcept {
  double khz = 0;
  for (HeldFile& file : cluster.clock) {
    if (!file.read_number(khz) || !(khz > 0)) continue;  // offline: the next one may be there
    cluster.now_khz = static_cast<std::int64_t>(khz) / cluster.units_per_khz;
    cluster.clock_read.took(now_ns);
    if (std::exchange(cluster.lost, false) && cluster.hand) cluster.hand->forget();
    return;
  }
  cluster.lost = true;
  cluster.clock_read.failed();
}

void LinuxPlatform::Parts::read_slow_sensors(bool busy) noexcept {
  if (battery.present() && now_ns - battery_ns >= kBatteryNs) {
    battery_ns = now_ns;
    battery.read();
  }
  const bool first = slow_ns == 0;
  if (now_ns - slow_ns < kSlowSensorsNs && !first) return;
  slow_ns = now_ns;
  // A core's own sensor is read by that core. Once it is, to know where the run begins.
  if (!busy && !first) return;
  double hottest_mc = -1e9, mc = 0;
  for (HeldFile& zone : zones) {
    if (zone.read_number(mc)) hottest_mc = std::max(hottest_mc, mc);
  }
  if (hottest_mc > -1e9) {
    temp_c = hottest_mc * 1e-3;
    temp_read.took(now_ns);
  } else {
    temp_read.failed();
  }
  for (Cluster& cluster : cluster_list) {
    // Under bounds the limit is our own.
    if (cluster.actuator == ActuatorKind::kBounds || is_written(cluster)) continue;
    if (cluster.is_device && !is_occupied(cluster)) continue;
    double lowest_khz = 1e18, khz = 0;
    for (HeldFile& file : cluster.limit) {
      if (file.read_number(khz) && khz > 0) lowest_khz = std::min(lowest_khz, khz);
    }
    if (lowest_khz < 1e18)
      cluster.cap_opp = highest_opp_within(
          *cluster.spec, static_cast<std::int64_t>(lowest_khz) / cluster.units_per_khz);
  }
}

void LinuxPlatform::Parts::watch_idleness(std::int64_t epoch_ns, double busy_ns) noexcept {
  window_busy_ns += busy_ns;
  window_ns += epoch_ns;
  // What runs on a device shows nowhere among the CPUs.
  if (occupied != 0 || (jobs != nullptr && jobs->expects_jobs())) {
    napping = false;
    window_busy_ns = 0;
    window_ns = 0;
    return;
  }
  const bool wakes = napping && busy_ns > static_cast<double>(kIdleNs);
  if (window_ns < kNapNs && !wakes) return;
  const bool idle = window_busy_ns <= static_cast<double>(kIdleNs);
  window_busy_ns = 0;
  window_ns = 0;
  if (idle == napping) return;
  napping = idle;
  if (!napping) return;
  ++naps;
  hand_over();
}

void LinuxPlatform::Parts::sense(Cluster& cluster) noexcept {
  cluster.busy_cores = cluster.busiest = 0;
  cluster.counted = {};
  for (int word = 0; word < CpuSet::kWords; ++word) {
    for (std::uint64_t left = cluster.cpus.word(word); left != 0; left &= left - 1) {
      const double share = usage.busy_share(word * 64 + std::countr_zero(left));
      cluster.busy_cores += share;
      cluster.busiest = std::max(cluster.busiest, share);
    }
  }
  // A job that is shorter than a tick of /proc/stat keeps it busy all the same.
  const bool served = is_occupied(cluster) || (jobs != nullptr && jobs->ran_on(index_of(cluster)));
  if (cluster.busy_cores <= 0 && !served) return;
  if (!is_written(cluster)) read_clock(cluster);
  if (!cluster.counters) return;
  CounterSample sample;
  cluster.counters->skip_cpus(usage.idle());
  cluster.counters->read(sample);
  take_counts(sample, cluster.counted);
  // Labels lie: where cycles are counted, over a core's worth of busy time or more, they tell. Unless
  // they say what no clock can be: a virtual machine may count an idle CPU's time for cycles.
  if (cluster.counted.has(Counters::kCycles) && cluster.busy_cores >= 1) {
    const double busy_ns = cluster.busy_cores * static_cast<double>(last_epoch_ns);
    const double khz = cluster.counted.cycles / busy_ns * 1e6;
    if (khz <= kClockSlack * static_cast<double>(cluster.spec->opps.back().freq_khz)) {
      cluster.now_khz = static_cast<std::int64_t>(khz);
      cluster.clock_read.took(now_ns);
    }
  }
}

void LinuxPlatform::Parts::watch_realtime() noexcept {
  realtime.look(now_ns);
  for (std::size_t c = 0; c < cluster_list.size(); ++c) {
    Cluster& cluster = cluster_list[c];
    const int owed = realtime.owed_on(cluster.cpus);
    cluster.realtime_opp =
        owed == 0 ? 0
                  : lowest_opp_from(*cluster.spec, std::llround(1.25 * owed / capacity_per_khz(c)));
  }
}

double LinuxPlatform::Parts::preference() const noexcept {
  if (tuning.preference) return *tuning.preference;
  if (jobs != nullptr) return jobs->energy_preference();
  return battery.discharges() ? kPreferenceOnBattery : 0.5;
}

void LinuxPlatform::Parts::show(std::size_t c, ClusterObservation& out) const noexcept {
  const Cluster& cluster = cluster_list[c];
  const HandReport hand = hand_report(c);
  out = {};
  out.util_max = cluster.busiest;
  out.util_mean = cluster.busy_cores / std::max(1, cluster.cpus.count());
  out.counters = cluster.counted;
  out.freq_khz = cluster.now_khz;
  out.error = static_cast<std::int16_t>(hand.busy_ns > kSlowSensorsNs ? ETIMEDOUT : hand.error);
  out.opp = static_cast<std::uint8_t>(nearest_opp(*cluster.spec, out.freq_khz));
  out.asked_opp = static_cast<std::uint8_t>(cluster.asked_opp);
  out.asked_khz = cluster.spec->opps[static_cast<std::size_t>(cluster.asked_opp)].freq_khz;
  out.opp_cap = static_cast<std::uint8_t>(std::min(cluster.cap_opp, tuned_cap(c)));
  out.capacity = capacity_per_khz(c) * static_cast<double>(out.freq_khz);
  out.temp_c = temp_c;
  out.power_mw = modelled_mw(cluster, cluster.busy_cores);
  // Of the epoch is what was read at its end.
  cluster.clock_read.mark(Sensed::kClock, now_ns, 1, out.sensed);
  load_read.mark(Sensed::kLoad, now_ns, 1, out.sensed);
  temp_read.mark(Sensed::kTemp, now_ns, kSlowSensorsNs, out.sensed);
}

void LinuxPlatform::Parts::show(Observation& out) const noexcept {
  out.sequence = epochs;
  out.now_ns = now_ns - start_ns;
  out.epoch_ns = last_epoch_ns;
  out.cluster_count = static_cast<int>(cluster_list.size());
  out.app_count = 0;
  out.energy_preference = preference();
  if (battery.present()) {
    out.battery_pct = battery.charge_pct();
    const std::int64_t left_ns = options.battery_until_ns - out.now_ns;
    // An empty one sustains nothing, which is not the same as no matter.
    if (left_ns > 0 && std::isfinite(battery.left_mj()))
      out.sustainable_mw = std::max(1e-3, battery.left_mj() * 1e9 / static_cast<double>(left_ns));
    else
      out.sustainable_mw = 0;
  }
  out.roster_version = 0;
  out.sensors_ok = load_read.failures == 0;
  out.sensed = {};
  if (power.measures() && !power_is_of_now())
    out.sensed.mark_absent(Sensed::kPower);
  else if (power.measures())
    power_read.mark(Sensed::kPower, now_ns, kPowerNs, out.sensed);
  for (std::size_t c = 0; c < cluster_list.size(); ++c) show(c, out.cluster[c]);
  out.power_mw = power_is_of_now() ? measured_mw : model_mw();
  out.energy_mj = epoch_mj;
  out.count_held();
}

}  // namespace flyball
