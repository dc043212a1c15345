#include "env/emulated/machine.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "env/model/model.h"

namespace flyball {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

std::int64_t poll_ns(const PlatformSpec& spec) {
  if (spec.trips.empty()) return kNeverNs;
  return std::max<std::int64_t>(1'000'000, std::llround(spec.trip_poll_ms * 1e6));
}

// The shortest time of one inference at every width: the time measured on one core, scaled by what
// the model says of the best mapping at the highest OPPs.
void fill_fastest(const PlatformSpec& spec, const AppProfile& app, std::int64_t inference_ns,
                  std::array<double, kMaxLevels>& fastest_ns) {
  const OppChoice highest = highest_opps(spec);
  const double scale = static_cast<double>(inference_ns) / reference_time_ns(spec, app);
  for (std::size_t w = 0; w < app.levels.size(); ++w) {
    fastest_ns[w] = std::numeric_limits<double>::infinity();
    for (const Mapping& mapping : spec.mappings) {
      const double ns = execution_ns(spec, app, mapping, static_cast<int>(w), highest);
      fastest_ns[w] = std::min(fastest_ns[w], ns * scale);
    }
  }
}

}  // namespace

EmulatedMachine::App::App(const AppSpec& spec, int index, std::uint64_t seed)
    : arrivals(spec, seed, index),
      work(spec, seed, index),
      outstanding(at(std::max(1, spec.queue_limit))) {}

EmulatedMachine::EmulatedMachine(const PlatformSpec& spec, const Scenario& scenario,
                                 std::uint64_t seed, const std::array<int, kMaxApps>& inferences,
                                 std::int64_t inference_ns, LiveKnobs& knobs, MachinePort& port)
    : spec_(spec),
      scenario_(scenario),
      knobs_(knobs),
      port_(port),
      meter_(spec, scenario.ambient_c),
      inferences_(inferences),
      background_(scenario.background.size()) {
  epoch_.cluster_count = static_cast<int>(spec.clusters.size());
  epoch_.app_count = static_cast<int>(scenario.apps.size());
  epoch_.energy_preference = scenario.energy_preference;
  battery_mj_ = scenario.battery_mj * scenario.battery_pct / 100;
  for (int c = 0; c < epoch_.cluster_count; ++c) {
    pending_[at(c)].at_ns = kNeverNs;
    set_opp(c, 0);  // idle at the lowest OPP, as a simulation begins
  }
  for (int a = 0; a < epoch_.app_count; ++a) {
    const AppSpec& app = scenario.apps[at(a)];
    apps_.push_back(std::make_unique<App>(app, a, seed));
    fill_fastest(spec, spec.apps[at(app.profile)], inference_ns, apps_.back()->fastest_ns);
    AppObservation& seen = epoch_.app[at(a)];
    seen.required = app.required;
    seen.setting.mapping =
        static_cast<std::uint8_t>(std::max(0, spec.find_mapping(spec.big_cluster(), 1)));
    seen.setting.level = static_cast<std::uint8_t>(spec.apps[at(app.profile)].levels.size() - 1);
    wanted_.app[at(a)] = seen.setting;
    knobs_.set_app(a, seen.setting);
  }
  meter_.settle();
  next_poll_ns_ = poll_ns(spec);
  assert_ratio_ns_ = kNeverNs;
  describe(epoch_);
  meter_.report(epoch_);
  first_ = epoch_;
}

