// What becomes of jobs on the emulated platform: releases, times, energy, and the knobs they run at.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "tests/env/emulated_play.h"
#include "tests/env/network_levels.h"

namespace flyball {
namespace {

using namespace emulated_test;

TEST(EmulatedPlatform, BeginsWithWhatThePlatformFound) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(100);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.observe(out);
  EXPECT_EQ(out.now_ns, 0);
  EXPECT_EQ(out.sequence, 0u);
  EXPECT_EQ(out.cluster_count, 1);
  EXPECT_EQ(out.app_count, 1);
  EXPECT_EQ(out.app[0].required, scenario.apps[0].required);
  EXPECT_EQ(out.cluster[0].freq_khz, 500'000);
  EXPECT_NEAR(out.power_mw, 50, 1e-6);
  EXPECT_NEAR(out.cluster[0].temp_c, 25 + 10 + 5 * 0.05, 1e-6);
}

TEST(EmulatedPlatform, ReleasesOnScheduleAndAccountsForEveryJob) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(500);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  EXPECT_EQ(platform.inferences_per_job(0), 10);
  Status last = Status::kOk;
  const Totals totals = play(platform, fixed(2), &last);
  EXPECT_EQ(last, Status::kFinished);
  EXPECT_EQ(totals.ns, 500 * kMs);
  EXPECT_EQ(totals.released, 13u);  // 0, 40, ..., 480 ms
  EXPECT_EQ(totals.released, totals.finished + totals.dropped + totals.backlog);
  EXPECT_EQ(totals.jobs, totals.finished + totals.dropped);
  for (std::size_t i = 0; i < totals.records.size(); ++i) {
    const JobRecord& job = totals.records[i];
    EXPECT_EQ(job.sequence, i);
    EXPECT_EQ(job.release_ns, static_cast<std::int64_t>(i) * 40 * kMs);
    EXPECT_GE(job.start_ns, job.release_ns);
    EXPECT_GE(job.execution_ns(), 10 * kMs);
    EXPECT_EQ(job.missed, job.dropped || job.finish_ns > job.deadline_ns);
  }
  for (const auto& run : engine.runs()) EXPECT_EQ(run.inferences, 10);
}

TEST(EmulatedPlatform, EnergyIsThePowerOfTheModelTimesTheBusyTimes) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(400);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  const Totals totals = play(platform, fixed(2));
  double busy_s = 0;
  for (const JobRecord& job : totals.records)
    busy_s += static_cast<double>(job.execution_ns()) * 1e-9;
  if (totals.backlog > 0) GTEST_SKIP() << "a job ran across the end: its part is not known here";
  // 200 mW always, 2000 mW more while a job runs. A start or finish that becomes known after an
  // epoch's end has been integrated takes effect there: 1 % is far more than that.
  const double expected = 200 * 0.4 + 2000 * busy_s;
  EXPECT_NEAR(totals.energy_mj, expected, 0.01 * expected);
}

TEST(EmulatedPlatform, MissesAndDropsWhenTooSlow) {
  const PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(900);
  SleepingEngine engine(4 * kMs);  // 40 ms at full speed, 160 ms at 500 MHz
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  const Totals totals = play(platform, fixed(0));
  EXPECT_GT(totals.finished, 2u);
  EXPECT_GT(totals.dropped, 0u);
  EXPECT_EQ(totals.missed, totals.finished + totals.dropped);
  EXPECT_EQ(totals.released, totals.finished + totals.dropped + totals.backlog);
}

TEST(EmulatedPlatform, ServesTheEarliestDeadlineFirst) {
  const PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(400);
  scenario.apps[0].arrival.period_ns = 1'000 * kMs;
  scenario.apps.push_back(scenario.apps[0]);
  scenario.apps.push_back(scenario.apps[0]);
  scenario.apps[0].required.deadline_ns = 50 * kMs;  // occupies the executor first
  scenario.apps[1].start_ns = scenario.apps[2].start_ns = 20 * kMs;
  scenario.apps[1].required.deadline_ns = 300 * kMs;
  scenario.apps[2].required.deadline_ns = 200 * kMs;
  SleepingEngine engine(5 * kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.apply(fixed(2));
  std::vector<int> order;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    status = platform.advance({20 * kMs, false}, out);
    for (const JobRecord& job : out.jobs()) order.push_back(job.app);
  }
  EXPECT_EQ(order, (std::vector<int>{0, 2, 1}));
}

// The contract of starts holds for the first action, too: the job that is released as the clock
// starts has what the platform was found with.
TEST(EmulatedPlatform, TheFirstActionIsInForceADecisionLatencyAfterTheStart) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one CPU";
  PlatformSpec spec = easy_spec();
  spec.decision_latency_us = 100'000;
  Scenario scenario = easy_scenario(1000);
  scenario.apps[0].arrival.period_ns = 300 * kMs;
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.apply(fixed(2, 1, 0));
  platform.advance({kMs, true}, out);
  EXPECT_GE(out.now_ns, 100 * kMs) << "an epoch does not end before its action is in force";
  EXPECT_EQ(out.app[0].setting, (AppSetting{1, 0}));
  EXPECT_EQ(out.cluster[0].asked_opp, 2);
  platform.advance({300 * kMs, false}, out);
  const auto runs = engine.runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].setting.active, 1);
  EXPECT_EQ(runs[0].setting.width, 1);
  EXPECT_DOUBLE_EQ(runs[0].setting.speed_ratio, 0.25);
  EXPECT_EQ(runs[1].setting.active, 2);
  EXPECT_EQ(runs[1].setting.width, 0);
  EXPECT_DOUBLE_EQ(runs[1].setting.speed_ratio, 1);
}

