#include "env/model/model.h"

#include <algorithm>
#include <cmath>

#include "env/model/idle_states.h"
#include "env/model/thermal.h"
#include "kernels/base/det_math.h"

namespace flyball {
namespace {

constexpr double kNeverNs = 1e18;
constexpr double kKelvin = 273.15;
constexpr double kColdestC = -60, kHottestC = 200;  // that leakage is asked for

/// How a job divides its time: a serial part on the fastest core of its mapping, then a parallel
/// part that every core shares by its speed, or equally.
struct JobTime {
  int fastest = -1;
  double serial_ns = 0;
  double parallel_ns = 0;
};

double core_ns(const PlatformSpec& spec, const AppProfile& app, int cluster, const OppChoice& opp) {
  const UnitProfile& unit = app.unit[cluster];
  // Mcycles / kHz = 1000 s.
  const double khz = spec.clusters[cluster].opps[opp[cluster]].delivered_khz();
  return unit.mcycles * 1e12 / khz + unit.memory_ms * 1e6;
}

JobTime job_time(const PlatformSpec& spec, const AppProfile& app, const Mapping& mapping, int level,
                 const OppChoice& opp) {
  JobTime time;
  int cores = 0;
  double fastest_ns = 0, slowest_ns = 0;
  double jobs_per_ns = 0;  // of all cores together
  for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c) {
    if (mapping.cores[c] == 0) continue;
    cores += mapping.cores[c];
    const double ns = core_ns(spec, app, c, opp);
    jobs_per_ns += mapping.cores[c] / ns;
    slowest_ns = std::max(slowest_ns, ns);
    if (time.fastest < 0 || ns < fastest_ns) {
      time.fastest = c;
      fastest_ns = ns;
    }
  }
  const double parallel = app.parallel_fraction_of(level, cores);
  time.serial_ns = (1 - parallel) * fastest_ns;
  time.parallel_ns = parallel * (app.equal_shares ? slowest_ns / cores : 1 / jobs_per_ns);
  return time;
}

}  // namespace

bool runs_on(const AppProfile& app, const Mapping& mapping) {
  int cores = 0;
  for (int c = 0; c < kMaxClusters; ++c) {
    if (mapping.cores[c] > 0 && !app.unit[c].supported) return false;
    cores += mapping.cores[c];
  }
  return cores > 0;
}

unsigned cluster_mask(const Mapping& mapping) {
  unsigned mask = 0;
  for (int c = 0; c < kMaxClusters; ++c) {
    if (mapping.cores[c] > 0) mask |= 1u << c;
  }
  return mask;
}

OppChoice highest_opps(const PlatformSpec& spec) {
  OppChoice opp{};
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    opp[c] = static_cast<std::uint8_t>(spec.clusters[c].max_opp());
  }
  return opp;
}

double switch_ns(const PlatformSpec& spec, const AppSetting& before, const AppSetting& after) {
  double ns = before.level != after.level ? spec.level_switch_us * 1e3 : 0;
  const unsigned warm = cluster_mask(spec.mappings[before.mapping]);
  if ((cluster_mask(spec.mappings[after.mapping]) & ~warm) != 0) {
    ns += spec.migration_us * 1e3 + spec.cold_cache_ms * 1e6;
  }
  return ns;
}

double execution_ns(const PlatformSpec& spec, const AppProfile& app, const Mapping& mapping,
                    int level, const OppChoice& opp, double work) {
  if (app.plain_load || !runs_on(app, mapping)) return kNeverNs;
  const JobTime time = job_time(spec, app, mapping, level, opp);
  return (time.serial_ns + time.parallel_ns) * app.levels[level].time_factor * work;
}

std::array<JobLoad, kMaxClusters> job_load(const PlatformSpec& spec, const AppProfile& app,
                                           const Mapping& mapping, int level,
                                           const OppChoice& opp) {
  std::array<JobLoad, kMaxClusters> load{};
  if (!runs_on(app, mapping)) return load;
  double parallel_share = 1;
  int fastest = 0;
  if (!app.plain_load) {
    const JobTime time = job_time(spec, app, mapping, level, opp);
    parallel_share = time.parallel_ns / (time.serial_ns + time.parallel_ns);
    fastest = time.fastest;
  }
  for (int c = 0; c < kMaxClusters; ++c) {
    if (mapping.cores[c] == 0) continue;
    load[c].busy_cores =
        mapping.cores[c] * parallel_share + (c == fastest ? 1 - parallel_share : 0);
    load[c].core_busy = c == fastest ? 1 : parallel_share;
    load[c].busy_nf = load[c].busy_cores * app.unit[c].core_nf * app.levels[level].activity_factor;
    load[c].static_ma = app.unit[c].static_ma;
  }
  return load;
}

double leakage_mw(const ClusterSpec& cluster, double voltage_v, double temp_c) {
  const double temp_k = std::clamp(temp_c, kColdestC, kHottestC) + kKelvin;
  return 1000 * voltage_v *
         (cluster.leak_a * temp_k * temp_k * det_exp(-cluster.leak_b_k / temp_k) +
          cluster.leak_c_a);
}

