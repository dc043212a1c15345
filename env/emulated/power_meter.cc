#include "env/emulated/power_meter.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "env/ledger/cpu_allocator.h"

namespace flyball {
namespace {

// Longest stretch over which leakage is taken at the temperature of its start. The fastest thermal
// time constants of boards are about 2 s: over 50 ms a temperature moves by less than 3 % of its
// distance.
constexpr std::int64_t kMaxStretchNs = 50'000'000;

}  // namespace

PowerMeter::PowerMeter(const PlatformSpec& spec, double ambient_c) : spec_(spec) {
  thermal_reset(spec_, ambient_c, 0, thermal_);
}

void PowerMeter::settle() {
  // Leakage and temperature settle together; each round shrinks the error a hundredfold.
  for (int round = 0; round < 8; ++round) {
    thermal_reset(spec_, thermal_.ambient_c, power_mw() / 1000, thermal_);
  }
}

void PowerMeter::job_started(const AppProfile& app, const Mapping& mapping, int width, int active,
                             int slot) {
  app_ = &app;
  slot_ = at(slot);
  width_ = width;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const int cores = std::min<int>(mapping.cores[c], active);
    mapping_.cores[c] = static_cast<std::uint8_t>(cores);
    active -= cores;
  }
}

void PowerMeter::job_finished() {
  app_ = nullptr;
  mapping_.cores = {};
}

void PowerMeter::add_background(int cluster, double cores, double core_nf) {
  ClusterState& load = load_[at(cluster)];
  load.background_cores = std::max(0.0, load.background_cores + cores);
  load.background_nf = std::max(0.0, load.background_nf + cores * core_nf);
}

void PowerMeter::set_ambient(double ambient_c) {
  thermal_.ambient_c = ambient_c;
  thermal_advance(spec_, 0, 0, thermal_);  // no time passes, but temperatures follow
}

std::array<JobLoad, kMaxClusters> PowerMeter::running_load() const {
  if (app_ == nullptr) return {};
  OppChoice opp{};
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    opp[c] = static_cast<std::uint8_t>(load_[c].opp);
  }
  return job_load(spec_, *app_, mapping_, width_, opp);
}

double PowerMeter::share(std::size_t c) const {
  const double cores = spec_.clusters[c].cores;
  const double wanted = mapping_.cores[c] + load_[c].background_cores;
  return wanted > cores ? cores / wanted : 1;
}

std::array<double, kMaxClusters> PowerMeter::cluster_powers_mw() const {
  const auto job = running_load();
  std::array<double, kMaxClusters> power_mw{};
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const ClusterSpec& cluster = spec_.clusters[c];
    const ClusterState& state = load_[c];
    ClusterLoad load;
    load.opp = state.opp;
    load.temp_c = cluster_temp_c(spec_, thermal_, static_cast<int>(c));
    load.static_ma = job[c].static_ma;
    load.gate_idle_cores =
        cluster.gate_idle_cores || (mapping_.cores[c] > 0 && app_->unit[c].gate_idle_cores);
    load.busy_cores = (job[c].busy_cores + state.background_cores) * share(c);
    load.busy_nf = (job[c].busy_nf + state.background_nf) * share(c);
    power_mw[c] = cluster_power_mw(cluster, load);
  }
  return power_mw;
}

double PowerMeter::power_mw() const {
  const auto clusters = cluster_powers_mw();
  return std::accumulate(clusters.begin(), clusters.end(), spec_.board_mw);
}

void PowerMeter::advance(std::int64_t now_ns) {
  while (now_ns_ < now_ns) {
    const std::int64_t step_ns = std::min(now_ns - now_ns_, kMaxStretchNs);
    const double step = static_cast<double>(step_ns);
    const auto job = running_load();
    const auto power_mw = cluster_powers_mw();
    const double total_mw = std::accumulate(power_mw.begin(), power_mw.end(), spec_.board_mw);
    for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
      ClusterState& state = load_[c];
      state.energy_mj += power_mw[c] * step * 1e-9;
      state.job_ns[slot_] += step * job[c].core_busy * share(c);
      state.background_ns += step * std::min(1.0, state.background_cores) * share(c);
      state.busy_core_ns += step * (job[c].busy_cores + state.background_cores) * share(c);
      state.wanted[slot_] = std::max(state.wanted[slot_], static_cast<double>(mapping_.cores[c]));
    }
    energy_mj_ += total_mw * step * 1e-9;
    thermal_advance(spec_, total_mw / 1000, step * 1e-9, thermal_);
    now_ns_ += step_ns;
  }
}

void PowerMeter::report(Observation& out) {
  const bool any = now_ns_ > reported_ns_;
  const double span = static_cast<double>(std::max<std::int64_t>(1, now_ns_ - reported_ns_));
  const auto power_now = cluster_powers_mw();
  out.epoch_ns = now_ns_ - reported_ns_;
  out.energy_mj = energy_mj_ - reported_mj_;
  out.power_mw = any ? out.energy_mj / (span * 1e-9) : power_mw();
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const ClusterSpec& cluster = spec_.clusters[c];
    ClusterState& state = load_[c];
    ClusterObservation& seen = out.cluster[c];
    BusiestCore busiest(state.background_ns, std::ceil(state.background_cores));
    for (std::size_t a = 0; a < state.job_ns.size(); ++a)
      busiest.add(state.job_ns[a], state.wanted[a]);
    seen.util_max = std::min(1.0, busiest.busy_ns(cluster.cores) / span);
    seen.util_mean = std::min(1.0, state.busy_core_ns / span / cluster.cores);
    seen.power_mw = any ? state.energy_mj / (span * 1e-9) : power_now[c];
    seen.temp_c = cluster_temp_c(spec_, thermal_, static_cast<int>(c));
    seen.opp = static_cast<std::uint8_t>(state.opp);
    seen.opp_cap = thermal_.opp_cap[c];
    seen.freq_khz = cluster.opps[at(state.opp)].freq_khz;
    state.energy_mj = 0;
    state.job_ns = state.wanted = {};
    state.background_ns = state.busy_core_ns = 0;
  }
  reported_ns_ = now_ns_;
  reported_mj_ = energy_mj_;
}

}  // namespace flyball
