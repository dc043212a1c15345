#include "env/emulated/power_meter.h"

#include <algorithm>

namespace flyball {
namespace {

// Longest stretch over which leakage is taken at the temperature of its start. The fastest thermal
// time constants of boards are about 2 s: over 50 ms a temperature moves by less than 3 % of its
// distance.
constexpr std::int64_t kMaxStretchNs = 50'000'000;

}  // namespace

PowerMeter::PowerMeter(const PlatformSpec& spec, double ambient_c) : spec_(spec) {
  thermal_reset(spec_, ambient_c, 0, thermal_);
  // Leakage and temperature settle together; each round is a small correction of the one before.
  for (int round = 0; round < 8; ++round) {
    thermal_reset(spec_, ambient_c, power_mw() / 1000, thermal_);
  }
}

void PowerMeter::job_started(const AppProfile& app, const Mapping& mapping, int width, int active) {
  app_ = &app;
  width_ = width;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const int cores = std::min<int>(mapping.cores[c], active);
    load_[c].job_cores = cores;
    active -= cores;
  }
}

void PowerMeter::job_finished() {
  app_ = nullptr;
  for (ClusterState& cluster : load_) cluster.job_cores = 0;
}

void PowerMeter::add_background(int cluster, double cores, double core_nf) {
  ClusterState& load = load_[at(cluster)];
  load.background_cores = std::max(0.0, load.background_cores + cores);
  load.background_nf = std::max(0.0, load.background_nf + cores * core_nf);
}

ClusterLoad PowerMeter::model_load(int c) const {
  const ClusterSpec& cluster = spec_.clusters[at(c)];
  const ClusterState& state = load_[at(c)];
  ClusterLoad load;
  load.opp = state.opp;
  load.temp_c = cluster_temp_c(spec_, thermal_, c);
  load.gate_idle_cores = cluster.gate_idle_cores;
  const double job = state.job_cores;
  const double background = std::min<double>(state.background_cores, cluster.cores);
  const double background_nf =
      state.background_cores > 0 ? state.background_nf / state.background_cores : 0;
  double job_nf = 0;
  if (app_ != nullptr && state.job_cores > 0) {
    const UnitProfile& unit = app_->unit[at(c)];
    job_nf = unit.core_nf * app_->widths[at(width_)].activity_factor;
    load.static_ma = unit.static_ma;
    load.gate_idle_cores = load.gate_idle_cores || unit.gate_idle_cores;
  }
  // Jobs fill the cluster from its first core on, background from its last; where they meet they
  // share a core by halves.
  const double shared = std::max(0.0, job + background - cluster.cores);
  load.busy_cores = job + background - shared;
  load.busy_nf = (job - shared / 2) * job_nf + (background - shared / 2) * background_nf;
  return load;
}

double PowerMeter::power_mw() const {
  double total = spec_.board_mw;
  for (int c = 0; c < static_cast<int>(spec_.clusters.size()); ++c) {
    total += cluster_power_mw(spec_.clusters[at(c)], model_load(c));
  }
  return total;
}

void PowerMeter::advance(std::int64_t now_ns) {
  while (now_ns_ < now_ns) {
    const std::int64_t step_ns = std::min(now_ns - now_ns_, kMaxStretchNs);
    const double step = static_cast<double>(step_ns);
    double total_mw = spec_.board_mw;
    for (int c = 0; c < static_cast<int>(spec_.clusters.size()); ++c) {
      ClusterState& state = load_[at(c)];
      const double mw = cluster_power_mw(spec_.clusters[at(c)], model_load(c));
      state.energy_mj += mw * step * 1e-9;
      total_mw += mw;
      const int cores = std::min(spec_.clusters[at(c)].cores, kMaxCores);
      for (int core = 0; core < cores; ++core) {
        const double background = std::clamp(state.background_cores - (cores - 1 - core), 0.0, 1.0);
        const double busy = core < state.job_cores ? 1.0 : background;
        state.busy_ns[static_cast<std::size_t>(core)] += busy * step;
      }
    }
    energy_mj_ += total_mw * step * 1e-9;
    thermal_advance(spec_, total_mw / 1000, step * 1e-9, thermal_);
    now_ns_ += step_ns;
  }
}

void PowerMeter::report(Observation& out) {
  const double span = static_cast<double>(std::max<std::int64_t>(1, now_ns_ - reported_ns_));
  out.epoch_ns = now_ns_ - reported_ns_;
  out.energy_mj = energy_mj_ - reported_mj_;
  out.power_mw = now_ns_ > reported_ns_ ? out.energy_mj / (span * 1e-9) : power_mw();
  for (int c = 0; c < static_cast<int>(spec_.clusters.size()); ++c) {
    ClusterState& state = load_[at(c)];
    ClusterObservation& seen = out.cluster[at(c)];
    const int cores = std::min(spec_.clusters[at(c)].cores, kMaxCores);
    double sum = 0;
    double most = 0;
    for (int core = 0; core < cores; ++core) {
      const double busy = state.busy_ns[static_cast<std::size_t>(core)] / span;
      sum += busy;
      most = std::max(most, busy);
    }
    seen.util_max = std::min(1.0, most);
    seen.util_mean = std::min(1.0, sum / cores);
    seen.power_mw = now_ns_ > reported_ns_ ? state.energy_mj / (span * 1e-9)
                                           : cluster_power_mw(spec_.clusters[at(c)], model_load(c));
    seen.temp_c = cluster_temp_c(spec_, thermal_, c);
    seen.opp = static_cast<std::uint8_t>(state.opp);
    seen.opp_cap = thermal_.opp_cap[at(c)];
    seen.freq_khz = spec_.clusters[at(c)].opps[at(state.opp)].freq_khz;
    state.energy_mj = 0;
    state.busy_ns.fill(0);
  }
  reported_ns_ = now_ns_;
  reported_mj_ = energy_mj_;
}

}  // namespace flyball