TEST(EmulatedPlatform, AFrequencyTurnsInTheMiddleOfAJobAfterTheLatency) {
  PlatformSpec spec = easy_spec();
  spec.clusters[0].transition_latency_us = 20'000;
  Scenario scenario = easy_scenario(600);
  scenario.apps[0].arrival.period_ns = 1'000 * kMs;
  SleepingEngine engine(20 * kMs);  // the only job takes 200 ms at full speed
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.apply(fixed(2));
  platform.advance({50 * kMs, false}, out);
  ASSERT_EQ(engine.runs().size(), 1u);
  const std::int64_t applied = now_ns();
  platform.apply(fixed(0));
  platform.advance({150 * kMs, false}, out);
  // The job began at the frequency the platform was found with, and was sped up first.
  const auto ratios = engine.ratios();
  EXPECT_DOUBLE_EQ(engine.runs()[0].setting.speed_ratio, 0.25);
  const auto slowed = std::find_if(ratios.begin(), ratios.end(),
                                   [&](const auto& set) { return set.at_ns > applied; });
  ASSERT_NE(slowed, ratios.begin());
  ASSERT_NE(slowed, ratios.end());
  EXPECT_DOUBLE_EQ((slowed - 1)->ratio, 1);
  EXPECT_DOUBLE_EQ(slowed->ratio, 0.25);
  EXPECT_GE(slowed->at_ns - applied, 20 * kMs);
  EXPECT_EQ(engine.runs().size(), 1u);  // still the same job
  EXPECT_EQ(out.cluster[0].freq_khz, 500'000);
  EXPECT_EQ(out.app[0].backlog, 1u);
}

TEST(EmulatedPlatform, MappingAndWidthComeWithTheNextJob) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one CPU";
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(300);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.apply(fixed(2, 0, 1));
  platform.advance({100 * kMs, false}, out);
  platform.apply(fixed(2, 1, 0));
  EXPECT_EQ(platform.advance({100 * kMs, false}, out), Status::kOk);
  EXPECT_EQ(out.app[0].setting, (AppSetting{1, 0}));
  EXPECT_EQ(out.app[0].last_setting, (AppSetting{1, 0}));
  const auto runs = engine.runs();
  EXPECT_EQ(runs.front().setting.active, 1);
  EXPECT_EQ(runs.front().setting.cpus.count(), 1);
  EXPECT_EQ(runs.front().setting.width, 1);
  EXPECT_EQ(runs.back().setting.active, 2);
  EXPECT_EQ(runs.back().setting.cpus.count(), 2);
  EXPECT_EQ(runs.back().setting.width, 0);
}

// Levels 50 int8, 50, 100 int8, 100: the engine is told the network's width and the precision.
TEST(EmulatedPlatform, ALevelIsAWidthAndAPrecision) {
  PlatformSpec spec = easy_spec();
  give_widths(spec.apps[0], {{50, 0.3, 0.5, 59, "test", true},
                             {50, 0.5, 0.5, 60, "test"},
                             {100, 0.6, 1, 69, "test", true},
                             {100, 1, 1, 70, "test"}});
  const Scenario scenario = easy_scenario(400);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.observe(out);
  EXPECT_EQ(out.app[0].setting.level, 3) << "begins with the whole network in fp32";
  Totals totals;
  for (const int level : {3, 0, 2}) {
    platform.apply(fixed(2, 0, level));
    platform.advance({120 * kMs, false}, out);
    totals.add(out);
  }
  for (const JobRecord& job : totals.records) {
    EXPECT_FLOAT_EQ(job.accuracy_pct,
                    static_cast<float>(spec.apps[0].levels[job.setting.level].accuracy_pct));
  }
  bool seen_narrow = false, seen_whole = false;
  for (const auto& run : engine.runs()) {
    EXPECT_TRUE(run.setting.int8 || run.setting.width == 1);
    seen_narrow = seen_narrow || (run.setting.int8 && run.setting.width == 0);
    seen_whole = seen_whole || (run.setting.int8 && run.setting.width == 1);
  }
  EXPECT_TRUE(seen_narrow);
  EXPECT_TRUE(seen_whole);
}

// What was decided just before, and is not in force yet, is not undone by what is restored.
TEST(EmulatedPlatform, RestoringOneKnobLeavesWhatWasDecidedJustBefore) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(1000);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.apply(fixed(2, 1, 1));
  platform.restore({{"camera.level", "50"}});
  platform.advance({20 * kMs, false}, out);
  EXPECT_EQ(out.cluster[0].asked_opp, 2);
  EXPECT_EQ(out.app[0].setting, (AppSetting{1, 0}));
  platform.apply(fixed(1, 0, 0));
  platform.restore({{"camera.level", "100"}});
  platform.advance({20 * kMs, false}, out);
  EXPECT_EQ(out.cluster[0].asked_opp, 1);
  EXPECT_EQ(out.app[0].setting, (AppSetting{0, 1}));
  platform.restore({{"CPU.freq", "2000000"}});
  platform.advance({20 * kMs, false}, out);
  EXPECT_EQ(out.cluster[0].asked_opp, 2);
  EXPECT_EQ(out.app[0].setting, (AppSetting{0, 1}));
}

}  // namespace
}  // namespace flyball
