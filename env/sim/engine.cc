#include "env/sim/engine.h"

#include <algorithm>
#include <cstring>

namespace flyball {

void Engine::apply(const Action& action) {
  static_assert(std::has_unique_object_representations_v<Action>);
  if (s_.has_acted && std::memcmp(&action, &s_.action, sizeof action) == 0) return;
  s_.action = action;
  s_.has_acted = true;
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
    if (wanted.level < m_.profile[a]->levels.size()) app.setting.level = wanted.level;
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

void Engine::run(std::int64_t until_ns, const StopAt& stop) {
  s_.released_any = s_.finished_any = false;
  for (;;) {
    start_waiting();
    if (s_.dirty) refresh();
    const std::int64_t next_ns = std::max(next_event_ns(), s_.now_ns);
    s_.now_ns = std::min(next_ns, until_ns);
    settle();
    if (next_ns > until_ns) break;
    handle_due();
    if (s_.now_ns >= until_ns) break;
    if (stop.release && s_.released_any) break;
    if (stop.finish && s_.finished_any) break;
    if (stop.watched_finish && s_.watch_done) break;
  }
}

std::int64_t Engine::next_event_ns() const {
  std::int64_t next = std::min({s_.timeline_ns, s_.poll_ns, s_.thermal_ns + step_ns_});
  for (int c = 0; c < m_.clusters; ++c) next = std::min(next, s_.cluster[c].switch_ns);
  for (int a = 0; a < m_.apps; ++a) {
    next = std::min(next, s_.app[a].arrivals.next_ns());
    if (s_.app[a].running) next = std::min(next, s_.app[a].run.finish_ns);
  }
  return next;
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
  app.setting.level = static_cast<std::uint8_t>(m_.profile[a]->levels.size() - 1);
  app.last_setting = app.last_finished = app.setting;
}

}  // namespace flyball
