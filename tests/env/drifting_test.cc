// Work and rates that change unannounced, sensors that a scenario spoils, and clocks that are less than
// they are called.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "env/config/yaml.h"
#include "env/model/content_hash.h"
#include "env/model/model.h"
#include "env/sim/faulty_sensors.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

using ::testing::HasSubstr;

class Drifting : public ::testing::Test {
 protected:
  Scenario load(const std::string& rest) {
    std::ofstream(path_) << "schema: 1\nname: test\nduration_s: 10\napps:\n  - name: camera\n"
                            "    profile: net\n    arrival: {kind: periodic, period_ms: 1000}\n"
                            "    start_s: 2\n"
                         << rest;
    return load_scenario(path_, spec_);
  }
  std::string refusal(const std::string& rest) {
    try {
      load(rest);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kInput);
      return error.what();
    }
    ADD_FAILURE() << "was accepted: " << rest;
    return "";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  PlatformSpec spec_ = round_board();
  std::string path_ = ::testing::TempDir() + "drifting_" +
                      ::testing::UnitTest::GetInstance()->current_test_info()->name() + "_" +
                      std::to_string(getpid()) + ".yaml";
};

double at_s(const AppSpec& app, double s) { return app.work_at(std::llround(s * 1e9)); }

TEST_F(Drifting, WorkIsTheProductOfDriftRampsAndSteps) {
  const Scenario scenario = load(
      "    work: {drift_pct_per_s: 5, ramps: [{from_s: 4, to_s: 6, factor: 3}]}\n"
      "events:\n  - {at_s: 8, app: camera, work_x: 0.5}\n  - {at_s: 9, app: camera, work_x: 2}\n");
  const AppSpec& app = scenario.apps[0];
  EXPECT_DOUBLE_EQ(at_s(app, 0), 1);  // it drifts from its start on
  EXPECT_DOUBLE_EQ(at_s(app, 2), 1);
  EXPECT_DOUBLE_EQ(at_s(app, 3), 1.05);
  EXPECT_DOUBLE_EQ(at_s(app, 5), 1.15 * 2);  // half of the ramp
  EXPECT_DOUBLE_EQ(at_s(app, 7), 1.25 * 3);
  EXPECT_DOUBLE_EQ(at_s(app, 8), 1.3 * 3 * 0.5);
  EXPECT_DOUBLE_EQ(at_s(app, 9), 1.35 * 3 * 2);
  EXPECT_TRUE(scenario.events.empty());  // and nobody is told
}

TEST_F(Drifting, AJobTakesAsLongAsItsWorkAndTheRequirementsStay) {
  const Scenario scenario =
      load("    deadline_ms: 900\nevents:\n  - {at_s: 5, app: camera, work_x: 3}\n");
  Simulator sim(spec_, scenario);
  sim.apply(big_core(spec_, 0));
  for (const JobRecord& job : play(sim, 10'000)) {
    const double ms = static_cast<double>(job.finish_ns - job.start_ns) * 1e-6;
    EXPECT_NEAR(ms, job.release_ns < 5000 * kMs ? 100 : 300, 1e-3);
    EXPECT_EQ(job.deadline_ns - job.release_ns, 900 * kMs);
  }
}

TEST_F(Drifting, ARateThatIsNotAnnouncedShowsInReleasesOnly) {
  for (const bool announced : {true, false}) {
    const Scenario scenario =
        load(std::string("events:\n  - {at_s: 5, app: camera, period_ms: 250, announced: ") +
             (announced ? "true}\n" : "false}\n"));
    EXPECT_EQ(scenario.events.size(), announced ? 2u : 1u);
    Simulator sim(spec_, scenario);
    sim.apply(big_core(spec_));
    Observation out;
    int released = 0;
    while (out.now_ns < scenario.duration_ns) {
      sim.advance(ms(100), out);
      released += static_cast<int>(out.app[0].released);
    }
    // At 2, 3, 4, 5 and every 250 ms from then on.
    EXPECT_EQ(released, 3 + 4 * 5) << announced;
    EXPECT_EQ(out.app[0].required.period_ns, (announced ? 250 : 1000) * kMs);
    EXPECT_EQ(out.app[0].required.deadline_ns, (announced ? 250 : 1000) * kMs);
  }
}

TEST_F(Drifting, SensorsAreSpoiltAsTheScenarioSays) {
  const SensorFaults faults =
      load(
          "sensors:\n  power: {noise_pct: 20, delay_ms: 40, stuck_at_s: 3}\n"
          "  temperature: {noise_c: 1.5, delay_ms: 100, stuck_at_s: 5}\n")
          .sensors;
  EXPECT_DOUBLE_EQ(faults.noise, 0.2);
  EXPECT_EQ(faults.delay_ns, 40 * kMs);
  EXPECT_EQ(faults.stuck_from_ns, 3000 * kMs);
  EXPECT_DOUBLE_EQ(faults.temp_noise_c, 1.5);
  EXPECT_EQ(faults.temp_delay_ns, 100 * kMs);
  EXPECT_EQ(faults.temp_stuck_from_ns, 5000 * kMs);
  EXPECT_FALSE(load("").sensors.any());
}

TEST_F(Drifting, WhatMakesNoSenseIsRefusedAtItsLine) {
  const std::string kWork = "    work: ", kEvents = "events:\n  - ";
  EXPECT_THAT(refusal(kWork + "{}\n"), HasSubstr("yaml:9: "));
  EXPECT_THAT(refusal(kWork + "{drift_pct_per_min: 2}\n"),
              HasSubstr("did you mean 'drift_pct_per_s'?"));
  EXPECT_THAT(refusal(kWork + "{drift_pct_per_s: -20}\n"),
              HasSubstr("-0.6 times the work at 10 s"));
  EXPECT_THAT(refusal(kWork + "{ramps: [{from_s: 5, to_s: 4, factor: 2}]}\n"),
              HasSubstr("ends before it begins"));
  EXPECT_THAT(refusal(kWork + "{ramps: [{from_s: 5, to_s: 6, factor: 0}]}\n"),
              HasSubstr("'factor'"));
  EXPECT_THAT(refusal(kEvents + "{at_s: 5, work_x: 2}\n"), HasSubstr("of which application"));
  EXPECT_THAT(refusal(kEvents + "{at_s: 5, app: camera, work_x: 2, announced: false}\n"),
              HasSubstr("work is never announced"));
  EXPECT_THAT(
      refusal(kEvents +
              "{at_s: 5, app: camera, period_ms: 500, deadline_ms: 400, announced: false}\n"),
      HasSubstr("'deadline_ms'"));
  EXPECT_THAT(refusal("sensors: {}\n"), HasSubstr("nothing is wrong with any sensor"));
  EXPECT_THAT(refusal("sensors: {power: {nois_pct: 3}}\n"), HasSubstr("did you mean 'noise_pct'?"));
  EXPECT_THAT(refusal("sensors: {power: {stuck_at_s: 11}}\n"), HasSubstr("'stuck_at_s'"));
}

/// What is shown of temperatures, and what there was, every 50 ms while a load warms the board.
struct Temperatures {
  std::vector<double> shown, real;
};
Temperatures temperatures(const SensorFaults& faults) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 60, 60)}, 3'000);
  FaultySensors seen(std::make_unique<Simulator>(spec, scenario), spec, faults, 3);
  Temperatures all;
  Observation out;
  seen.apply(big_core(spec));
  while (out.now_ns < scenario.duration_ns) {
    seen.advance(ms(50), out);
    all.shown.push_back(out.cluster[kBig].temp_c);
    all.real.push_back(seen.truth()->cluster[kBig].temp_c);
    EXPECT_EQ(out.energy_mj, seen.truth()->energy_mj);  // power is well
  }
  return all;
}

