#include "env/linux/linux_platform.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cmath>
#include <utility>

#include "env/ledger/arrivals.h"
#include "env/ledger/settings.h"
#include "env/linux/actuate/clamp_hand.h"
#include "env/linux/counter_figures.h"
#include "env/linux/sense/cpu_usage.h"
#include "env/linux/sense/power_reading.h"
#include "env/linux/sense/realtime_watch.h"
#include "env/model/model.h"
#include "kernels/base/clock.h"
#include "kernels/base/doorbell.h"

namespace flyball {
namespace {

constexpr std::int64_t kSlowSensorsNs = 1'000'000'000;
constexpr std::int64_t kPowerNs = 100'000'000;
constexpr double kAssumedTempC = 45;  // where no zone tells
constexpr double kClockSlack = 1.1;   // of a clock counted in ticks of busy time

int nearest_opp(const ClusterSpec& spec, std::int64_t khz) {
  int best = 0;
  for (int opp = 1; opp <= spec.max_opp(); ++opp) {
    const auto away = [&](int each) {
      return std::abs(spec.opps[static_cast<std::size_t>(each)].freq_khz - khz);
    };
    if (away(opp) < away(best)) best = opp;
  }
  return best;
}

int highest_opp_within(const ClusterSpec& spec, std::int64_t khz) {
  int best = 0;
  for (int opp = 1; opp <= spec.max_opp(); ++opp) {
    if (spec.opps[static_cast<std::size_t>(opp)].freq_khz <= khz) best = opp;
  }
  return best;
}

int lowest_opp_from(const ClusterSpec& spec, std::int64_t khz) {
  int opp = 0;
  while (opp < spec.max_opp() && spec.opps[static_cast<std::size_t>(opp)].freq_khz < khz) ++opp;
  return opp;
}

/// Linux names the devices of cpufreq after it, firmware's after the processor.
bool cools_cpus(const CoolingDevice& device) {
  return device.type.find("cpu") != std::string::npos ||
         device.type.find("Processor") != std::string::npos;
}

bool cools_devices(const CoolingDevice& device) {
  return device.type.find("devfreq") != std::string::npos ||
         device.type.find("gpu") != std::string::npos;
}

using Cools = bool (*)(const CoolingDevice&);

bool is_cooling(const LinuxMachine& machine, Cools cools) {
  return std::any_of(
      machine.cooling.begin(), machine.cooling.end(),
      [&](const CoolingDevice& device) { return device.state > 0 && cools(device); });
}

std::vector<std::string> cooling_states(const SysTree& tree, const LinuxMachine& machine,
                                        Cools cools) {
  std::vector<std::string> files;
  for (const CoolingDevice& device : machine.cooling) {
    if (cools(device))
      files.push_back(tree.path("/sys/class/thermal/" + device.name + "/cur_state"));
  }
  return files;
}

/// What a source of counters said, as an observation has it; nothing that was counted before.
Counters counters_of(const CounterSample& sample) {
  Counters out;
  const auto take = [&](CounterField field, std::uint8_t bit, double& value) {
    if (!sample.is_valid(field)) return;
    if (sample.is_held(field)) {
      out.held |= bit;
      return;
    }
    value = sample.at(field);
    out.valid |= bit;
  };
  take(CounterField::kInstructions, Counters::kInstructions, out.instructions);
  take(CounterField::kCycles, Counters::kCycles, out.cycles);
  take(CounterField::kCacheReferences, Counters::kReferences, out.cache_references);
  take(CounterField::kCacheMisses, Counters::kMisses, out.cache_misses);
  take(CounterField::kStalledCycles, Counters::kStalls, out.stalled_cycles);
  take(CounterField::kContextSwitches, Counters::kSwitches, out.context_switches);
  return out;
}

}  // namespace

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

