#include "env/sim/simulator.h"

#include <algorithm>

#include "env/ledger/settings.h"

namespace flyball {
namespace {

constexpr int kForkSteps =
    2;  // thermal steps in one of a fork; see the test of forks for the error

void put_counters(const CounterFlow& from, Counters& to) {
  to = {from.instructions, from.cycles,           from.references, from.misses,
        from.stalls,       from.context_switches, Counters::kAll};
}

}  // namespace

Simulator::Simulator(const PlatformSpec& spec, const Scenario& scenario, SimOptions options)
    : model_(spec, scenario, options.max_step_ms),
      cache_(model_.apps, model_.clusters),
      engine_(model_, cache_, state_) {
  engine_.reset(options.seed);
}

void Simulator::observe(Observation& out) const noexcept {
  out.clear_jobs();
  observe(state_, 0, out);
}

Status Simulator::apply(const Action& action) noexcept {
  engine_.apply(action);
  return Status::kOk;
}

Status Simulator::advance(const EpochRequest& request, Observation& out) noexcept {
  out.clear_jobs();
  const std::int64_t start_ns = state_.now_ns;
  const std::int64_t end_ns = model_.scenario.duration_ns;
  if (start_ns >= end_ns || interrupted_.load(std::memory_order_relaxed)) {
    observe(state_, 0, out);
    return start_ns >= end_ns ? Status::kFinished : Status::kInterrupted;
  }
  const std::int64_t interval_ns = std::max<std::int64_t>(1, request.interval_ns);
  const std::int64_t until_ns = end_ns - start_ns > interval_ns ? start_ns + interval_ns : end_ns;
  engine_.report_to(&out);
  engine_.run(until_ns, {.release = request.stop_at_release, .finish = request.stop_at_finish});
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
  const double per_ns = epoch_ns > 0 ? 1 / static_cast<double>(epoch_ns) : 0;
  const double per_s = 1e9 * per_ns;
  out.sequence = state.epochs;
  out.now_ns = state.now_ns;
  out.epoch_ns = epoch_ns;
  out.energy_mj = state.epoch_mj;
  out.power_mw = epoch_ns > 0 ? state.epoch_mj * per_s : state.total_mw;
  out.battery_pct =
      model_.scenario.battery_mj > 0 ? 100 * state.battery_mj / model_.scenario.battery_mj : 100;
  out.energy_preference = state.script.energy_preference;
  out.sustainable_mw = sustainable_mw(model_.scenario, state.battery_mj, state.now_ns);
  out.cluster_count = model_.clusters;
  out.sensors_ok = true;
  out.sensed = {};
  out.held = 0;
  JobLedger::observe(model_.ledger, state.jobs, out);
  for (int a = 0; a < model_.apps; ++a) {
    put_counters(state.run[a].counted, out.app[a].counters);
  }
  for (int c = 0; c < model_.clusters; ++c) {
    const SimCluster& from = state.cluster[c];
    const ClusterKnob& knob = state.knobs.cluster[c];
    const SimModel::Point& point = model_.point[c][knob.opp];
    BusiestCore busiest(from.background_ns,
                        model_.ledger.segments[state.script.segment].whole_cores[c]);
    for (int a = 0; a < model_.apps; ++a) {
      busiest.add(state.run[a].busy_ns[c], state.run[a].wanted_cores[c]);
    }
    ClusterObservation& to = out.cluster[c];
    to.sensed = {};
    to.freq_khz = point.freq_khz;
    to.asked_khz = model_.point[c][knob.asked].freq_khz;
    to.capacity = point.capacity;
    to.util_max = std::min(1.0, busiest.busy_ns(model_.cores[c]) * per_ns);
    to.util_mean = std::min(1.0, from.busy_core_ns * per_ns * model_.per_core[c]);
    to.power_mw = epoch_ns > 0 ? from.energy_mj * per_s : from.power_mw;
    to.temp_c = from.temp_c;
    put_counters(from.counted, to.counters);
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
  const Action action = state_.pending_ns != kNeverNs ? state_.action : action_asked(now);
  return restore_knobs(model_.spec, *this, now, action, settings);
}

}  // namespace flyball