ClusterPower cluster_power(const ClusterSpec& cluster, const ClusterLoad& load) {
  const OperatingPoint& opp = cluster.opps[load.opp];
  const double volts = opp.voltage_mv / 1000;
  const double mhz = opp.delivered_khz() / 1000;
  const double cores = cluster.cores;
  const double busy = std::min(load.busy_cores, cores);
  const double powered = load.gate_idle_cores ? busy : cores;
  // nF * V^2 * MHz = mW. With every core gated the uncore's clock stops too; for a fraction of a
  // core, in the mean, it runs for that part of the time.
  const double switched_nf = cluster.uncore_nf * std::min(1.0, powered) + load.busy_nf +
                             cluster.idle_core_nf * (powered - busy);
  const double leaking = 1 - cluster.leak_core_share * (1 - powered / cores);
  // Leakage power is proportional to voltage.
  return {volts * volts * mhz * switched_nf + volts * load.static_ma, volts * leaking};
}

double cluster_power_mw(const ClusterSpec& cluster, const ClusterLoad& load) {
  const ClusterPower power = cluster_power(cluster, load);
  return power.fixed_mw + power.leak * leakage_mw(cluster, 1.0, load.temp_c);
}

SteadyState steady_state(const PlatformSpec& spec, const AppProfile& app, const Mapping& mapping,
                         int level, const OppChoice& opp, double ambient_c, IdleCores idle_cores) {
  const std::array<JobLoad, kMaxClusters> job = job_load(spec, app, mapping, level, opp);
  SteadyState state;
  ThermalState thermal;
  thermal_reset(spec, ambient_c, spec.board_mw / 1000, thermal);
  // Leakage warms and warmth leaks. A kelvin adds some 2 mW of leakage and a watt some 7 K, so each
  // round shrinks the error a hundredfold; the bounds are for a platform file that would run away.
  constexpr int kMaxRounds = 30;
  for (int round = 0; round < kMaxRounds; ++round) {
    state.unit_power_mw = 0;
    state.total_power_mw = spec.board_mw;
    for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c) {
      const bool mapped = mapping.cores[c] > 0;
      ClusterLoad load;
      load.opp = mapped ? opp[c] : 0;
      load.busy_cores = job[c].busy_cores;
      load.busy_nf = job[c].busy_nf;
      load.static_ma = job[c].static_ma;
      load.gate_idle_cores =
          spec.clusters[c].gate_idle_cores || (mapped && app.unit[c].gate_idle_cores);
      if (mapped && idle_cores == IdleCores::kClocked) load.gate_idle_cores = false;
      load.temp_c = std::min(cluster_temp_c(spec, thermal, c), kMaxSteadyTempC);
      double power_mw = cluster_power_mw(spec.clusters[c], load);
      if (!spec.clusters[c].idle_states.empty() && idle_cores != IdleCores::kClocked) {
        const int occupied = mapping.cores[c];
        const ClusterPower saved =
            idle_saving(spec.clusters[c], load.opp, occupied, load.gate_idle_cores,
                        deepest_idle(spec.clusters[c], occupied == 0));
        power_mw -= saved.fixed_mw + saved.leak * leakage_mw(spec.clusters[c], 1.0, load.temp_c);
      }
      state.total_power_mw += power_mw;
      if (mapped) state.unit_power_mw += power_mw;
    }
    const std::array<double, kMaxThermalNodes> before = thermal.temp_c;
    thermal_reset(spec, ambient_c, state.total_power_mw / 1000, thermal);
    double change_c = 0;
    for (int n = 0; n < kMaxThermalNodes; ++n) {
      change_c = std::max(change_c, std::abs(thermal.temp_c[n] - before[n]));
    }
    if (change_c < 1e-9) break;
  }
  state.temp_c = ambient_c;
  for (std::size_t n = 0; n < spec.thermal.size(); ++n) {
    state.temp_c = n == 0 ? thermal.temp_c[0] : std::max(state.temp_c, thermal.temp_c[n]);
  }
  state.temp_c = std::min(state.temp_c, kMaxSteadyTempC);
  if (!app.plain_load && runs_on(app, mapping)) {
    state.time_ms = execution_ns(spec, app, mapping, level, opp) * 1e-6;
    state.energy_mj = state.unit_power_mw * state.time_ms / 1000;
  }
  return state;
}

namespace {

SteadyState reference_state(const PlatformSpec& spec, const AppProfile& app) {
  const int big = spec.big_cluster();
  OppChoice opp{};
  opp[big] = static_cast<std::uint8_t>(spec.clusters[big].max_opp());
  Mapping one;  // which need not be offered: a process may be kept off those CPUs
  one.cores[static_cast<std::size_t>(big)] = 1;
  return steady_state(spec, app, one, static_cast<int>(app.levels.size()) - 1, opp);
}

}  // namespace

double reference_energy_mj(const PlatformSpec& spec, const AppProfile& app) {
  const SteadyState state = reference_state(spec, app);
  return state.total_power_mw * state.time_ms / 1000;
}

double reference_time_ns(const PlatformSpec& spec, const AppProfile& app) {
  return reference_state(spec, app).time_ms * 1e6;
}

}  // namespace flyball