  Parts(const SysTree& tree, const LinuxMachine& machine, const LinuxOptions& options)
      : options(options),
        calls(options.calls != nullptr ? *options.calls : linux_setting_calls()),
        made(options.made != nullptr ? *options.made : make_machine_spec(machine)),
        jobs(options.jobs),
        usage(tree, machine.online | machine.possible, calls),
        power(tree, machine, calls),
        realtime(tree) {
    for (const ThermalZone& zone : machine.zones) {
      if (zone.of_cpu) zones.emplace_back(calls, tree.path(zone.folder + "/temp"));
    }
    for (std::size_t c = 0; c < made.members.size(); ++c) add_cluster(c, tree, machine);
    add_clamps(machine);
  }

  /// One hand for all clusters, since a thread may run on several.
  void add_clamps(const LinuxMachine& machine) {
    const auto clamped = [](const Cluster& cluster) {
      return cluster.actuator == ActuatorKind::kUclamp;
    };
    if (std::none_of(cluster_list.begin(), cluster_list.end(), clamped)) return;
    clamps = std::make_unique<ClampHand>(
        options.clamps != nullptr ? *options.clamps : linux_clamp_calls(), options.hook,
        adds_headroom_to_clamps(machine.kernel.c_str()));
    for (std::size_t c = 0; c < cluster_list.size(); ++c) {
      const std::int64_t top_khz = cluster_list[c].spec->opps.back().freq_khz;
      clamps->add_cluster(cluster_list[c].cpus, top_khz,
                          capacity_per_khz(c) * static_cast<double>(top_khz));
    }
  }

  void add_cluster(std::size_t c, const SysTree& tree, const LinuxMachine& machine) {
    Cluster& cluster = cluster_list.emplace_back();
    cluster.spec = &made.spec.clusters[c];
    cluster.cpus = made.cpus[c];
    cluster.is_device = made.device[c] >= 0;
    if (cluster.is_device)
      add_device(cluster, machine.devfreq[static_cast<std::size_t>(made.device[c])], tree, machine);
    else
      add_policies(cluster, made.members[c], tree, machine);
    read_clock(cluster);
    cluster.asked_opp = nearest_opp(*cluster.spec, cluster.now_khz);
  }

  ActuatorChoice chosen(ActuatorChoice choice) const {
    if (options.dry_run && choice.kind != ActuatorKind::kNone)
      return {ActuatorKind::kNone,
              std::string("dry run; else ") + actuator_name(choice.kind) + ": " + choice.why};
    return choice;
  }

  void set_cap(Cluster& cluster, std::int64_t limit_khz, bool cooling) const {
    const bool limited = limit_khz > 0 && !cooling;
    cluster.cap_opp =
        limited ? highest_opp_within(*cluster.spec, limit_khz) : cluster.spec->max_opp();
  }

  void add_device(Cluster& cluster, const DevfreqDevice& device, const SysTree& tree,
                  const LinuxMachine& machine) {
    const ActuatorChoice choice = chosen(choose_actuator(device, options.actuator));
    cluster.actuator = choice.kind;
    cluster.why = choice.why;
    cluster.element = element_name(device.kind);
    cluster.units_per_khz = 1000;
    cluster.policies.push_back(device.name);
    cluster.clock.emplace_back(calls, tree.path(device.folder + "/cur_freq"));
    cluster.limit.emplace_back(calls, tree.path(device.folder + "/max_freq"));
    const bool cooling = is_cooling(machine, cools_devices);
    set_cap(cluster, device.max_hz / cluster.units_per_khz, cooling);
    if (choice.kind == ActuatorKind::kNone) return;
    std::vector<PolicyActuator> actuators;
    actuators.emplace_back(tree.root(), device, choice.kind, cooling, calls, options.hook,
                           cooling_states(tree, machine, cools_devices));
    cluster.hand = std::make_unique<ClockHand>(std::move(actuators));
  }