void EmulatedMachine::request(const Action& action, std::int64_t at_ns) {
  // Only what is due before: a job released at this very moment finds the knobs turned.
  run_until(at_ns - 1);
  if (!ended_) meter_.advance(at_ns);
  for (int c = 0; c < epoch_.cluster_count; ++c) {
    wanted_.opp[at(c)] = static_cast<std::uint8_t>(
        std::min<int>(action.opp[at(c)], spec_.clusters[at(c)].max_opp()));
  }
  for (int a = 0; a < epoch_.app_count; ++a) {
    const AppProfile& profile = spec_.apps[at(scenario_.apps[at(a)].profile)];
    AppSetting setting = wanted_.app[at(a)];
    const AppSetting& asked = action.app[at(a)];
    if (asked.mapping < spec_.mappings.size() && runs_on(profile, spec_.mappings[asked.mapping])) {
      setting.mapping = asked.mapping;
    }
    if (asked.level < profile.levels.size()) setting.level = asked.level;
    wanted_.app[at(a)] = setting;
    epoch_.app[at(a)].setting = setting;
    knobs_.set_app(a, setting);
  }
  aim_at_opps(meter_.now_ns());
}

// Every cluster whose OPP is not the one asked for, or allowed, gets there after the transition
// latency.
void EmulatedMachine::aim_at_opps(std::int64_t now_ns) {
  for (int c = 0; c < epoch_.cluster_count; ++c) {
    const int target = std::min<int>(wanted_.opp[at(c)], meter_.opp_cap(c));
    const int current = knobs_.opp[at(c)].load(std::memory_order_relaxed);
    PendingOpp& pending = pending_[at(c)];
    if (target == current) {
      pending.at_ns = kNeverNs;
    } else if (pending.at_ns == kNeverNs || pending.opp != target) {
      pending.opp = target;
      pending.at_ns = now_ns + std::llround(spec_.clusters[at(c)].transition_latency_us * 1e3);
    }
  }
}

void EmulatedMachine::set_opp(int cluster, int opp) {
  count_cycles();
  meter_.set_opp(cluster, opp);
  knobs_.opp[at(cluster)].store(static_cast<std::uint8_t>(opp), std::memory_order_release);
  if (!running_.busy) return;
  port_.set_speed_ratio(speed_ratio(spec_, spec_.mappings[running_.setting.mapping], knobs_));
  assert_ratio_ns_ = meter_.now_ns() + kAssertAgainNs;
}

std::int64_t EmulatedMachine::next_ns() const {
  if (ended_) return kNeverNs;
  std::int64_t next = std::min({scenario_.duration_ns, next_poll_ns_, assert_ratio_ns_});
  for (int c = 0; c < epoch_.cluster_count; ++c) next = std::min(next, pending_[at(c)].at_ns);
  for (const auto& app : apps_) next = std::min(next, app->arrivals.next_ns());
  if (next_event_ < scenario_.events.size()) {
    next = std::min(next, scenario_.events[next_event_].at_ns);
  }
  for (std::size_t i = 0; i < background_.size(); ++i) {
    const BackgroundLoad& load = scenario_.background[i];
    if (!background_[i].over) {
      next = std::min(next, background_[i].running ? load.stop_ns : load.start_ns);
    }
  }
  return next;
}

void EmulatedMachine::watch_lateness(std::int64_t now_ns) {
  for (const auto& app : apps_) {
    if (ended_ || app->arrivals.next_ns() >= now_ns) continue;
    worst_lateness_ns_ = std::max(worst_lateness_ns_, now_ns - app->arrivals.next_ns());
  }
}

void EmulatedMachine::run_until(std::int64_t now_ns) {
  while (!ended_ && next_ns() <= now_ns) {
    const std::int64_t moment = next_ns();
    meter_.advance(moment);
    if (moment >= scenario_.duration_ns) {
      end();
    } else {
      due(std::max(moment, meter_.now_ns()));
    }
  }
  if (!ended_) meter_.advance(now_ns);
}

