#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "env/emulated/machine.h"
#include "tests/env/expect_same.h"
#include "tests/env/round_board.h"

// One script through the simulator and through the bookkeeping of the emulated platform, whose jobs
// take exactly the times that the simulated ones took: a policy sees the same.

namespace flyball {
namespace {

struct QuietPort final : MachinePort {
  bool submit(const ReadyJob&) override { return true; }
  void set_speed_ratio(double) override {}
  double start_background(int load) override { return cores[static_cast<std::size_t>(load)]; }
  void stop_background(int) override {}
  std::vector<double> cores;
};

struct Step {
  Action action;
  EpochRequest request;
};

/// What a policy was shown and what was recorded.
struct Told {
  std::vector<Observation> epochs;
  std::vector<JobRecord> jobs;
  void add(const Observation& out) {
    epochs.push_back(out);
    jobs.insert(jobs.end(), out.jobs().begin(), out.jobs().end());
  }
};

/// With short thermal steps, between which the temperatures that it shows stand still.
Told simulated(const PlatformSpec& spec, const Scenario& scenario,
               const std::vector<Step>& script) {
  Simulator sim(spec, scenario, {.seed = 1, .max_step_ms = 1});
  Told told;
  Observation out;
  sim.observe(out);
  for (const Step& step : script) {
    sim.apply(step.action);
    if (sim.advance(step.request, out) == Status::kFinished) break;
    told.add(out);
  }
  return told;
}

/// The same decisions at the same times, in force when the simulator put them in force; jobs start
/// and finish when its jobs did.
Told emulated(const PlatformSpec& spec, const Scenario& scenario, const std::vector<Step>& script,
              const Told& simulated) {
  LiveKnobs knobs;
  QuietPort port;
  for (const BackgroundLoad& load : scenario.background) port.cores.push_back(load.cores);
  // One inference per job, as long as the model's.
  std::array<int, kMaxApps> inferences;
  inferences.fill(1);
  const auto inference_ns =
      static_cast<std::int64_t>(std::llround(reference_time_ns(spec, spec.apps[0])));
  EmulatedMachine machine(spec, scenario, 1, inferences, inference_ns, knobs, port);
  Told told;
  Observation out;
  std::vector<JobRecord> ran;
  for (const JobRecord& job : simulated.jobs) {
    if (!job.dropped) ran.push_back(job);
  }
  // The job that still runs at the end has begun as well.
  for (int a = 0; a < simulated.epochs.back().app_count; ++a) {
    const AppObservation& last = simulated.epochs.back().app[a];
    if (!last.running.busy) continue;
    JobRecord job;
    job.app = static_cast<std::uint8_t>(a);
    job.start_ns = last.running.start_ns;
    job.finish_ns = kNeverNs;
    job.setting = last.running.setting;
    ran.push_back(job);
  }
  const auto latency_ns = static_cast<std::int64_t>(spec.decision_latency_us * 1e3);
  std::size_t next = 0;
  bool running = false;
  std::int64_t now_ns = 0;
  Action before;
  bool acted = false;
  for (std::size_t i = 0; i < simulated.epochs.size(); ++i) {
    const std::int64_t end_ns = simulated.epochs[i].now_ns;
    std::int64_t knobs_ns = kNeverNs;
    // As the platform, which the control loop tells what was seen.
    const bool same_roster =
        i > 1 && simulated.epochs[i - 1].roster_version == simulated.epochs[i - 2].roster_version;
    if (!acted || !same_roster || script[i].action != before) knobs_ns = now_ns + latency_ns;
    before = script[i].action;
    acted = true;
    const auto tell_until = [&](std::int64_t until_ns, bool starts_too) {
      for (; next < ran.size();) {
        const std::int64_t at_ns = running ? ran[next].finish_ns : ran[next].start_ns;
        if (at_ns > until_ns || (at_ns == until_ns && !running && !starts_too)) break;
        JobEvent event;
        event.kind = running ? JobEvent::Kind::kFinished : JobEvent::Kind::kStarted;
        event.at_ns = at_ns;
        event.app = ran[next].app;
        event.setting = ran[next].setting;
        for (int c = 0, cpu = 0; c < 2; ++c) {
          for (int n = 0; n < spec.mappings[event.setting.mapping].cores[c]; ++n)
            event.cpus.add(cpu++);
        }
        if (!running) {
          EXPECT_EQ(knobs.app(event.app), event.setting) << "what the executor would start with";
        }
        event.speed_ratio = speed_ratio(spec, spec.mappings[event.setting.mapping], knobs);
        machine.on_event(event, at_ns);
        next += running;
        running = !running;
      }
    };
    if (knobs_ns <= end_ns) {
      tell_until(knobs_ns, false);
      machine.request(script[i].action, knobs_ns);
    }
    tell_until(end_ns, true);
    machine.run_until(end_ns);
    machine.close_epoch(out);
    told.add(out);
    now_ns = end_ns;
  }
  return told;
}

void expect_same(const Told& a, const Told& b, double energy) {
  ASSERT_EQ(a.jobs.size(), b.jobs.size());
  for (std::size_t i = 0; i < a.jobs.size(); ++i) {
    SCOPED_TRACE("job " + std::to_string(a.jobs[i].sequence));
    expect_same(a.jobs[i], b.jobs[i], energy);
  }
  ASSERT_EQ(a.epochs.size(), b.epochs.size());
  for (std::size_t i = 0; i < a.epochs.size(); ++i) {
    SCOPED_TRACE("epoch " + std::to_string(i) + " to " + std::to_string(a.epochs[i].now_ns));
    expect_same(a.epochs[i], b.epochs[i], energy);
    if (testing::Test::HasFailure()) return;  // the rest would follow from it
  }
}

/// A board on which moving costs nothing: what a machine pays for it is in its jobs' times, not in
/// the model.
PlatformSpec movable_board(bool leaks) {
  PlatformSpec spec = round_board();
  spec.migration_us = spec.cold_cache_ms = spec.level_switch_us = 0;
  spec.decision_latency_us = 100;
  for (ClusterSpec& cluster : spec.clusters) {
    if (!leaks) cluster.leak_a = cluster.leak_c_a = 0;
  }
  // Short time constants, so that both clusters are capped and let go now and then.
  spec.thermal = {{"die", kBig, 10, {{12, 0.4}}}, {"rim", kLittle, 5, {{4, 2}}}};
  TripPoint hot{TripPoint::Kind::kCap, 47, 4, kBig};
  hot.cap_khz = 1'000'000;
  TripPoint warm{TripPoint::Kind::kStepDown, 38, 1, kLittle, 1, 1};
  spec.trips = {hot, warm};
  spec.trip_poll_ms = 97;
  return spec;
}

/// Periodic releases, too many of them at times, background now and then, requirements that change.
Scenario busy_scenario() {
  AppSpec app = stream("camera", 60, 55);
  app.queue_limit = 2;
  app.required.accuracy_floor_pct = 65;
  app.required.energy_budget_mj = 60;
  app.start_ns = 30 * kMs;
  app.stop_ns = 5500 * kMs;
  Scenario scenario = of_apps({app}, 6000);
  scenario.battery_mj = 50'000;
  scenario.background.push_back({"build", kBig, 2.5, 0.5, 0, 700 * kMs, 1900 * kMs});
  scenario.background.push_back({"sync", kLittle, 0.5, 0.1, 0, 1500 * kMs, 4100 * kMs});
  Requirements easier = app.required;
  easier.deadline_ns = 150 * kMs;
  easier.accuracy_floor_pct = 0;
  scenario.events.push_back({2511 * kMs, ScenarioEvent::Kind::kRequirements, 0, easier, 0});
  scenario.events.push_back({3007 * kMs, ScenarioEvent::Kind::kPeriod, 0, {}, 83e6});
  scenario.events.push_back({3500 * kMs, ScenarioEvent::Kind::kPreference, -1, {}, 0.8});
  scenario.events.push_back({3500 * kMs, ScenarioEvent::Kind::kAmbient, -1, {}, 31});
  scenario.events.push_back({4200 * kMs, ScenarioEvent::Kind::kBattery, -1, {}, 12});
  return scenario;
}

std::vector<Step> random_script(const PlatformSpec& spec, std::uint64_t seed) {
  Random random(seed, 3);
  std::vector<Step> script(2000);
  Action action = big_core(spec, 0);
  for (Step& step : script) {
    if (random.below(4) == 0) {
      action.opp[kBig] = static_cast<std::uint8_t>(random.below(4));  // 2 and 3 mean the last
      action.opp[kLittle] = static_cast<std::uint8_t>(random.below(2));
    }
    if (random.below(6) == 0) {
      // The last one spans both clusters; 9 does not exist.
      action.app[0].mapping = static_cast<std::uint8_t>(random.below(10));
      action.app[0].level = static_cast<std::uint8_t>(random.below(3));
    }
    step.action = action;
    step.request = {static_cast<std::int64_t>(200'000 + random.below(40'000'000)),
                    random.below(2) == 0, random.below(3) == 0};
  }
  return script;
}

/// That the script has everything in it that it is to compare.
void expect_eventful(const Told& told, const PlatformSpec& spec) {
  int dropped = 0, missed = 0, met = 0, mixed = 0, capped = 0, queued = 0, throttled = 0;
  for (const JobRecord& job : told.jobs) {
    dropped += job.dropped;
    missed += job.missed && !job.dropped;
    met += !job.missed;
    mixed += !job.dropped && spec.mappings[job.setting.mapping].cores[kBig] > 0 &&
             spec.mappings[job.setting.mapping].cores[kLittle] > 0;
  }
  for (const Observation& out : told.epochs) {
    queued += out.app[0].waiting_count > 0;
    for (int c = 0; c < 2; ++c) {
      capped += out.cluster[c].opp_cap == 0;
      throttled += out.cluster[c].opp < out.cluster[c].asked_opp;
    }
  }
  EXPECT_GT(dropped, 3);
  EXPECT_GT(missed, 5);
  EXPECT_GT(met, 10);
  EXPECT_GT(mixed, 2);
  EXPECT_GT(capped, 5);
  EXPECT_GT(throttled, 5);
  EXPECT_GT(queued, 5);
}

TEST(SimEqualsEmulated, OneScriptTellsTheSameOnBoth) {
  const PlatformSpec spec = movable_board(false);
  const Scenario scenario = busy_scenario();
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("script " + std::to_string(seed));
    const std::vector<Step> script = random_script(spec, seed);
    const Told sim = simulated(spec, scenario, script);
    if (seed == 3) expect_eventful(sim, spec);
    expect_same(sim, emulated(spec, scenario, script, sim), 1e-9);
  }
}

// Leakage follows the temperature: in steps of 1 ms here, in stretches of up to 50 ms there, which on
// this board, five times as quick to warm as real ones, are an eighth of its time constant.
TEST(SimEqualsEmulated, AlsoWithLeakage) {
  const PlatformSpec spec = movable_board(true);
  const Scenario scenario = busy_scenario();
  const std::vector<Step> script = random_script(spec, 5);
  const Told sim = simulated(spec, scenario, script);
  expect_same(sim, emulated(spec, scenario, script, sim), 5e-3);
}

// What the machine emulates has one pool of workers, and so has its simulation: jobs of two
// applications that are there at once run one after the other, on both.
TEST(SimEqualsEmulated, TwoApplicationsShareOnePool) {
  PlatformSpec spec = movable_board(false);
  spec.emulated = true;
  Scenario scenario = busy_scenario();
  AppSpec other = stream("radar", 90, 40);
  other.start_ns = 400 * kMs;
  other.stop_ns = 5000 * kMs;
  other.queue_limit = 3;
  other.required.priority = 2;
  scenario.apps.push_back(other);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("script " + std::to_string(seed));
    std::vector<Step> script = random_script(spec, seed);
    Random random(seed, 4);
    for (Step& step : script) {
      step.action.app[1] = {static_cast<std::uint8_t>(random.below(10)),
                            static_cast<std::uint8_t>(random.below(3))};
    }
    const Told sim = simulated(spec, scenario, script);
    std::array<int, 2> ended{};
    int both_wait = 0;
    for (const JobRecord& job : sim.jobs) ended[job.app] += !job.dropped;
    for (const Observation& out : sim.epochs) {
      ASSERT_FALSE(out.app[0].running.busy && out.app[1].running.busy);
      both_wait += out.app[0].backlog > 0 && out.app[1].backlog > 0;
    }
    EXPECT_GT(ended[0], 20);
    EXPECT_GT(ended[1], 20);
    EXPECT_GT(both_wait, 20);
    expect_same(sim, emulated(spec, scenario, script, sim), 1e-9);
  }
}

TEST(SimEqualsEmulated, WithoutDecisionLatencyToo) {
  PlatformSpec spec = movable_board(false);
  spec.decision_latency_us = 0;
  const Scenario scenario = busy_scenario();
  const std::vector<Step> script = random_script(spec, 9);
  const Told sim = simulated(spec, scenario, script);
  expect_same(sim, emulated(spec, scenario, script, sim), 1e-9);
}

}  // namespace
}  // namespace flyball