  void add_policies(Cluster& cluster, const std::vector<int>& members, const SysTree& tree,
                    const LinuxMachine& machine) {
    const bool cooling = is_cooling(machine, cools_cpus);
    std::vector<PolicyActuator> actuators;
    std::int64_t limit_khz = 0;
    for (const int member : members) {
      const CpufreqPolicy& policy = machine.policies[static_cast<std::size_t>(member)];
      const ActuatorChoice choice = chosen(choose_actuator(machine, policy, options.actuator));
      if (cluster.policies.empty() || choice.kind != ActuatorKind::kNone) {
        cluster.actuator = choice.kind;
        cluster.why = choice.why;
      }
      cluster.policies.push_back(policy.name);
      cluster.clock.emplace_back(calls, tree.path(policy.folder + "/scaling_cur_freq"));
      cluster.limit.emplace_back(calls, tree.path(policy.folder + "/scaling_max_freq"));
      limit_khz = std::max(limit_khz, policy.max_khz);
      if (choice.kind != ActuatorKind::kNone && choice.kind != ActuatorKind::kUclamp) {
        actuators.emplace_back(tree.root(), policy, choice.kind, cooling, calls, options.hook,
                               cooling_states(tree, machine, cools_cpus));
      }
    }
    if (!actuators.empty()) cluster.hand = std::make_unique<ClockHand>(std::move(actuators));
    set_cap(cluster, limit_khz, cooling);
    const bool countable = options.perf != nullptr || tree.root().empty();
    if (!countable) return;
    const PerfMachine perf = options.perf != nullptr ? *options.perf : PerfMachine();
    const CpuSet online = cluster.cpus & machine.online;
    auto counters = std::unique_ptr<PerfCounterSource>(
        new PerfCounterSource(PerfCounterSource::of_cpus(online, perf)));
    constexpr std::uint8_t kUseful =
        counter_bit(CounterField::kInstructions) | counter_bit(CounterField::kCycles);
    if ((counters->measured() & kUseful) != 0) cluster.counters = std::move(counters);
  }

  /// Linux then lets nobody read a file of it, and a driver may take seconds.
  static bool is_written(const Cluster& cluster) noexcept {
    return cluster.hand && cluster.hand->report().busy;
  }

