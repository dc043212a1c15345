#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "env/linux/actuate/clamp_hand.h"
#include "env/linux/linux_platform.h"
#include "env/linux/sense/battery_reading.h"
#include "env/linux/sense/cpu_usage.h"
#include "env/linux/sense/held_file.h"
#include "env/linux/sense/idle_residency.h"
#include "env/linux/sense/power_reading.h"
#include "env/linux/sense/realtime_watch.h"
#include "env/model/capacity.h"
#include "kernels/base/doorbell.h"

namespace flyball {

inline int nearest_opp(const ClusterSpec& spec, std::int64_t khz) {
  int best = 0;
  for (int opp = 1; opp <= spec.max_opp(); ++opp) {
    const auto away = [&](int each) {
      return std::abs(spec.opps[static_cast<std::size_t>(each)].freq_khz - khz);
    };
    if (away(opp) < away(best)) best = opp;
  }
  return best;
}

inline int highest_opp_within(const ClusterSpec& spec, std::int64_t khz) {
  int best = 0;
  for (int opp = 1; opp <= spec.max_opp(); ++opp) {
    if (spec.opps[static_cast<std::size_t>(opp)].freq_khz <= khz) best = opp;
  }
  return best;
}

inline int lowest_opp_from(const ClusterSpec& spec, std::int64_t khz) {
  int opp = 0;
  while (opp < spec.max_opp() && spec.opps[static_cast<std::size_t>(opp)].freq_khz < khz) ++opp;
  return opp;
}

/// What LinuxPlatform is made of. How clusters are held open is in linux_clusters.cc, what is read of them in
/// linux_sensing.cc, what it takes in linux_energy.cc.
struct LinuxPlatform::Parts {
  /// Whether what a sensor said last is of now.
  struct SensorWatch {
    std::int64_t read_ns = -1;  ///< last, on the platform's clock; negative: never
    int failures = 0;           ///< in a row
    void took(std::int64_t now_ns) noexcept {
      read_ns = now_ns;
      failures = 0;
    }
    void failed() noexcept { failures = std::min(failures + 1, kMaxHeldReadings); }
    bool gone() const noexcept { return read_ns < 0 || failures >= kMaxHeldReadings; }
    /// `late_ns`: how old what it said is at least when it was to be read since.
    void mark(std::uint8_t sensor, std::int64_t now_ns, std::int64_t late_ns,
              Sensed& out) const noexcept {
      if (gone())
        out.mark_absent(sensor);
      else if (failures > 0 || now_ns - read_ns >= late_ns)
        out.mark_held(sensor);
    }
  };
  struct Cluster {
    const ClusterSpec* spec;
    CpuSet cpus;
    bool is_device = false;
    bool lost = false;  ///< no clock of it could be read: its driver is gone, or all its CPUs
    std::string element = "cpu";
    std::vector<std::string> policies;
    ActuatorKind actuator = ActuatorKind::kNone;
    std::string why;
    std::vector<HeldFile> clock, limit;  ///< of each policy
    std::int64_t units_per_khz = 1;      ///< that these are in
    std::unique_ptr<ClockHand> hand;
    std::unique_ptr<PerfCounterSource> counters;
    std::int64_t now_khz = 0;  ///< last read
    SensorWatch clock_read;
    int asked_opp = 0;
    int cap_opp = 0;
    int realtime_opp = 0;                ///< owed to real-time threads that ran there of late
    double busy_cores = 0, busiest = 0;  ///< within the epoch
    Counters counted;
  };

  static constexpr std::int64_t kSlowSensorsNs = 1'000'000'000, kPowerNs = 100'000'000;
  static constexpr std::int64_t kBatteryNs = 30'000'000'000;
  /// What is preferred on a battery where nobody says: 0.5 is what is preferred else.
  static constexpr double kPreferenceOnBattery = 0.75;
  /// What a sensor said so long ago is not the power of now any more.
  static constexpr std::int64_t kPowerOfNowNs = 2'000'000'000;

  Parts(const SysTree& tree, const LinuxMachine& machine, const LinuxOptions& options);

  // Clusters, and what turns their clocks.
  /// One hand for all clusters, since a thread may run on several.
  void add_clamps(const LinuxMachine& machine);
  void add_cluster(std::size_t c, const SysTree& tree, const LinuxMachine& machine);
  ActuatorChoice chosen(ActuatorChoice choice) const;
  void set_cap(Cluster& cluster, std::int64_t limit_khz, bool cooling) const;
  void add_device(Cluster& cluster, const DevfreqDevice& device, const SysTree& tree,
                  const LinuxMachine& machine);
  void add_policies(Cluster& cluster, const std::vector<int>& members, const SysTree& tree,
                    const LinuxMachine& machine);
  HandReport hand_report(std::size_t c) const noexcept;
  void hand_over() noexcept;