TEST(SpoiltTemperatures, AreLateStuckAndNoisyOverWhatThereIs) {
  const Temperatures late = temperatures({.temp_delay_ns = 200 * kMs});
  ASSERT_EQ(late.shown.size(), 60u);
  EXPECT_GT(late.real.back(), late.real.front() + 2);  // something to be late about
  for (std::size_t i = 4; i < late.shown.size(); ++i) EXPECT_EQ(late.shown[i], late.real[i - 4]);

  const Temperatures stuck = temperatures({.temp_stuck_from_ns = 1000 * kMs});
  for (std::size_t i = 0; i < stuck.shown.size(); ++i)
    EXPECT_EQ(stuck.shown[i], stuck.real[std::min<std::size_t>(i, 19)]) << i;

  const Temperatures noisy = temperatures({.temp_noise_c = 3});
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < noisy.shown.size(); ++i) {
    const double off = noisy.shown[i] - noisy.real[i];
    sum += off;
    squares += off * off;
  }
  EXPECT_NEAR(sum / 60, 0, 4 * 3 / std::sqrt(60.0));
  EXPECT_NEAR(std::sqrt(squares / 60), 3, 1);
}

// A lowest clock that delivers half: a job takes twice as long, a cycle as much energy, and whoever looks
// is shown the clock that it is called.
TEST(DeliveredShare, TimesAndPowerAreOfTheClockThatIsDelivered) {
  PlatformSpec half = round_board();
  half.clusters[kBig].opps[0].delivered_share = 0.5;
  PlatformSpec slow = round_board();  // the same by another name
  slow.clusters[kBig].opps[0].freq_khz = 500'000;
  const Scenario scenario = of_apps({stream("camera", 500, 500)}, 4'000);
  Simulator shares(half, scenario), named(slow, scenario);
  Observation by_share, by_name;
  shares.apply(big_core(half, 0));
  named.apply(big_core(slow, 0));
  int jobs = 0;
  while (by_share.now_ns < scenario.duration_ns) {
    shares.advance(ms(50), by_share);
    named.advance(ms(50), by_name);
    EXPECT_DOUBLE_EQ(by_share.energy_mj, by_name.energy_mj);
    EXPECT_EQ(by_share.cluster[kBig].freq_khz, 1'000'000);
    EXPECT_DOUBLE_EQ(by_share.cluster[kBig].counters.cycles, by_name.cluster[kBig].counters.cycles);
    for (const JobRecord& job : by_share.jobs()) {
      EXPECT_NEAR(static_cast<double>(job.finish_ns - job.start_ns) * 1e-6, 200, 1e-3);  // not 100
      ++jobs;
    }
  }
  EXPECT_EQ(jobs, 8);
  check_belief(Belief::of(round_board()), half);  // it can be unknown
  EXPECT_NE(content_hash(half), content_hash(round_board()));
}

}  // namespace
}  // namespace flyball