  void read_clock(Cluster& cluster) noexcept {
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

  void read_slow_sensors(bool busy) noexcept {
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

  /// Whether the machine naps, by how busy all CPUs were together over kNapNs.
  void watch_idleness(std::int64_t epoch_ns, double busy_ns) noexcept {
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

  HandReport hand_report(std::size_t c) const noexcept {
    const Cluster& cluster = cluster_list[c];
    if (cluster.hand) return cluster.hand->report();
    return cluster.actuator == ActuatorKind::kUclamp ? clamps->report(c) : HandReport();
  }

  void hand_over() noexcept {
    if (clamps) clamps->hand_over();
    for (Cluster& cluster : cluster_list) {
      if (cluster.hand) cluster.hand->hand_over();
    }
  }

  double modelled_mw(const Cluster& cluster, double busy_cores) const noexcept {
    const auto c = static_cast<std::size_t>(index_of(cluster));
    ClusterLoad load{.opp = nearest_opp(*cluster.spec, cluster.now_khz),
                     .busy_cores = busy_cores,
                     .busy_nf = busy_cores * made.spec.apps[0].unit[c].core_nf,
                     .gate_idle_cores = true,
                     .temp_c = temp_c};
    return cluster_power_mw(*cluster.spec, load);
  }

  bool is_occupied(const Cluster& cluster) const noexcept {
    return (occupied >> index_of(cluster) & 1) != 0;
  }

  int index_of(const Cluster& cluster) const noexcept {
    return static_cast<int>(cluster.spec - made.spec.clusters.data());
  }

  /// Of a cluster that was idle, nothing is read.
  void sense(Cluster& cluster) noexcept {
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
    const bool served =
        is_occupied(cluster) || (jobs != nullptr && jobs->ran_on(index_of(cluster)));
    if (cluster.busy_cores <= 0 && !served) return;
    if (!is_written(cluster)) read_clock(cluster);
    if (!cluster.counters) return;
    CounterSample sample;
    cluster.counters->skip_cpus(usage.idle());
    cluster.counters->read(sample);
    cluster.counted = counters_of(sample);
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

  void show(std::size_t c, ClusterObservation& out) const noexcept {
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

  double capacity_per_khz(std::size_t c) const noexcept {
    double fastest = 0;
    for (const ClusterSpec& spec : made.spec.clusters) {
      if (spec.kind != ClusterSpec::Kind::kCpu) continue;
      fastest =
          std::max(fastest, spec.capacity_per_mhz * static_cast<double>(spec.opps.back().freq_khz));
    }
    return 1024 * made.spec.clusters[c].capacity_per_mhz / fastest;
  }

  void show(Observation& out) const noexcept {
    out.sequence = epochs;
    out.now_ns = now_ns - start_ns;
    out.epoch_ns = last_epoch_ns;
    out.cluster_count = static_cast<int>(cluster_list.size());
    out.app_count = 0;
    out.energy_preference =
        tuning.preference.value_or(jobs != nullptr ? jobs->energy_preference() : 0.5);
    out.roster_version = 0;
    out.sensors_ok = load_read.failures == 0;
    out.sensed = {};
    if (power.measures()) power_read.mark(Sensed::kPower, now_ns, kPowerNs, out.sensed);
    for (std::size_t c = 0; c < cluster_list.size(); ++c) show(c, out.cluster[c]);
    out.power_mw = power.measures() && measured_mw >= 0 ? measured_mw : model_mw();
    out.energy_mj = epoch_mj;
    out.count_held();
  }

  double model_mw() const noexcept {
    double mw = made.spec.board_mw;
    for (const Cluster& cluster : cluster_list) mw += modelled_mw(cluster, cluster.busy_cores);
    return mw;
  }

  /// Between two readings the last power holds; a reading that counted energy puts right what was
  /// charged too much or too little since the one before. Where none is to be had, the model tells.
  void charge(bool busy) noexcept {
    if (busy && now_ns - power_tried_ns >= kPowerNs) {
      if (power.read(now_ns, measured_mw)) {
        measured_mj += measured_mw * static_cast<double>(now_ns - power_ns) * 1e-9;
        power_ns = power_tried_ns = now_ns;
        power_read.took(now_ns);
      } else if (power_read.failed(); power_read.gone()) {
        measured_mw = -1;
      }
    }
    if (measured_mw < 0) {
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

  /// What the machine takes between two moments of an epoch, as far as it is known before its end: the
  /// model's, of what jobs keep busy, times how far measurements have been off that.
  double reckoned_mw() const noexcept {
    double mw = made.spec.board_mw;
    for (const Cluster& cluster : cluster_list)
      mw += modelled_mw(cluster, jobs->busy_cores(index_of(cluster)));
    return mw * off_model;
  }

  /// A stretch of the epoch, and what is due at its end.
  void serve_jobs() noexcept {
    const double stretch_ns = static_cast<double>(now_ns - served_ns);
    const double mj = reckoned_mw() * stretch_ns * 1e-9;
    served_ns = now_ns;
    reckoned_mj += mj;
    std::array<std::int64_t, kMaxClusters> khz{};
    for (std::size_t c = 0; c < cluster_list.size(); ++c) khz[c] = cluster_list[c].now_khz;
    jobs->run_until(now_ns - start_ns, mj, khz);
  }

  /// What jobs and nobody have been charged with must be what was taken. What was reckoned too much
  /// is made up for later.
  void settle_energy() noexcept {
    if (reckoned_mj > 0) {
      constexpr double kAveragingNs = 2e9;
      const double weight = -std::expm1(-static_cast<double>(last_epoch_ns) / kAveragingNs);
      const double off = off_model * epoch_mj / reckoned_mj;
      if (std::isfinite(off) && off > 0) off_model += weight * (std::min(off, 100.0) - off_model);
    }
    owed_mj += epoch_mj - reckoned_mj;
    const double rest_mj = std::max(0.0, owed_mj);
    owed_mj -= rest_mj;
    epoch_mj = reckoned_mj + rest_mj;
    reckoned_mj = 0;
    jobs->run_until(now_ns - start_ns, rest_mj, {});
  }

  Doorbell& bell() noexcept { return jobs != nullptr ? jobs->bell() : own_bell; }

  void start() {
    if (start_ns != 0) return;
    start_ns = now_ns = served_ns = monotonic_ns();
    if (jobs != nullptr) jobs->begin(start_ns);
    if (clamps && jobs != nullptr) {
      own_threads = jobs->thread_ids();
      follow_threads({});
    }
    if (usage.read(now_ns)) load_read.took(now_ns);
    power_ns = power_tried_ns = now_ns;
    if (power.read(now_ns, measured_mw)) power_read.took(now_ns);
  }

  /// Beside our own.
  void follow_threads(std::span<const pid_t> others) noexcept {
    const std::size_t own = std::min(own_threads.size(), threads.size());
    std::copy_n(own_threads.begin(), own, threads.begin());
    const std::size_t more = std::min(others.size(), threads.size() - own);
    std::copy_n(others.begin(), more, threads.begin() + static_cast<std::ptrdiff_t>(own));
    clamps->set_threads(std::span(threads).first(own + more));
  }

  /// What schedutil would give real-time threads: a fourth more than they are reckoned with.
  void watch_realtime() noexcept {
    realtime.look(now_ns);
    for (std::size_t c = 0; c < cluster_list.size(); ++c) {
      Cluster& cluster = cluster_list[c];
      const int owed = realtime.owed_on(cluster.cpus);
      cluster.realtime_opp =
          owed == 0
              ? 0
              : lowest_opp_from(*cluster.spec, std::llround(1.25 * owed / capacity_per_khz(c)));
    }
  }

  /// What the user's limits make of an operating point. Heat's limit holds against a minimum.
  int within_tuning(std::size_t c, int opp) const noexcept {
    const ClusterSpec& spec = *cluster_list[c].spec;
    opp = std::max(opp, std::min(cluster_list[c].realtime_opp, cluster_list[c].cap_opp));
    if (tuning.min_khz[c] > 0)
      opp = std::max(opp,
                     std::min(lowest_opp_from(spec, tuning.min_khz[c]), cluster_list[c].cap_opp));
    return std::min(opp, tuned_cap(c));
  }
  int tuned_cap(std::size_t c) const noexcept {
    const ClusterSpec& spec = *cluster_list[c].spec;
    return tuning.max_khz[c] > 0 ? highest_opp_within(spec, tuning.max_khz[c]) : spec.max_opp();
  }

  LinuxOptions options;
  LinuxTuning tuning;
  SettingCalls& calls;
  MachineSpec made;
  JobSource* jobs;
  CpuUsage usage;
  PowerReading power;
  RealtimeWatch realtime;
  std::vector<HeldFile> zones;
  std::vector<Cluster> cluster_list;
  std::unique_ptr<ClampHand> clamps;  ///< null: clocks are turned otherwise
  std::vector<pid_t> own_threads;
  std::array<pid_t, ClampHand::kMaxThreads> threads{};
  Binding nobody;
  Doorbell own_bell;
  std::atomic<bool> interrupted{false};
  std::int64_t start_ns = 0, now_ns = 0, last_epoch_ns = 0, slow_ns = 0, power_ns = 0,
               power_tried_ns = 0;
  std::uint64_t epochs = 0, naps = 0;
  SensorWatch load_read, temp_read, power_read;
  bool napping = false, left = false;
  unsigned occupied = 0;  ///< devices, as bits of clusters
  double window_busy_ns = 0;
  std::int64_t window_ns = 0;
  double temp_c = kAssumedTempC;
  double measured_mw = -1;  ///< not known yet
  double measured_mj = 0, charged_mj = 0, epoch_mj = 0;
  // Of jobs' energy.
  std::int64_t served_ns = 0;
  double reckoned_mj = 0, owed_mj = 0, off_model = 1;
};

LinuxPlatform::LinuxPlatform(const SysTree& tree, const LinuxMachine& machine,
                             const LinuxOptions& options)
    : parts_(std::make_unique<Parts>(tree, machine, options)) {}

LinuxPlatform::~LinuxPlatform() = default;

const PlatformSpec& LinuxPlatform::spec() const { return parts_->made.spec; }
const Binding& LinuxPlatform::binding(int slot) const {
  return parts_->jobs != nullptr ? parts_->jobs->binding(slot) : parts_->nobody;
}
void LinuxPlatform::observe(Observation& out) const noexcept {
  out.clear_jobs();
  parts_->show(out);
  if (parts_->jobs != nullptr) parts_->jobs->observe(out);
}

Status LinuxPlatform::apply(const Action& action) noexcept {
  Parts& p = *parts_;
  p.start();
  if (p.jobs != nullptr && p.jobs->failed()) return Status::kDeviceLost;
  if (p.jobs != nullptr) p.jobs->ask(action);
  for (std::size_t c = 0; c < p.cluster_list.size(); ++c) {
    Parts::Cluster& cluster = p.cluster_list[c];
    if (cluster.is_device && !p.is_occupied(cluster)) {
      if (cluster.hand) cluster.hand->hand_over();
      cluster.asked_opp = nearest_opp(*cluster.spec, cluster.now_khz);
      continue;
    }
    const int opp = p.within_tuning(c, std::min<int>(action.opp[c], cluster.spec->max_opp()));
    cluster.asked_opp = opp;
    if (p.napping || p.left) continue;
    const std::int64_t khz = cluster.spec->opps[static_cast<std::size_t>(opp)].freq_khz;
    if (cluster.hand) cluster.hand->ask(khz);
    if (cluster.actuator == ActuatorKind::kUclamp) p.clamps->ask(c, khz);
  }
  if (p.clamps && !p.napping && !p.left) p.clamps->turn(p.now_ns);
  return Status::kOk;
}

Status LinuxPlatform::advance(const EpochRequest& request, Observation& out) noexcept {
  Parts& p = *parts_;
  p.start();
  const std::int64_t begin_ns = p.now_ns;
  const std::int64_t epoch_ns = p.tuning.epoch_ns > 0 ? p.tuning.epoch_ns : request.interval_ns;
  std::int64_t until_ns = begin_ns + std::max<std::int64_t>(1, p.napping ? kNapNs : epoch_ns);
  const std::int64_t end_ns =
      p.options.duration_ns > 0 ? p.start_ns + p.options.duration_ns : kNeverNs;
  until_ns = std::min(until_ns, end_ns);
  out.clear_jobs();
  if (p.jobs != nullptr) p.jobs->report_to(&out);
  for (;;) {
    const std::uint32_t seen = p.bell().mark();
    p.now_ns = monotonic_ns();
    std::int64_t wake_ns = until_ns;
    if (p.jobs != nullptr) {
      p.serve_jobs();
      if (p.jobs->stops(request) || p.jobs->over() || p.jobs->failed()) break;
      const std::int64_t due_ns = p.jobs->next_ns();
      if (due_ns < kNeverNs - p.start_ns) wake_ns = std::min(wake_ns, p.start_ns + due_ns);
    }
    if (p.interrupted.load(std::memory_order_relaxed) || p.now_ns >= until_ns) break;
    p.bell().wait(seen, wake_ns);
  }
  p.last_epoch_ns = p.now_ns - begin_ns;
  ++p.epochs;
  if (p.usage.read(p.now_ns))
    p.load_read.took(p.now_ns);
  else
    p.load_read.failed();
  p.watch_realtime();
  double busy_ns = 0;
  for (Parts::Cluster& cluster : p.cluster_list) {
    p.sense(cluster);
    busy_ns += cluster.busy_cores * static_cast<double>(p.last_epoch_ns);
  }
  p.read_slow_sensors(busy_ns > 0);
  p.charge(busy_ns > 0);
  if (p.jobs != nullptr) p.settle_energy();
  p.show(out);
  if (p.jobs != nullptr) {
    p.jobs->close_epoch(out);
    out.count_held();
  }
  p.watch_idleness(p.last_epoch_ns, busy_ns);
  if (p.interrupted.load(std::memory_order_relaxed)) return Status::kInterrupted;
  if (p.jobs != nullptr && p.jobs->failed()) return Status::kDeviceLost;
  const bool over = p.now_ns >= end_ns || (p.jobs != nullptr && p.jobs->over());
  return over ? Status::kFinished : Status::kOk;
}

void LinuxPlatform::interrupt() {
  parts_->interrupted.store(true, std::memory_order_relaxed);
  parts_->bell().ring();
}

std::vector<KnobSetting> LinuxPlatform::capture() const {
  Observation now;
  observe(now);
  return settings_of(parts_->made.spec, *this, now);
}

std::vector<KnobOutcome> LinuxPlatform::restore(const std::vector<KnobSetting>& settings) {
  Observation now;
  observe(now);
  return restore_knobs(parts_->made.spec, *this, now, action_asked(now), settings);
}

std::vector<LinuxPlatform::ClusterStatus> LinuxPlatform::clusters() const {
  std::vector<ClusterStatus> all;
  for (const Parts::Cluster& cluster : parts_->cluster_list) {
    all.push_back({cluster.spec->name, cluster.cpus, cluster.policies, cluster.element,
                   cluster.actuator, cluster.why, parts_->hand_report(all.size())});
  }
  return all;
}

bool LinuxPlatform::is_writing() const noexcept {
  return std::any_of(parts_->cluster_list.begin(), parts_->cluster_list.end(), Parts::is_written);
}

bool LinuxPlatform::is_writing(std::string_view policy) const noexcept {
  return std::any_of(parts_->cluster_list.begin(), parts_->cluster_list.end(),
                     [&](const Parts::Cluster& cluster) {
                       return Parts::is_written(cluster) &&
                              std::find(cluster.policies.begin(), cluster.policies.end(), policy) !=
                                  cluster.policies.end();
                     });
}

HandReport LinuxPlatform::hand(int cluster) const noexcept {
  return parts_->hand_report(static_cast<std::size_t>(cluster));
}

const std::string& LinuxPlatform::power_source() const { return parts_->power.source(); }

std::string LinuxPlatform::counters() const {
  for (const Parts::Cluster& cluster : parts_->cluster_list) {
    if (cluster.counters) return cluster.counters->describe();
  }
  return "";
}

void LinuxPlatform::clamp_threads(std::span<const pid_t> threads) noexcept {
  if (parts_->clamps) parts_->follow_threads(threads);
}
std::size_t LinuxPlatform::clamped_threads() const noexcept {
  return parts_->clamps ? parts_->clamps->threads() : 0;
}

void LinuxPlatform::stand_down(std::string_view policy) noexcept {
  for (auto& cluster : parts_->cluster_list) {
    if (cluster.hand) cluster.hand->stand_down(policy);
  }
}

void LinuxPlatform::occupy(unsigned clusters) noexcept {
  unsigned devices = 0;
  for (const Parts::Cluster& cluster : parts_->cluster_list) {
    if (cluster.is_device) devices |= 1u << parts_->index_of(cluster);
  }
  parts_->occupied = clusters & devices;
}

void LinuxPlatform::leave_to_linux(bool left) noexcept {
  parts_->left = left;
  if (left) parts_->hand_over();
}

void LinuxPlatform::tune(const LinuxTuning& tuning) noexcept { parts_->tuning = tuning; }
const LinuxTuning& LinuxPlatform::tuning() const { return parts_->tuning; }
int LinuxPlatform::realtime_threads() const { return parts_->realtime.known(); }
bool LinuxPlatform::napping() const { return parts_->napping; }
std::uint64_t LinuxPlatform::naps() const { return parts_->naps; }

}  // namespace flyball