  // What is seen of them.
  /// Linux then lets nobody read a file of it, and a driver may take seconds.
  static bool is_written(const Cluster& cluster) noexcept;
  void read_clock(Cluster& cluster) noexcept;
  void read_slow_sensors(bool busy) noexcept;
  /// Whether the machine naps, by how busy all CPUs were together over kNapNs.
  void watch_idleness(std::int64_t epoch_ns, double busy_ns) noexcept;
  /// Of a cluster that was idle, nothing is read.
  void sense(Cluster& cluster) noexcept;
  /// What schedutil would give real-time threads: a fourth more than they are reckoned with.
  void watch_realtime() noexcept;
  /// What the user prefers, else the scenario, else whether the machine runs on its battery.
  double preference() const noexcept;
  void show(std::size_t c, ClusterObservation& out) const noexcept;
  void show(Observation& out) const noexcept;

  // Energy.
  double modelled_mw(const Cluster& cluster, double busy_cores) const noexcept;
  double model_mw() const noexcept;
  /// Whether the power of now is measured: else the model tells it.
  bool power_is_of_now() const noexcept {
    return measured_mw >= 0 && !power_read.gone() && now_ns - power_read.read_ns < kPowerOfNowNs;
  }
  /// Between two readings the last power holds; a reading that counted energy puts right what was
  /// charged too much or too little since the one before. Where none is to be had, the model tells.
  void charge(bool busy) noexcept;
  /// What the machine takes by the model with what jobs keep busy now.
  double jobs_model_mw() const noexcept;
  /// A stretch of the epoch, and what is due at its end.
  void serve_jobs() noexcept;
  /// What jobs and nobody have been charged with must be what was taken. What was reckoned too much
  /// is made up for later.
  void settle_energy() noexcept;

  // The run.
  void start();
  /// What the user's limits make of an operating point. Heat's limit holds against a minimum.
  int within_tuning(std::size_t c, int opp) const noexcept;

  bool is_occupied(const Cluster& cluster) const noexcept {
    return (occupied >> index_of(cluster) & 1) != 0;
  }
  int index_of(const Cluster& cluster) const noexcept {
    return static_cast<int>(cluster.spec - made.spec.clusters.data());
  }
  Doorbell& bell() noexcept { return jobs != nullptr ? jobs->bell() : own_bell; }
  int tuned_cap(std::size_t c) const noexcept {
    const ClusterSpec& spec = *cluster_list[c].spec;
    return tuning.max_khz[c] > 0 ? highest_opp_within(spec, tuning.max_khz[c]) : spec.max_opp();
  }
  double capacity_per_khz(std::size_t c) const noexcept {
    return core_capacity(made.spec, static_cast<int>(c), 1);
  }

  LinuxOptions options;
  LinuxTuning tuning;
  SettingCalls& calls;
  MachineSpec made;
  JobSource* jobs;
  CpuUsage usage;
  PowerReading power;
  BatteryReading battery;
  RealtimeWatch realtime;
  IdleResidency idle;
  std::vector<HeldFile> zones;
  std::vector<Cluster> cluster_list;
  std::unique_ptr<ClampHand> clamps;  ///< null: clocks are turned otherwise
  Binding nobody;
  Doorbell own_bell;
  std::atomic<bool> interrupted{false};
  std::int64_t start_ns = 0, now_ns = 0, last_epoch_ns = 0, slow_ns = 0, battery_ns = 0,
               power_ns = 0, power_tried_ns = 0;
  std::uint64_t epochs = 0, naps = 0;
  SensorWatch load_read, temp_read, power_read;
  bool napping = false, left = false;
  unsigned occupied = 0;  ///< devices, as bits of clusters
  double window_busy_ns = 0;
  std::int64_t window_ns = 0;
  double temp_c = 45;       ///< assumed, where no zone tells
  double measured_mw = -1;  ///< not known yet
  double measured_mj = 0, charged_mj = 0, epoch_mj = 0;
  // Of jobs' energy.
  std::int64_t served_ns = 0;
  double reckoned_mj = 0, owed_mj = 0, off_model = 1;
  double by_model_sum_mj = 0;  ///< of this epoch; of late, as measured and by the model:
  double lately_mj = 0, lately_by_model_mj = 0;
};

}  // namespace flyball
