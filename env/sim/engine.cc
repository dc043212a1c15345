#include "env/sim/engine.h"

#include <algorithm>
#include <cmath>

namespace flyball {
namespace {

// A finish that rounding put a hair above a whole nanosecond is that nanosecond.
constexpr double kRoundNs = 1e-3;

}  // namespace

void Engine::apply(const Action& action) {
  for (int c = 0; c < m_.clusters; ++c) {
    s_.cluster[c].asked =
        static_cast<std::uint8_t>(std::min<int>(action.opp[c], m_.spec.clusters[c].max_opp()));
    set_goal(c);
  }
  for (int a = 0; a < m_.apps; ++a) {
    const AppSetting& wanted = action.app[a];
    SimApp& app = s_.app[a];
    // What does not exist or cannot run the application stays as it was.
    if (wanted.mapping < m_.spec.mappings.size() && m_.supported[a][wanted.mapping]) {
      app.setting.mapping = wanted.mapping;
    }
    if (wanted.width < m_.profile[a]->widths.size()) app.setting.width = wanted.width;
  }
}

void Engine::set_goal(int c) {
  SimCluster& cluster = s_.cluster[c];
  const std::uint8_t goal = std::min(cluster.asked, s_.thermal.opp_cap[c]);
  if (goal == cluster.opp) {
    cluster.switch_ns = kNeverNs;
    cluster.coming = goal;
    return;
  }
  if (cluster.switch_ns != kNeverNs && cluster.coming == goal) return;
  cluster.coming = goal;
  const auto latency_ns =
      static_cast<std::int64_t>(m_.spec.clusters[c].transition_latency_us * 1e3);
  if (latency_ns > 0) {
    cluster.switch_ns = s_.now_ns + latency_ns;
    return;
  }
  settle();
  cluster.opp = goal;
  cluster.switch_ns = kNeverNs;
  s_.dirty = true;
}

void Engine::run(std::int64_t until_ns, StopAt stop) {
  s_.released_any = false;
  for (;;) {
    start_waiting();
    if (s_.dirty) refresh();
    s_.now_ns = next_event_ns(until_ns);
    settle();
    handle_due();
    if (s_.now_ns >= until_ns) break;
    if (stop == StopAt::kRelease && s_.released_any) break;
    if (stop == StopAt::kWatchedFinish && s_.watch_done) break;
  }
}

std::int64_t Engine::next_event_ns(std::int64_t until_ns) const {
  std::int64_t next = std::min({until_ns, s_.timeline_ns, s_.poll_ns, s_.thermal_ns + step_ns_});
  for (int c = 0; c < m_.clusters; ++c) next = std::min(next, s_.cluster[c].switch_ns);
  for (int a = 0; a < m_.apps; ++a) {
    next = std::min(next, s_.app[a].arrivals.next_ns());
    if (s_.app[a].running) next = std::min(next, s_.app[a].run.finish_ns);
  }
  return std::max(next, s_.now_ns);
}

void Engine::handle_due() {
  const std::int64_t now = s_.now_ns;
  for (int a = 0; a < m_.apps; ++a) {
    if (s_.app[a].running && s_.app[a].run.finish_ns <= now) finish(a);
  }
  for (int c = 0; c < m_.clusters; ++c) {
    SimCluster& cluster = s_.cluster[c];
    if (cluster.switch_ns > now) continue;
    cluster.opp = cluster.coming;
    cluster.switch_ns = kNeverNs;
    s_.dirty = true;
  }
  if (s_.timeline_ns <= now) {
    const auto segments = static_cast<int>(m_.segments.size());
    while (s_.segment + 1 < segments && m_.segments[s_.segment + 1].start_ns <= now) {
      ++s_.segment;
      s_.dirty = true;
    }
    const auto& events = m_.scenario.events;
    while (s_.event < static_cast<int>(events.size()) && events[s_.event].at_ns <= now) {
      take_event(events[s_.event++]);
    }
    set_timeline();
  }
  for (int a = 0; a < m_.apps; ++a) {
    while (s_.app[a].arrivals.next_ns() <= now) release(a);
  }
  if (s_.poll_ns <= now) {
    s_.poll_ns += m_.trip_poll_ns;
    thermal_step();
    thermal_poll_trips(m_.spec, s_.thermal);
    for (int c = 0; c < m_.clusters; ++c) set_goal(c);
  } else if (s_.thermal_ns + step_ns_ <= now) {
    thermal_step();
  }
}

void Engine::set_timeline() {
  s_.timeline_ns = kNeverNs;
  if (s_.segment + 1 < static_cast<int>(m_.segments.size())) {
    s_.timeline_ns = m_.segments[s_.segment + 1].start_ns;
  }
  if (s_.event < static_cast<int>(m_.scenario.events.size())) {
    s_.timeline_ns = std::min(s_.timeline_ns, m_.scenario.events[s_.event].at_ns);
  }
}

void Engine::take_event(const ScenarioEvent& event) {
  using Kind = ScenarioEvent::Kind;
  switch (event.kind) {
    case Kind::kRequirements:
      s_.app[event.app].required = event.required;
      break;
    case Kind::kPeriod:
      s_.app[event.app].arrivals.set_period(static_cast<std::int64_t>(event.value));
      break;
    case Kind::kAmbient:
      thermal_step();
      s_.thermal.ambient_c = event.value;
      settle_temperatures();
      break;
    case Kind::kPreference:
      s_.energy_preference = event.value;
      break;
    case Kind::kBattery:
      s_.battery_mj = m_.scenario.battery_mj * event.value / 100;
      break;
  }
}

void Engine::release(int a) {
  SimApp& app = s_.app[a];
  QueuedJob job;
  job.sequence = app.next_sequence++;
  job.release_ns = app.arrivals.next_ns();
  job.deadline_ns =
      app.required.deadline_ns > 0 ? job.release_ns + app.required.deadline_ns : kNeverNs;
  job.work = app.work.next();
  job.accuracy_floor_pct = static_cast<float>(app.required.accuracy_floor_pct);
  app.arrivals.step(m_.scenario.apps[a]);
  ++app.released;
  s_.released_any = true;
  const int limit = std::min(m_.scenario.apps[a].queue_limit, kMaxQueue);
  if (static_cast<int>(app.backlog()) < limit) {
    app.queue[(app.head + app.waiting++) % kMaxQueue] = job;
    return;
  }
  ++app.missed;
  if (sink_ == nullptr) return;
  JobRecord record;
  record.sequence = job.sequence;
  record.release_ns = record.start_ns = record.finish_ns = job.release_ns;
  record.deadline_ns = job.deadline_ns;
  record.accuracy_floor_pct = job.accuracy_floor_pct;
  record.app = static_cast<std::uint8_t>(a);
  record.setting = app.setting;
  record.missed = record.dropped = true;
  record.infeasible =
      !m_.feasible(a, job.release_ns, job.deadline_ns, job.work, app.required.accuracy_floor_pct);
  sink_->add_job(record);
}

void Engine::start_waiting() {
  for (int a = 0; a < m_.apps; ++a) {
    SimApp& app = s_.app[a];
    if (app.running || app.waiting == 0) continue;
    RunningJob& run = app.run;
    run = RunningJob{};
    run.job = app.queue[app.head];
    app.head = (app.head + 1) % kMaxQueue;
    --app.waiting;
    run.setting = app.setting;
    run.start_ns = s_.now_ns;
    run.left = run.job.work;
    if (app.started) run.overhead_ns = m_.switch_ns(app.last_setting, app.setting);
    app.started = true;
    app.last_setting = app.setting;
    app.running = true;
    ++s_.running;
    s_.dirty = true;
    if (a == s_.watched_app && !s_.watch_started) {
      s_.watch_started = true;
      s_.watched_sequence = run.job.sequence;
      s_.watched_deadline_ns = run.job.deadline_ns;
    }
  }
}

void Engine::finish(int a) {
  SimApp& app = s_.app[a];
  const RunningJob& run = app.run;
  app.running = false;
  --s_.running;
  s_.dirty = true;
  ++app.finished;
  const bool missed = s_.now_ns > run.job.deadline_ns;
  if (missed) ++app.missed;
  app.last_latency_ns = s_.now_ns - run.job.release_ns;
  app.last_execution_ns = s_.now_ns - run.start_ns;
  app.last_cycles = run.cycles;
  app.last_finished = run.setting;
  if (a == s_.watched_app && s_.watch_started && run.job.sequence == s_.watched_sequence) {
    s_.watch_done = true;
    s_.watched_finish_ns = s_.now_ns;
  }
  if (sink_ == nullptr) return;
  JobRecord record;
  record.sequence = run.job.sequence;
  record.release_ns = run.job.release_ns;
  record.start_ns = run.start_ns;
  record.finish_ns = s_.now_ns;
  record.deadline_ns = run.job.deadline_ns;
  record.energy_mj = run.energy_mj;
  record.cycles = run.cycles;
  record.accuracy_pct = static_cast<float>(m_.profile[a]->widths[run.setting.width].accuracy_pct);
  record.accuracy_floor_pct = run.job.accuracy_floor_pct;
  record.app = static_cast<std::uint8_t>(a);
  record.setting = run.setting;
  record.missed = missed;
  // A job that met both was feasible; only the others need the search.
  if (missed || record.accuracy_pct < record.accuracy_floor_pct) {
    // The file's floor is a double, the record's a float: half a step of it must not matter.
    record.infeasible = !m_.feasible(a, run.job.release_ns, run.job.deadline_ns, run.job.work,
                                     static_cast<double>(record.accuracy_floor_pct) - 1e-4);
  }
  sink_->add_job(record);
}

void Engine::refresh() {
  s_.dirty = false;
  const SimModel::Segment& background = m_.segments[s_.segment];
  OppChoice opp{};
  for (int c = 0; c < m_.clusters; ++c) opp[c] = s_.cluster[c].opp;
  std::array<const JobCost*, kMaxApps> cost{};
  double memory_sum = 0;
  for (int a = 0; a < m_.apps; ++a) {
    if (!s_.app[a].running) continue;
    cost[a] = &cache_.job_cost(m_, a, s_.app[a].run.setting, opp);
    memory_sum += cost[a]->memory_share;
  }
  std::array<double, kMaxClusters> share{};
  for (int c = 0; c < m_.clusters; ++c) {
    double wanted = background.cores[c];
    for (int a = 0; a < m_.apps; ++a) {
      if (cost[a] != nullptr) {
        wanted += m_.spec.mappings[s_.app[a].run.setting.mapping].cores[c];
      }
    }
    // More threads than cores: everyone gets the same part of what it wants.
    const double cores = m_.spec.clusters[c].cores;
    share[c] = wanted > cores ? cores / wanted : 1.0;
    refresh_cluster(c, share[c], cost);
  }
  s_.total_mw = m_.spec.board_mw;
  for (int c = 0; c < m_.clusters; ++c) s_.total_mw += s_.cluster[c].power_mw;

  for (int a = 0; a < m_.apps; ++a) {
    if (cost[a] == nullptr) continue;
    RunningJob& run = s_.app[a].run;
    double speed = 0;
    for (int c = 0; c < m_.clusters; ++c) {
      speed += cost[a]->speed_share[c] * share[c];
      const double cores = m_.spec.mappings[run.setting.mapping].cores[c];
      if (cores == 0) continue;
      run.core_busy[c] = share[c] * (c == cost[a]->fastest ? 1.0 : cost[a]->busy_cores[c] / cores);
    }
    // An access to memory waits behind those of other jobs for the part of the time that these are
    // at memory; the background says by itself how much it slows.
    const double others = memory_sum - cost[a]->memory_share;
    const double slowdown = 1 + background.slowdown + cost[a]->memory_share * others;
    run.rate = speed / (cost[a]->alone_ns * slowdown);
    run.cycles_per_ns = cost[a]->cycles_per_ns * share[cost[a]->fastest];
    const double need_ns = run.overhead_ns + run.left / run.rate;
    run.finish_ns = s_.now_ns + std::max<std::int64_t>(
                                    1, static_cast<std::int64_t>(std::ceil(need_ns - kRoundNs)));
  }
}

void Engine::refresh_cluster(int c, double share,
                             const std::array<const JobCost*, kMaxApps>& cost) {
  const SimModel::Segment& background = m_.segments[s_.segment];
  const ClusterSpec& spec = m_.spec.clusters[c];
  SimCluster& cluster = s_.cluster[c];
  ClusterLoad load;
  load.opp = cluster.opp;
  load.busy_cores = background.cores[c];
  load.busy_nf = background.nf[c];
  load.gate_idle_cores = spec.gate_idle_cores;
  for (int a = 0; a < m_.apps; ++a) {
    if (cost[a] == nullptr || cost[a]->busy_cores[c] == 0) continue;
    load.busy_cores += cost[a]->busy_cores[c];
    load.busy_nf += cost[a]->busy_nf[c];
    load.static_ma += cost[a]->static_ma[c];
    load.gate_idle_cores = load.gate_idle_cores || m_.profile[a]->unit[c].gate_idle_cores;
  }
  load.busy_cores *= share;
  load.busy_nf *= share;
  const ClusterPower& power = cache_.cluster_power(m_, c, load);
  cluster.busy_cores = load.busy_cores;
  cluster.background_core = share * std::min(1.0, background.cores[c]);
  cluster.fixed_mw = power.fixed_mw;
  cluster.leak = power.leak;
  cluster.power_mw = power.fixed_mw + power.leak * cluster.leakage_w;
}

void Engine::settle() {
  const std::int64_t span_ns = s_.now_ns - s_.settled_ns;
  if (span_ns <= 0) return;
  s_.settled_ns = s_.now_ns;
  const auto dt_ns = static_cast<double>(span_ns);
  const double energy_mj = s_.total_mw * dt_ns * 1e-9;
  s_.total_mj += energy_mj;
  s_.epoch_mj += energy_mj;
  s_.thermal_mj += energy_mj;
  s_.battery_mj = std::max(0.0, s_.battery_mj - energy_mj);
  for (int c = 0; c < m_.clusters; ++c) {
    SimCluster& cluster = s_.cluster[c];
    cluster.energy_mj += cluster.power_mw * dt_ns * 1e-9;
    cluster.busy_core_ns += cluster.busy_cores * dt_ns;
    cluster.background_ns += cluster.background_core * dt_ns;
  }
  if (s_.running == 0) return;
  const double each_mj = energy_mj / s_.running;
  for (int a = 0; a < m_.apps; ++a) {
    SimApp& app = s_.app[a];
    if (!app.running) continue;
    RunningJob& run = app.run;
    run.energy_mj += each_mj;
    const double overhead_ns = std::min(run.overhead_ns, dt_ns);
    run.overhead_ns -= overhead_ns;
    run.left -= run.rate * (dt_ns - overhead_ns);
    run.cycles += run.cycles_per_ns * (dt_ns - overhead_ns);
    for (int c = 0; c < m_.clusters; ++c) app.busy_ns[c] += run.core_busy[c] * dt_ns;
  }
}

void Engine::thermal_step() {
  const std::int64_t span_ns = s_.now_ns - s_.thermal_ns;
  if (span_ns <= 0) return;
  s_.thermal_ns = s_.now_ns;
  // The mean power of the step: time constants are seconds, a step is milliseconds.
  const double dt_s = static_cast<double>(span_ns) * 1e-9;
  m_.thermal_step(s_.thermal_mj / dt_s * 1e-3, dt_s, s_.thermal);
  s_.thermal_mj = 0;
  settle_temperatures();
}

void Engine::settle_temperatures() {
  m_.update_temperatures(s_.thermal);
  s_.total_mw = m_.spec.board_mw;
  for (int c = 0; c < m_.clusters; ++c) {
    SimCluster& cluster = s_.cluster[c];
    cluster.temp_c = cluster_temp_c(m_.spec, s_.thermal, c);
    cluster.leakage_w = m_.leakage(c, cluster.temp_c);
    cluster.power_mw = cluster.fixed_mw + cluster.leak * cluster.leakage_w;
    s_.total_mw += cluster.power_mw;
  }
}

void Engine::reset(std::uint64_t seed) {
  s_ = SimState{};
  const Scenario& scenario = m_.scenario;
  s_.energy_preference = scenario.energy_preference;
  s_.battery_mj = scenario.battery_mj * scenario.battery_pct / 100;
  s_.poll_ns = m_.trip_poll_ns;
  thermal_reset(m_.spec, scenario.ambient_c, m_.spec.board_mw * 1e-3, s_.thermal);
  // Idle at the lowest OPPs until leakage and temperatures have settled: each round shrinks the
  // error a hundredfold.
  for (int round = 0; round < 8; ++round) {
    settle_temperatures();
    refresh();
    thermal_reset(m_.spec, scenario.ambient_c, s_.total_mw * 1e-3, s_.thermal);
  }
  for (int a = 0; a < m_.apps; ++a) reset_app(a, seed);
  settle_temperatures();
  handle_due();  // timeline_ns is 0: this sets it
  s_.dirty = true;
  refresh();
}

void Engine::reset_app(int a, std::uint64_t seed) {
  SimApp& app = s_.app[a];
  const AppSpec& spec = m_.scenario.apps[a];
  app.required = spec.required;
  app.arrivals = ArrivalStream(spec, seed, a);
  app.work = WorkStream(spec, seed, a);
  const int big = m_.spec.find_mapping(m_.spec.big_cluster(), 1);
  if (big >= 0 && m_.supported[a][big]) {
    app.setting.mapping = static_cast<std::uint8_t>(big);
  } else {
    const auto& known = m_.supported[a];
    const auto first = std::find(known.begin(), known.end(), 1);
    app.setting.mapping =
        first == known.end() ? 0 : static_cast<std::uint8_t>(first - known.begin());
  }
  app.setting.width = static_cast<std::uint8_t>(m_.profile[a]->widths.size() - 1);
  app.last_setting = app.last_finished = app.setting;
}

}  // namespace flyball
