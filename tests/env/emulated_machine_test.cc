#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "env/emulated/machine.h"
#include "tests/env/emulated_fixture.h"

namespace flyball {
namespace {

using emulated_test::easy_scenario;
using emulated_test::easy_spec;

constexpr std::int64_t kMs = 1'000'000;

/// Takes note of what the machine asks for.
struct Port final : MachinePort {
  bool submit(const ReadyJob& job) override {
    jobs.push_back(job);
    return true;
  }
  void set_speed_ratio(double ratio) override { ratios.push_back(ratio); }
  double start_background(int load) override {
    started.push_back(load);
    return 1;
  }
  void stop_background(int load) override { stopped.push_back(load); }
  std::vector<ReadyJob> jobs;
  std::vector<double> ratios;
  std::vector<int> started, stopped;
};

/// A machine whose time the test tells, at its highest frequency. One inference of 1 ms: ten per
/// job.
struct Rig {
  explicit Rig(PlatformSpec s = easy_spec(), Scenario c = easy_scenario(1000))
      : spec(std::move(s)), scenario(std::move(c)) {
    machine.request(action(2, 0, 1), 0);
    machine.run_until(0);
  }
  JobEvent event(JobEvent::Kind kind, double ratio = 1, int cores = 1) const {
    JobEvent event;
    event.kind = kind;
    event.setting = knobs.app(0);
    for (int cpu = 0; cpu < cores; ++cpu) event.cpus.add(cpu);
    event.speed_ratio = ratio;
    return event;
  }
  void start(std::int64_t at_ms, double ratio = 1, int cores = 1) {
    machine.on_event(event(JobEvent::Kind::kStarted, ratio, cores), at_ms * kMs);
  }
  void finish(std::int64_t at_ms) {
    machine.on_event(event(JobEvent::Kind::kFinished), at_ms * kMs);
  }
  Action action(int opp, int mapping, int width) const {
    Action action;
    action.opp[0] = static_cast<std::uint8_t>(opp);
    action.app[0] = {static_cast<std::uint8_t>(mapping), static_cast<std::uint8_t>(width)};
    return action;
  }
  Observation close(std::int64_t at_ms) {
    machine.run_until(at_ms * kMs);
    Observation out;
    machine.close_epoch(out);
    return out;
  }
  PlatformSpec spec;
  Scenario scenario;
  LiveKnobs knobs;
  Port port;
  EmulatedMachine machine{spec, scenario, 1, {10, 10, 10, 10}, kMs, knobs, port};
};

TEST(EmulatedMachine, EnergyIsTheModelsPowerTimesTheBusyTimes) {
  Rig rig;
  rig.start(5);
  rig.finish(25);
  const Observation out = rig.close(50);
  // 2200 mW for 20 ms, 200 mW for 30 ms.
  EXPECT_NEAR(out.energy_mj, 2200 * 0.020 + 200 * 0.030, 1e-6);
  EXPECT_NEAR(out.power_mw, out.energy_mj / 0.050, 1e-6);
  EXPECT_NEAR(out.cluster[0].power_mw, out.power_mw, 1e-6);
  EXPECT_NEAR(out.cluster[0].util_max, 0.4, 1e-9);
  EXPECT_NEAR(out.cluster[0].util_mean, 0.2, 1e-9);
  ASSERT_EQ(out.jobs().size(), 1u);
  EXPECT_NEAR(out.jobs()[0].energy_mj, 44, 1e-6);
  EXPECT_EQ(out.jobs()[0].execution_ns(), 20 * kMs);
  EXPECT_NEAR(out.jobs()[0].cycles, 40e6, 1);  // 20 ms of a 2 GHz clock
}

TEST(EmulatedMachine, EpochsShareTheEnergyWithoutLossOrOverlap) {
  Rig whole, parts;
  double sum = 0;
  for (int ms = 0; ms < 200; ms += 40) {
    whole.start(ms + 3);
    whole.finish(ms + 13);
    parts.start(ms + 3);
    sum += parts.close(ms + 7).energy_mj;
    parts.finish(ms + 13);
    sum += parts.close(ms + 40).energy_mj;
  }
  EXPECT_NEAR(sum, whole.close(200).energy_mj, 1e-6);
}

TEST(EmulatedMachine, AJobOnTwoCoresKeepsTwoBusy) {
  Rig rig;
  rig.machine.request(rig.action(2, 1, 1), 0);
  rig.start(0, 1, 2);
  rig.finish(10);
  const Observation out = rig.close(10);
  EXPECT_NEAR(out.power_mw, 4200, 1e-6);
  EXPECT_NEAR(out.cluster[0].util_mean, 1, 1e-9);
}

PlatformSpec slow_to_turn() {
  PlatformSpec spec = easy_spec();
  spec.clusters[0].transition_latency_us = 20'000;
  return spec;
}

TEST(EmulatedMachine, FrequencyFollowsAfterTheLatencyAndInTheMiddleOfAJob) {
  Rig rig(slow_to_turn());
  EXPECT_EQ(rig.knobs.opp[0].load(), 0);  // as it begins
  rig.close(50);
  EXPECT_EQ(rig.knobs.opp[0].load(), 2);
  rig.start(50);
  rig.machine.request(rig.action(1, 0, 1), 60 * kMs);
  rig.machine.run_until(79 * kMs);
  EXPECT_TRUE(rig.port.ratios.empty());
  EXPECT_EQ(rig.knobs.opp[0].load(), 2);
  rig.machine.run_until(80 * kMs);  // 20 ms later
  ASSERT_EQ(rig.port.ratios.size(), 1u);
  EXPECT_DOUBLE_EQ(rig.port.ratios[0], 0.5);
  EXPECT_EQ(rig.knobs.opp[0].load(), 1);
  rig.finish(90);
  const Observation out = rig.close(90);
  // 30 ms at 2200 mW, 10 ms at half the frequency.
  EXPECT_NEAR(out.energy_mj, 2200 * 0.030 + 1100 * 0.010, 1e-6);
  EXPECT_NEAR(out.jobs()[0].cycles, 60e6 + 10e6, 1);
  EXPECT_EQ(out.cluster[0].freq_khz, 1'000'000);
}

TEST(EmulatedMachine, ASpeedThatTurnedWhileAJobBeganIsSetAgain) {
  Rig rig;
  rig.machine.request(rig.action(0, 0, 1), 0);
  rig.machine.run_until(20 * kMs);
  EXPECT_TRUE(rig.port.ratios.empty());  // no job runs
  rig.start(21, 1.0);                    // began with the knob as it was before
  ASSERT_FALSE(rig.port.ratios.empty());
  EXPECT_DOUBLE_EQ(rig.port.ratios[0], 0.25);
  rig.machine.run_until(23 * kMs);
  ASSERT_EQ(rig.port.ratios.size(), 2u);  // in case the job overwrote it
  EXPECT_DOUBLE_EQ(rig.port.ratios[1], 0.25);
}

TEST(EmulatedMachine, AJobReleasedAtTheMomentOfARequestFindsTheKnobsTurned) {
  struct Looking final : MachinePort {
    explicit Looking(const LiveKnobs& k) : knobs(k) {}
    bool submit(const ReadyJob& job) override {
      seen.push_back(knobs.app(job.app));
      return true;
    }
    void set_speed_ratio(double) override {}
    double start_background(int) override { return 0; }
    void stop_background(int) override {}
    const LiveKnobs& knobs;
    std::vector<AppSetting> seen;
  };
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(1000);
  LiveKnobs knobs;
  Looking port(knobs);
  EmulatedMachine machine(spec, scenario, 1, {10}, kMs, knobs, port);
  Action action;
  action.app[0] = {1, 0};
  machine.request(action, 0);
  machine.run_until(0);
  action.app[0] = {0, 1};
  machine.request(action, 40 * kMs);
  machine.run_until(40 * kMs);
  ASSERT_EQ(port.seen.size(), 2u);
  EXPECT_EQ(port.seen[0], (AppSetting{1, 0}));
  EXPECT_EQ(port.seen[1], (AppSetting{0, 1}));
}

TEST(EmulatedMachine, ATakenBackRequestLeavesTheFrequency) {
  Rig rig(slow_to_turn());
  rig.machine.request(rig.action(0, 0, 1), 50 * kMs);
  rig.machine.request(rig.action(2, 0, 1), 60 * kMs);
  for (int ms = 60; ms < 150; ++ms) {
    rig.machine.run_until(ms * kMs);
    EXPECT_EQ(rig.knobs.opp[0].load(), 2);
  }
}

TEST(EmulatedMachine, AMappingThatCannotRunTheApplicationLeavesTheOneBefore) {
  Rig rig;
  rig.machine.request(rig.action(9, 9, 9), 0);
  EXPECT_EQ(rig.knobs.app(0), (AppSetting{0, 1}));
  rig.machine.request(rig.action(9, 1, 0), 0);
  EXPECT_EQ(rig.knobs.app(0), (AppSetting{1, 0}));
  rig.machine.run_until(0);
  EXPECT_EQ(rig.knobs.opp[0].load(), 2);  // frequencies are clamped
}

TEST(EmulatedMachine, EveryJobIsFinishedDroppedOrWaiting) {
  Rig rig;  // releases at 0, 40, 80, ... with room for three
  const Observation out = rig.close(199);
  EXPECT_EQ(out.app[0].released, 5u);
  EXPECT_EQ(out.app[0].backlog, 3u);
  EXPECT_EQ(out.app[0].missed, 2u);
  ASSERT_EQ(out.jobs().size(), 2u);
  EXPECT_TRUE(out.jobs()[0].dropped);
  EXPECT_TRUE(out.jobs()[0].missed);
  EXPECT_EQ(out.jobs()[0].sequence, 3u);
  EXPECT_EQ(out.jobs()[0].release_ns, 120 * kMs);
  EXPECT_EQ(out.app[0].oldest_release_ns(), 0);
  rig.start(199);
  rig.finish(200);  // before the release of that moment: there is room again
  const Observation next = rig.close(201);
  EXPECT_EQ(next.app[0].finished, 1u);
  EXPECT_EQ(next.app[0].dropped, 0u);
  EXPECT_EQ(next.app[0].released, 1u);
  EXPECT_EQ(next.app[0].oldest_release_ns(), 40 * kMs);
}

TEST(EmulatedMachine, NoVariationOfTheWorkOverflowsTheNumberOfInferences) {
  Scenario scenario = easy_scenario(1000);
  scenario.apps[0].work_cv = 2;
  const PlatformSpec spec = easy_spec();
  LiveKnobs knobs;
  Port port;
  EmulatedMachine machine(spec, scenario, 1, {2'000'000'000}, kMs, knobs, port);
  machine.run_until(100 * kMs);
  ASSERT_EQ(port.jobs.size(), 3u);
  for (const ReadyJob& job : port.jobs) {
    EXPECT_GE(job.inferences, 1);
    EXPECT_LE(job.inferences, 1'000'000'000);
  }
}

TEST(EmulatedMachine, ARunawayBoardHasFiniteFigures) {
  PlatformSpec spec = easy_spec();
  spec.clusters[0].leak_a = 10;
  spec.thermal[0].terms = {{100, 0.001}};
  Rig rig(spec);
  const Observation out = rig.close(900);
  EXPECT_TRUE(std::isfinite(out.power_mw));
  EXPECT_TRUE(std::isfinite(out.cluster[0].temp_c));
}

TEST(EmulatedMachine, CountsAMissWhenTheDeadlineHasPassed) {
  Rig rig;
  rig.start(0);
  rig.finish(30);  // exactly at its deadline
  rig.start(40);
  rig.finish(71);
  const Observation out = rig.close(75);
  ASSERT_EQ(out.jobs().size(), 2u);
  EXPECT_FALSE(out.jobs()[0].missed);
  EXPECT_EQ(out.jobs()[1].deadline_ns, 70 * kMs);
  EXPECT_TRUE(out.jobs()[1].missed);
  EXPECT_EQ(out.app[0].missed, 1u);
  EXPECT_FLOAT_EQ(out.jobs()[1].accuracy_pct, 70);
  EXPECT_FLOAT_EQ(out.jobs()[1].accuracy_floor_pct, 65);
}

TEST(EmulatedMachine, SaysWhichDeadlinesNobodyCouldMeet) {
  Scenario scenario = easy_scenario(1000);
  scenario.apps[0].required.deadline_ns = 4 * kMs;  // the job takes 10 ms on one core, 5 on two
  Rig rig(easy_spec(), scenario);
  rig.start(0);
  rig.finish(6);
  EXPECT_TRUE(rig.close(10).jobs()[0].infeasible);
  scenario.apps[0].required.accuracy_floor_pct = 55;  // at half width 2.5 ms on two
  Rig narrow(easy_spec(), scenario);
  narrow.start(0);
  narrow.finish(6);
  EXPECT_FALSE(narrow.close(10).jobs()[0].infeasible);
}

TEST(EmulatedMachine, FollowsTheScenariosEvents) {
  Scenario scenario = easy_scenario(1000);
  scenario.battery_mj = 1000;
  scenario.battery_pct = 50;
  ScenarioEvent requirements;
  requirements.at_ns = 50 * kMs;
  requirements.kind = ScenarioEvent::Kind::kRequirements;
  requirements.app = 0;
  requirements.required.deadline_ns = 11 * kMs;
  ScenarioEvent preference;
  preference.at_ns = 60 * kMs;
  preference.kind = ScenarioEvent::Kind::kPreference;
  preference.value = 0.9;
  ScenarioEvent ambient;
  ambient.at_ns = 60 * kMs;
  ambient.kind = ScenarioEvent::Kind::kAmbient;
  ambient.value = 40;
  ScenarioEvent battery;
  battery.at_ns = 200 * kMs;
  battery.kind = ScenarioEvent::Kind::kBattery;
  battery.value = 20;
  ScenarioEvent period;
  period.at_ns = 250 * kMs;
  period.kind = ScenarioEvent::Kind::kPeriod;
  period.app = 0;
  period.value = 20e6;
  scenario.events = {requirements, preference, ambient, battery, period};
  Rig rig(easy_spec(), scenario);
  Observation out = rig.close(40);
  const double cool = out.cluster[0].temp_c;
  EXPECT_NEAR(out.battery_pct, 50 - 0.8, 1e-6);  // 200 mW for 40 ms of 1000 mJ
  EXPECT_EQ(out.app[0].required.deadline_ns, 30 * kMs);
  out = rig.close(100);
  EXPECT_EQ(out.app[0].required.deadline_ns, 11 * kMs);
  EXPECT_DOUBLE_EQ(out.energy_preference, 0.9);
  EXPECT_NEAR(out.cluster[0].temp_c - cool, 15, 0.1);
  EXPECT_EQ(rig.port.jobs[2].deadline_ns, 91 * kMs);  // released at 80 ms
  EXPECT_EQ(rig.port.jobs[1].deadline_ns, 70 * kMs);
  out = rig.close(300);
  EXPECT_NEAR(out.battery_pct, 20 - 2, 1e-6);
  EXPECT_EQ(out.app[0].required.period_ns, 20 * kMs);
}

TEST(EmulatedMachine, BackgroundTakesPowerWhileItRuns) {
  Scenario scenario = easy_scenario(1000);
  scenario.background = {{"other", 0, 1.0, 0.5, 0, 100 * kMs, 200 * kMs}};
  Rig rig(easy_spec(), scenario);
  EXPECT_NEAR(rig.close(100).power_mw, 200, 1e-6);
  EXPECT_EQ(rig.port.started, std::vector<int>{0});
  Observation out = rig.close(200);
  EXPECT_NEAR(out.power_mw, 1200, 1e-6);
  EXPECT_NEAR(out.cluster[0].util_max, 1, 1e-9);
  EXPECT_NEAR(out.cluster[0].util_mean, 0.5, 1e-9);
  EXPECT_EQ(rig.port.stopped, std::vector<int>{0});
  EXPECT_NEAR(rig.close(300).power_mw, 200, 1e-6);
}

TEST(EmulatedMachine, AJobAndBackgroundOnOneCoreDoNotAddUp) {
  Scenario scenario = easy_scenario(1000);
  scenario.background = {{"other", 0, 1.0, 0.5, 0, 0, 200 * kMs}};
  Rig rig(easy_spec(), scenario);
  rig.machine.request(rig.action(2, 1, 1), 0);
  rig.start(0, 1, 2);
  // Three threads on two cores, as in simulation: each gets two thirds of one, and the 2.5 nF that
  // they would switch are as many thirds. V^2 f is 2000 mW per nF.
  const Observation out = rig.close(10);
  EXPECT_NEAR(out.power_mw, 200 + 2000 * 2.5 * 2 / 3, 1e-6);
  EXPECT_NEAR(out.cluster[0].util_max, 1, 1e-9);
  EXPECT_NEAR(out.cluster[0].util_mean, 1, 1e-9);
  rig.finish(10);
  EXPECT_NEAR(rig.close(11).jobs()[0].cycles, 20e6 * 2 / 3, 1) << "those that the job had";
}

TEST(EmulatedMachine, ATripPointCapsTheOpp) {
  PlatformSpec spec = easy_spec();
  // 46 C with a job running, 40.5 C with it at 1 GHz, 36 C without: back below 38 C only without.
  spec.thermal[0].terms = {{5, 0.05}};
  TripPoint trip{TripPoint::Kind::kCap, 42, 4, 0};
  trip.cap_khz = 1'000'000;
  spec.trips = {trip};
  spec.trip_poll_ms = 100;
  Rig rig(spec);
  rig.start(0);
  Observation out = rig.close(120);
  EXPECT_EQ(out.cluster[0].opp_cap, 1);
  EXPECT_EQ(out.cluster[0].opp, 1);  // polled at 100 ms
  EXPECT_DOUBLE_EQ(rig.port.ratios.at(0), 0.5);
  rig.machine.request(rig.action(2, 0, 1), 130 * kMs);
  EXPECT_EQ(rig.close(190).cluster[0].opp, 1);  // asking does not help
  rig.finish(191);
  EXPECT_EQ(rig.close(500).cluster[0].opp, 2);
}

TEST(EmulatedMachine, AJobThatEndsWithTheScenarioCounts) {
  Rig rig(easy_spec(), easy_scenario(100));
  rig.start(80);
  rig.finish(100);
  const Observation out = rig.close(200);
  EXPECT_EQ(out.app[0].finished, 1u);
  EXPECT_EQ(out.now_ns, 100 * kMs);
}

TEST(EmulatedMachine, EndsWithTheScenario) {
  Scenario scenario = easy_scenario(100);
  scenario.background = {{"other", 0, 1.0, 0.5, 0, 0, 1000 * kMs}};
  Rig rig(easy_spec(), scenario);
  rig.machine.run_until(5000 * kMs);
  EXPECT_TRUE(rig.machine.ended());
  EXPECT_EQ(rig.port.stopped, std::vector<int>{0});
  EXPECT_EQ(rig.port.jobs.size(), 3u);  // at 0, 40 and 80 ms
  const Observation out = rig.close(5000);
  EXPECT_EQ(out.now_ns, 100 * kMs);
  EXPECT_NEAR(out.energy_mj, 1200 * 0.1, 1e-6);
}

// A finish is heard of a moment late. Who has come since does not go and come again for it.
TEST(EmulatedMachine, TheRosterDoesNotGoBack) {
  Scenario scenario = easy_scenario(1000);
  scenario.apps[0].stop_ns = 30 * kMs;  // one job, released at 0
  AppSpec guest = scenario.apps[0];
  guest.name = "guest";
  guest.start_ns = 100 * kMs;
  guest.stop_ns = scenario.duration_ns;
  scenario.apps.push_back(guest);
  Rig rig(easy_spec(), scenario);
  rig.start(0);
  const Observation before = rig.close(101);
  EXPECT_TRUE(before.app[1].bound());
  rig.finish(99);
  const Observation after = rig.close(102);
  EXPECT_EQ(after.app[1].generation, before.app[1].generation);
  EXPECT_TRUE(after.app[1].active);
  EXPECT_EQ(after.roster_version, before.roster_version + 1) << "the first one has gone";
  EXPECT_FALSE(after.app[0].bound());
  ASSERT_EQ(after.job_count, 1u);
  EXPECT_EQ(after.jobs()[0].finish_ns, 99 * kMs) << "the record keeps the true time";
}

}  // namespace
}  // namespace flyball
