#include "env/sim/engine.h"

#include <algorithm>

#include "env/ledger/pool_rank.h"

namespace flyball {

void Engine::apply(const Action& action) {
  // Who has come since has not been asked.
  const bool same_roster = s_.has_acted && s_.acted_roster == s_.jobs.roster_version;
  if (same_roster && action == s_.action) return;
  s_.action = action;
  s_.acted_roster = s_.jobs.roster_version;
  s_.has_acted = true;
  s_.next_ns = SimState::kUnknownNs;
  s_.pending_ns = s_.now_ns + m_.decision_ns;
  if (m_.decision_ns == 0) put_in_force();
}

void Engine::put_in_force() {
  s_.pending_ns = kNeverNs;
  for (int c = 0; c < m_.clusters; ++c) s_.knobs.ask(m_.spec, c, s_.action.opp[c], s_.now_ns);
  ledger_.ask(s_.action);
}

void Engine::run(std::int64_t until_ns, const StopAt& stop) {
  s_.jobs.released_any = s_.jobs.finished_any = false;
  if (s_.pending_ns != kNeverNs) {
    until_ns = std::max(until_ns, std::min(s_.pending_ns, m_.scenario.duration_ns));
  }
  for (;;) {
    if (s_.dirty) refresh();
    if (s_.next_ns == SimState::kUnknownNs) s_.next_ns = next_event_ns();
    const std::int64_t next_ns = std::max(s_.next_ns, s_.now_ns);
    s_.now_ns = std::min(next_ns, until_ns);
    settle();
    if (next_ns > until_ns) break;
    s_.next_ns = SimState::kUnknownNs;
    handle_due();
    start_waiting();
    if (s_.now_ns >= until_ns) break;
    if (s_.pending_ns != kNeverNs) continue;
    if (stop.release && s_.jobs.released_any) break;
    if (stop.finish && s_.jobs.finished_any) break;
  }
}

std::int64_t Engine::next_event_ns() const {
  std::int64_t next =
      std::min({s_.script.next_ns, s_.poll_ns, s_.thermal_ns + step_ns_, s_.pending_ns, s_.idle_ns,
                ledger_.next_ns(), s_.knobs.next_ns(m_.clusters)});
  for (int a = 0; a < m_.apps; ++a) {
    if (s_.jobs.app[a].running) next = std::min(next, s_.run[a].finish_ns);
  }
  return next;
}

void Engine::handle_due() {
  const std::int64_t now = s_.now_ns;
  for (int a = 0; a < m_.apps; ++a) {
    if (!s_.jobs.app[a].running || s_.run[a].finish_ns > now) continue;
    switch_context(a);
    ledger_.finish(a, now);
    s_.dirty = true;
    // The next job may begin at once: a core that has just run sleeps as little as one that runs.
    for (int c = 0; c < m_.clusters && m_.idle_states; ++c)
      if (s_.run[a].cores[c] > 0) s_.idle[c].depth = 0;
  }
  if (s_.pending_ns <= now) put_in_force();
  if (s_.idle_ns <= now) s_.dirty = true;
  for (int c = 0; c < m_.clusters; ++c) s_.dirty |= s_.knobs.settle(c, now);
  if (s_.script.next_ns <= now) play_script(m_.ledger, now, s_.script, ledger_, *this);
  if (s_.jobs.roster_ns <= now) ledger_.turn_roster(now);
  for (int a = 0; a < m_.apps; ++a) {
    while (s_.jobs.app[a].arrivals.next_ns() <= now) ledger_.release(a);
  }
  if (s_.poll_ns <= now) {
    s_.poll_ns += m_.trip_poll_ns;
    thermal_step();
    thermal_poll_trips(m_.spec, s_.thermal);
    for (int c = 0; c < m_.clusters; ++c) {
      s_.knobs.set_cap(m_.spec, c, s_.thermal.opp_cap[c], now);
      s_.dirty |= s_.knobs.settle(c, now);
    }
  } else if (s_.thermal_ns + step_ns_ <= now) {
    thermal_step();
  }
}

void Engine::start_waiting() {
  const auto start = [&](int a) {
    const LedgerApp& app = s_.jobs.app[a];
    SimJob& run = s_.run[a];
    run.overhead_ns = app.started ? switch_ns(m_.spec, app.last_setting, app.setting) : 0;
    ledger_.start(a, app.setting, cpus_for(a), s_.now_ns);
    switch_context(a);
    if (m_.idle_states) wake(a);
    run.left = app.job.work;
    run.cores = m_.spec.mappings[app.setting.mapping].cores;
    s_.dirty = true;
  };
  // What this machine emulates has one pool of workers for all.
  if (m_.spec.emulated && s_.jobs.running > 0) return;
  const auto rank = [&](int a) {
    const LedgerApp& app = s_.jobs.app[a];
    const LedgerJob& job = app.waiting_job(0);
    return pool_rank(job.deadline_ns, app.required.priority, job.release_ns);
  };
  int first = -1;
  for (int a = 0; a < m_.apps; ++a) {
    const LedgerApp& app = s_.jobs.app[a];
    if (app.running || app.waiting == 0) continue;
    if (!m_.spec.emulated) {
      start(a);
    } else if (first < 0 || rank(a) < rank(first)) {
      first = a;
    }
  }
  if (first >= 0) start(first);
}

CpuSet Engine::cpus_for(int a) const {
  const std::uint8_t mapping = s_.jobs.app[a].setting.mapping;
  return m_.apps == 1 ? m_.first_cpus[mapping]
                      : ledger_.cpus_for(a, m_.spec.mappings[mapping], m_.cpus);
}

/// A job's threads come on their cores, or leave them. That nothing else switches is assumed.
void Engine::switch_context(int a) {
  const Mapping& mapping = m_.spec.mappings[s_.jobs.app[a].job_setting.mapping];
  for (int c = 0; c < m_.clusters; ++c) {
    s_.cluster[c].counted.context_switches += mapping.cores[c];
    s_.run[a].counted.context_switches += mapping.cores[c];
  }
}

void Engine::set_background(int) { s_.dirty = true; }

void Engine::set_ambient(double ambient_c) {
  thermal_step();
  s_.thermal.ambient_c = ambient_c;
  settle_temperatures();
}

void Engine::set_battery(double left_mj) { s_.battery_mj = left_mj; }

void Engine::reset(std::uint64_t seed) {
  s_ = SimState{};
  const Scenario& scenario = m_.scenario;
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
  for (int c = 0; c < m_.clusters; ++c) s_.knobs.cluster[c].cap = s_.thermal.opp_cap[c];
  ledger_.reset(seed);
  settle_temperatures();
  s_.script = begin_script(m_.ledger);
  handle_due();
  start_waiting();
  s_.dirty = true;
  refresh();
}

}  // namespace flyball
