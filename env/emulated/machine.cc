#include "env/emulated/machine.h"

#include <algorithm>
#include <cmath>

#include "env/model/capacity.h"
#include "env/model/model.h"

namespace flyball {
namespace {

std::size_t to_index(int index) { return static_cast<std::size_t>(index); }

std::int64_t poll_ns(const PlatformSpec& spec) {
  if (spec.trips.empty()) return kNeverNs;
  return std::max<std::int64_t>(1'000'000, std::llround(spec.trip_poll_ms * 1e6));
}

}  // namespace

EmulatedMachine::EmulatedMachine(const PlatformSpec& spec, const Scenario& scenario,
                                 std::uint64_t seed, const std::array<int, kMaxApps>& inferences,
                                 std::int64_t inference_ns, LiveKnobs& knobs, MachinePort& port)
    : spec_(spec),
      scenario_(scenario),
      model_(spec, scenario),
      knobs_(knobs),
      port_(port),
      meter_(spec, scenario.ambient_c),
      inferences_(inferences),
      background_(scenario.background.size()),
      script_(begin_script(model_)) {
  battery_mj_ = scenario.battery_mj * scenario.battery_pct / 100;
  for (int a = 0; a < model_.apps; ++a) {
    model_.scale[to_index(a)] = inferences[to_index(a)] * static_cast<double>(inference_ns) /
                                reference_time_ns(spec, *model_.profile[to_index(a)]);
  }
  ledger().reset(seed);
  for (int a = 0; a < model_.apps; ++a) knobs_.set_app(a, jobs_.app[to_index(a)].setting);
  for (std::size_t c = 0; c < spec.clusters.size(); ++c) {
    turned_.cluster[c].cap = static_cast<std::uint8_t>(meter_.opp_cap(static_cast<int>(c)));
    meter_.set_opp(static_cast<int>(c), 0);  // idle at the lowest OPP, as a simulation begins
    knobs_.opp[c].store(0, std::memory_order_release);
  }
  meter_.settle();
  next_poll_ns_ = poll_ns(spec);
  fill(first_);
}

void EmulatedMachine::request(const Action& action, std::int64_t at_ns) {
  // Only what is due before: what happens at this very moment finds the knobs turned.
  run_until(at_ns - 1);
  if (!ended_) advance(at_ns);
  for (int c = 0; c < static_cast<int>(spec_.clusters.size()); ++c) {
    turned_.ask(spec_, c, action.opp[to_index(c)], meter_.now_ns());
  }
  ledger().ask(action);
  for (int a = 0; a < model_.apps; ++a) knobs_.set_app(a, jobs_.app[to_index(a)].setting);
  settle_knobs(meter_.now_ns());
}

void EmulatedMachine::settle_knobs(std::int64_t now_ns) {
  for (int c = 0; c < static_cast<int>(spec_.clusters.size()); ++c) {
    if (!turned_.settle(c, now_ns)) continue;
    const std::uint8_t opp = turned_.cluster[to_index(c)].opp;
    meter_.set_opp(c, opp);
    knobs_.opp[to_index(c)].store(opp, std::memory_order_release);
    set_running_speed();
  }
}

void EmulatedMachine::set_running_speed() {
  if (busy_app_ < 0) return;
  const Mapping& mapping = spec_.mappings[jobs_.app[to_index(busy_app_)].job_setting.mapping];
  port_.set_speed_ratio(speed_ratio(spec_, mapping, knobs_));
  assert_ratio_ns_ = meter_.now_ns() + kAssertAgainNs;
}

std::int64_t EmulatedMachine::next_ns() const {
  if (ended_) return kNeverNs;
  std::int64_t next =
      std::min({scenario_.duration_ns, next_poll_ns_, assert_ratio_ns_, jobs_.roster_ns,
                script_.next_ns, turned_.next_ns(static_cast<int>(spec_.clusters.size()))});
  for (int a = 0; a < model_.apps; ++a) {
    next = std::min(next, jobs_.app[to_index(a)].arrivals.next_ns());
  }
  return next;
}

void EmulatedMachine::watch_lateness(std::int64_t now_ns) {
  for (int a = 0; a < model_.apps; ++a) {
    const std::int64_t release_ns = jobs_.app[to_index(a)].arrivals.next_ns();
    if (ended_ || release_ns >= now_ns) continue;
    worst_lateness_ns_ = std::max(worst_lateness_ns_, now_ns - release_ns);
  }
}

void EmulatedMachine::advance(std::int64_t now_ns) {
  const double before_mj = meter_.energy_mj();
  meter_.advance(now_ns);
  count_cycles();
  ledger().charge(meter_.energy_mj() - before_mj);
}

void EmulatedMachine::run_until(std::int64_t now_ns) {
  while (!ended_ && next_ns() <= now_ns) {
    const std::int64_t moment = next_ns();
    advance(moment);
    if (moment >= scenario_.duration_ns) {
      end();
    } else {
      due(std::max(moment, meter_.now_ns()));
    }
  }
  if (!ended_) advance(now_ns);
}

void EmulatedMachine::due(std::int64_t now_ns) {
  settle_knobs(now_ns);
  if (assert_ratio_ns_ <= now_ns) {
    set_running_speed();
    assert_ratio_ns_ = kNeverNs;
  }
  if (next_poll_ns_ <= now_ns) {
    next_poll_ns_ += poll_ns(spec_);
    meter_.poll_trips();
    for (int c = 0; c < static_cast<int>(spec_.clusters.size()); ++c) {
      turned_.set_cap(spec_, c, meter_.opp_cap(c), now_ns);
    }
    settle_knobs(now_ns);
  }
  JobLedger told = ledger();
  play_script(model_, now_ns, script_, told, *this);
  if (jobs_.roster_ns <= now_ns) ledger().turn_roster(now_ns);
  for (int a = 0; a < model_.apps; ++a) {
    while (jobs_.app[to_index(a)].arrivals.next_ns() <= now_ns) release(a);
  }
}

void EmulatedMachine::release(int a) {
  if (!ledger().release(a)) return;
  const ReadyJob job = newest_job(jobs_.app[to_index(a)], a, inferences_[to_index(a)]);
  if (!port_.submit(job)) ledger().drop_newest(a);
}

void EmulatedMachine::set_battery(double left_mj) {
  battery_mj_ = left_mj;
  battery_from_mj_ = meter_.energy_mj();
}

void EmulatedMachine::set_background(int segment) {
  const std::int64_t since_ns = model_.segments[to_index(segment)].start_ns;
  for (std::size_t i = 0; i < background_.size(); ++i) {
    const BackgroundLoad& load = scenario_.background[i];
    Background& state = background_[i];
    const bool runs = load.start_ns <= since_ns && since_ns < load.stop_ns;
    if (runs == state.running) continue;
    state.running = runs;
    if (runs) {
      state.cores = port_.start_background(static_cast<int>(i));
    } else {
      port_.stop_background(static_cast<int>(i));
    }
    meter_.add_background(load.cluster, runs ? state.cores : -state.cores, load.core_nf);
  }
}

void EmulatedMachine::on_event(const JobEvent& event, std::int64_t at_ns) {
  if (event.kind == JobEvent::Kind::kStarted) {
    run_until(at_ns);
    if (!ended_) started(event, at_ns);
    return;
  }
  // A job that is released at this very moment finds the place of this one free.
  run_until(at_ns - 1);
  if (ended_) return;
  advance(at_ns);
  finished(event, at_ns);
}

void EmulatedMachine::started(const JobEvent& event, std::int64_t at_ns) {
  const Mapping& mapping = spec_.mappings[event.setting.mapping];
  ledger().start(event.app, event.setting, event.cpus, at_ns);
  busy_app_ = event.app;
  counted_ns_ = meter_.now_ns();
  meter_.job_started(*model_.profile[event.app], mapping, event.setting.level, event.cpus.count(),
                     event.app);
  // The knob may have turned between the executor's reading it and now.
  if (speed_ratio(spec_, mapping, knobs_) != event.speed_ratio) set_running_speed();
}

void EmulatedMachine::finished(const JobEvent& event, std::int64_t at_ns) {
  meter_.job_finished();
  take_counters(event);
  // Who came or went since has been seen to: the roster does not go back.
  ledger().finish(busy_app_, at_ns, std::max(at_ns, meter_.now_ns()));
  busy_app_ = -1;
}

// A job counts where it ends; the clusters that served it share by their cores.
void EmulatedMachine::take_counters(const JobEvent& event) {
  lost_counters_ = lost_counters_ || event.counters.held != 0;
  app_counted_[to_index(busy_app_)].add(event.counters);
  const Mapping& mapping = spec_.mappings[jobs_.app[to_index(busy_app_)].job_setting.mapping];
  int cores = 0;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) cores += mapping.cores[c];
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    cluster_counted_[c].add(event.counters, static_cast<double>(mapping.cores[c]) / cores);
  }
}

