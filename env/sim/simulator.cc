#include "env/sim/simulator.h"

#include <algorithm>

#include "env/ledger/settings.h"

namespace flyball {
namespace {

constexpr int kForkSteps = 2;  // thermal steps in one of a fork; see the test of forks for the error

CpuSet all_cpus(const PlatformSpec& spec) {
  int cores = 0;
  for (const ClusterSpec& cluster : spec.clusters) cores += cluster.cores;
  CpuSet cpus;
  for (int cpu = 0; cpu < cores; ++cpu) cpus.add(cpu);
  return cpus;
}

}  // namespace

Simulator::Simulator(const PlatformSpec& spec, const Scenario& scenario, SimOptions options)
    : model_(spec, scenario, options.max_step_ms),
      cache_(model_.apps),
      cpus_(spec, all_cpus(spec)) {
  Engine(model_, cache_, state_).reset(options.seed);
}

void Simulator::observe(Observation& out) const {
  out.clear_jobs();
  observe(state_, 0, out);
}

Status Simulator::apply(const Action& action) {
  Engine(model_, cache_, state_).apply(action);
  return Status::kOk;
}

Status Simulator::advance(const EpochRequest& request, Observation& out) {
  out.clear_jobs();
  const std::int64_t start_ns = state_.now_ns;
  const std::int64_t end_ns = model_.scenario.duration_ns;
  if (start_ns >= end_ns || interrupted_.load(std::memory_order_relaxed)) {
    observe(state_, 0, out);
    return start_ns >= end_ns ? Status::kFinished : Status::kInterrupted;
  }
  const std::int64_t interval_ns = std::max<std::int64_t>(1, request.interval_ns);
  const std::int64_t until_ns = end_ns - start_ns > interval_ns ? start_ns + interval_ns : end_ns;
  Engine(model_, cache_, state_, &out)
      .run(until_ns, {.release = request.stop_at_release, .finish = request.stop_at_finish});
  ++state_.epochs;
  observe(state_, state_.now_ns - start_ns, out);
  clear_epoch(state_);
  return state_.now_ns >= end_ns ? Status::kFinished : Status::kOk;
}

Status Simulator::step(SimState& state, const Action& action, const EpochRequest& request,
                       Observation* ended) const {
  Engine engine(model_, cache_, state, ended, kForkSteps);
  engine.apply(action);
  const std::int64_t end_ns = model_.scenario.duration_ns;
  const std::int64_t until_ns =
      std::min(end_ns, state.now_ns + std::max<std::int64_t>(1, request.interval_ns));
  engine.run(until_ns, {.release = request.stop_at_release, .finish = request.stop_at_finish});
  ++state.epochs;
  clear_epoch(state);
  return state.now_ns >= end_ns ? Status::kFinished : Status::kOk;
}

void Simulator::observe(const SimState& state, std::int64_t epoch_ns, Observation& out) const {
  const double span_ns = epoch_ns > 0 ? static_cast<double>(epoch_ns) : 1;
  const double per_s = epoch_ns > 0 ? 1e9 / span_ns : 0;
  out.sequence = state.epochs;
  out.now_ns = state.now_ns;
  out.epoch_ns = epoch_ns;
  out.energy_mj = state.epoch_mj;
  out.power_mw = epoch_ns > 0 ? state.epoch_mj * per_s : state.total_mw;
  out.battery_pct =
      model_.scenario.battery_mj > 0 ? 100 * state.battery_mj / model_.scenario.battery_mj : 100;
  out.energy_preference = state.energy_preference;
  out.cluster_count = model_.clusters;
  out.sensors_ok = true;
  out.held = 0;
  JobLedger(model_.ledger, const_cast<LedgerState&>(state.jobs), nullptr).observe(out);
  CpuSet taken;
  for (int a = 0; a < model_.apps; ++a) {
    AppObservation& to = out.app[a];
    to.counters = state.run[a].counted;
    to.counters.valid = Counters::kAll;
    if (!to.running.busy) continue;
    to.running.cpus = cpus_.allocate(model_.spec.mappings[to.running.setting.mapping], taken);
    if (model_.apps > 1) taken = taken | to.running.cpus;
  }
  for (int c = 0; c < model_.clusters; ++c) {
    const SimCluster& from = state.cluster[c];
    const ClusterKnob& knob = state.knobs.cluster[c];
    const ClusterSpec& spec = model_.spec.clusters[c];
    BusiestCore busiest(from.background_ns, model_.ledger.segments[state.segment].whole_cores[c]);
    for (int a = 0; a < model_.apps; ++a) {
      busiest.add(state.run[a].busy_ns[c], state.run[a].wanted_cores[c]);
    }
    ClusterObservation& to = out.cluster[c];
    to.freq_khz = spec.opps[knob.opp].freq_khz;
    to.asked_khz = spec.opps[knob.asked].freq_khz;
    to.capacity = model_.capacity_per_khz[c] * static_cast<double>(to.freq_khz);
    to.util_max = epoch_ns > 0 ? busiest.share(span_ns, spec.cores) : 0;
    to.util_mean = epoch_ns > 0 ? std::min(1.0, from.busy_core_ns / span_ns / spec.cores) : 0;
    to.power_mw = epoch_ns > 0 ? from.energy_mj * per_s : from.power_mw;
    to.temp_c = from.temp_c;
    to.counters = from.counted;
    to.counters.valid = Counters::kAll;
    to.opp = knob.opp;
    to.asked_opp = knob.asked;
    to.opp_cap = state.thermal.opp_cap[c];
  }
}

void Simulator::clear_epoch(SimState& state) const {
  state.epoch_mj = 0;
  for (int c = 0; c < model_.clusters; ++c) {
    SimCluster& cluster = state.cluster[c];
    cluster.energy_mj = cluster.busy_core_ns = cluster.background_ns = 0;
    cluster.counted = {};
  }
  for (int a = 0; a < model_.apps; ++a) {
    state.run[a].busy_ns.fill(0);
    state.run[a].wanted_cores.fill(0);
    state.run[a].counted = {};
  }
  JobLedger(model_.ledger, state.jobs, nullptr).clear_epoch();
}

std::vector<KnobSetting> Simulator::capture() const {
  Observation now;
  observe(now);
  return settings_of(model_.spec, *this, now);
}

std::vector<KnobOutcome> Simulator::restore(const std::vector<KnobSetting>& settings) {
  Observation now;
  observe(now);
  // What was decided and is not in force yet, will be: the rest of it must not be lost.
  Action action = state_.pending_ns != kNeverNs ? state_.action : action_asked(now);
  std::vector<KnobOutcome> outcomes = set_knobs(model_.spec, *this, now, settings, action);
  apply(action);
  return outcomes;
}

}  // namespace flyball