void EmulatedMachine::due(std::int64_t now_ns) {
  for (int c = 0; c < epoch_.cluster_count; ++c) {
    if (pending_[at(c)].at_ns > now_ns) continue;
    pending_[at(c)].at_ns = kNeverNs;
    set_opp(c, pending_[at(c)].opp);
  }
  if (assert_ratio_ns_ <= now_ns) {
    assert_ratio_ns_ = kNeverNs;
    if (running_.busy) {
      port_.set_speed_ratio(speed_ratio(spec_, spec_.mappings[running_.setting.mapping], knobs_));
    }
  }
  if (next_poll_ns_ <= now_ns) {
    next_poll_ns_ += poll_ns(spec_);
    meter_.poll_trips();
    aim_at_opps(now_ns);
  }
  while (next_event_ < scenario_.events.size() && scenario_.events[next_event_].at_ns <= now_ns) {
    follow_scenario(scenario_.events[next_event_++]);
  }
  switch_background(now_ns);
  for (int a = 0; a < epoch_.app_count; ++a) {
    while (apps_[at(a)]->arrivals.next_ns() <= now_ns) release(a);
  }
}

void EmulatedMachine::follow_scenario(const ScenarioEvent& event) {
  switch (event.kind) {
    case ScenarioEvent::Kind::kRequirements:
      epoch_.app[at(event.app)].required = event.required;
      break;
    case ScenarioEvent::Kind::kPeriod:
      apps_[at(event.app)]->arrivals.set_period(std::llround(event.value));
      break;
    case ScenarioEvent::Kind::kAmbient:
      meter_.set_ambient(event.value);
      break;
    case ScenarioEvent::Kind::kPreference:
      epoch_.energy_preference = event.value;
      break;
    case ScenarioEvent::Kind::kBattery:
      battery_mj_ = scenario_.battery_mj * event.value / 100;
      battery_from_mj_ = meter_.energy_mj();
      break;
  }
}

void EmulatedMachine::switch_background(std::int64_t now_ns) {
  for (std::size_t i = 0; i < background_.size(); ++i) {
    const BackgroundLoad& load = scenario_.background[i];
    Background& state = background_[i];
    if (!state.over && !state.running && load.start_ns <= now_ns && now_ns < load.stop_ns) {
      state.running = true;
      state.cores = port_.start_background(static_cast<int>(i));
      meter_.add_background(load.cluster, state.cores, load.core_nf);
    }
    if (load.stop_ns <= now_ns) state.over = true;
    if (state.running && state.over) {
      state.running = false;
      port_.stop_background(static_cast<int>(i));
      meter_.add_background(load.cluster, -state.cores, load.core_nf);
    }
  }
}

void EmulatedMachine::end() {
  if (ended_) return;
  for (std::size_t i = 0; i < background_.size(); ++i) {
    if (background_[i].running) port_.stop_background(static_cast<int>(i));
  }
  ended_ = true;
}

bool EmulatedMachine::released_in_epoch() const {
  return std::any_of(epoch_.app.begin(), epoch_.app.end(),
                     [](const AppObservation& app) { return app.released > 0; });
}

bool EmulatedMachine::finished_in_epoch() const {
  return std::any_of(epoch_.app.begin(), epoch_.app.end(),
                     [](const AppObservation& app) { return app.finished > 0; });
}

void EmulatedMachine::describe(Observation& out) const {
  out.now_ns = meter_.now_ns();
  if (scenario_.battery_mj > 0) {
    const double left = battery_mj_ - (meter_.energy_mj() - battery_from_mj_);
    out.battery_pct = std::max(0.0, 100 * left / scenario_.battery_mj);
  }
  for (int a = 0; a < out.app_count; ++a) {
    const AppSpec& app = scenario_.apps[at(a)];
    AppObservation& seen = out.app[at(a)];
    seen.active = app.start_ns <= out.now_ns && out.now_ns < app.stop_ns;
    const Outstanding* oldest = apps_[at(a)]->outstanding.front();
    seen.oldest_release_ns = oldest != nullptr ? oldest->release_ns : 0;
  }
}

void EmulatedMachine::close_epoch(Observation& out) {
  ++epoch_.sequence;
  meter_.report(epoch_);
  describe(epoch_);
  out = epoch_;
  epoch_.clear_jobs();
  for (int a = 0; a < epoch_.app_count; ++a) {
    AppObservation& seen = epoch_.app[at(a)];
    seen.released = seen.finished = seen.missed = 0;
  }
}

}  // namespace flyball
