#include "env/ledger/script.h"

#include <algorithm>
#include <cmath>

namespace flyball {
namespace {

void take_event(const LedgerModel& model, const ScenarioEvent& event, ScriptState& state,
                JobLedger& ledger, ScriptWorld& world) {
  using Kind = ScenarioEvent::Kind;
  switch (event.kind) {
    case Kind::kRequirements:
      ledger.set_required(event.app, event.required);
      break;
    case Kind::kPeriod:
      ledger.set_period(event.app, std::llround(event.value), event.announced);
      break;
    case Kind::kAmbient:
      world.set_ambient(event.value);
      break;
    case Kind::kPreference:
      state.energy_preference = event.value;
      break;
    case Kind::kBattery:
      world.set_battery(model.scenario.battery_mj * event.value / 100);
      break;
  }
}

}  // namespace

ScriptState begin_script(const LedgerModel& model) {
  ScriptState state;
  state.segment = -1;
  state.energy_preference = model.scenario.energy_preference;
  return state;
}

void play_script(const LedgerModel& model, std::int64_t now_ns, ScriptState& state,
                 JobLedger& ledger, ScriptWorld& world) {
  if (state.next_ns > now_ns) return;
  const auto& segments = model.segments;
  const auto& events = model.scenario.events;
  const int last = static_cast<int>(segments.size()) - 1;
  const auto start_ns = [&](int segment) {
    return segments[static_cast<std::size_t>(segment)].start_ns;
  };
  const int before = state.segment;
  while (state.segment < last && start_ns(state.segment + 1) <= now_ns) ++state.segment;
  if (state.segment != before) world.set_background(state.segment);
  const auto event_ns = [&] {
    const auto next = static_cast<std::size_t>(state.event);
    return next < events.size() ? events[next].at_ns : kNeverNs;
  };
  while (event_ns() <= now_ns) {
    const ScenarioEvent& event = events[static_cast<std::size_t>(state.event++)];
    take_event(model, event, state, ledger, world);
  }
  state.next_ns =
      std::min(event_ns(), state.segment < last ? start_ns(state.segment + 1) : kNeverNs);
}

}  // namespace flyball