// Of a core at the emulated frequency: its clock runs while the duty cycle holds the real one back.
// Of the fastest cluster that serves the job, and of its cores the part that other load leaves.
void EmulatedMachine::count_cycles() {
  if (busy_app_ < 0) return;
  LedgerApp& app = jobs_.app[to_index(busy_app_)];
  double khz = 0;
  double share = 1;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    if (spec_.mappings[app.job_setting.mapping].cores[c] == 0) continue;
    const std::size_t opp = knobs_.opp[c].load(std::memory_order_relaxed);
    if (spec_.clusters[c].opps[opp].delivered_khz() <= khz) continue;
    khz = spec_.clusters[c].opps[opp].delivered_khz();
    share = meter_.share(c);
  }
  app.job_cycles += share * khz * 1e-6 * static_cast<double>(meter_.now_ns() - counted_ns_);
  counted_ns_ = meter_.now_ns();
}

void EmulatedMachine::end() {
  if (ended_) return;
  for (std::size_t i = 0; i < background_.size(); ++i) {
    if (background_[i].running) port_.stop_background(static_cast<int>(i));
  }
  ended_ = true;
}

void EmulatedMachine::fill(Observation& out) {
  out.sequence = epochs_;
  out.now_ns = meter_.now_ns();
  out.cluster_count = static_cast<int>(spec_.clusters.size());
  out.energy_preference = script_.energy_preference;
  if (scenario_.battery_mj > 0) {
    const double left = battery_mj_ - (meter_.energy_mj() - battery_from_mj_);
    out.battery_pct = std::max(0.0, 100 * left / scenario_.battery_mj);
    out.sustainable_mw = sustainable_mw(scenario_, std::max(0.0, left), out.now_ns);
  }
  meter_.report(out);
  ledger().observe(out);
  for (int a = 0; a < model_.apps; ++a)
    out.app[to_index(a)].counters = app_counted_[to_index(a)].counters();
  out.sensors_ok = !lost_counters_;
  for (std::size_t c = 0; c < spec_.clusters.size(); ++c) {
    const ClusterSpec& cluster = spec_.clusters[c];
    ClusterObservation& to = out.cluster[c];
    to.counters = cluster_counted_[c].counters();
    to.asked_opp = turned_.cluster[c].asked;
    to.asked_khz = cluster.opps[to.asked_opp].freq_khz;
    to.capacity = core_capacity(spec_, static_cast<int>(c), static_cast<double>(to.freq_khz));
  }
  out.count_held();
}

void EmulatedMachine::close_epoch(Observation& out) {
  ++epochs_;
  fill(epoch_);
  out = epoch_;
  epoch_.clear_jobs();
  ledger().clear_epoch();
  app_counted_ = {};
  cluster_counted_ = {};
  lost_counters_ = false;
  jobs_.released_any = jobs_.finished_any = false;
}

}  // namespace flyball
