#include "env/emulated/emulated_platform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "kernels/base/error.h"
#include "tests/env/allocation_counter.h"
#include "tests/env/emulated_fixture.h"

namespace flyball {
namespace {

using emulated_test::easy_scenario;
using emulated_test::easy_spec;
using emulated_test::now_ns;
using emulated_test::sleep_ns;
using emulated_test::SleepingEngine;
using emulated_test::thread_count;
using emulated_test::threads_become;
using ::testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;

EmulatedOptions one_ms_inference() {
  EmulatedOptions options;
  options.inference_ns = kMs;
  return options;
}

Action fixed(int opp, int mapping = 0, int width = 1) {
  Action action;
  action.opp[0] = static_cast<std::uint8_t>(opp);
  action.app[0] = {static_cast<std::uint8_t>(mapping), static_cast<std::uint8_t>(width)};
  return action;
}

struct Totals {
  std::uint64_t released = 0, finished = 0, missed = 0, dropped = 0, jobs = 0;
  std::uint32_t backlog = 0;
  double energy_mj = 0;
  std::int64_t ns = 0;
  std::vector<JobRecord> records;
  void add(const Observation& out, int app = 0) {
    released += out.app[app].released;
    finished += out.app[app].finished;
    missed += out.app[app].missed;
    backlog = out.app[app].backlog;
    energy_mj += out.energy_mj;
    ns += out.epoch_ns;
    for (const JobRecord& job : out.jobs()) {
      if (job.app != app) continue;
      ++jobs;
      dropped += job.dropped;
      records.push_back(job);
    }
  }
};

/// Runs the scenario to its end with one action.
Totals play(EmulatedPlatform& platform, const Action& action, Status* last = nullptr) {
  Totals totals;
  Observation out;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    platform.apply(action);
    status = platform.advance({20 * kMs, false}, out);
    totals.add(out);
  }
  if (last != nullptr) *last = status;
  return totals;
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
  spec.apps[0].levels = {{50, 0.3, 0.5, 59, "test", true},
                         {50, 0.5, 0.5, 60, "test"},
                         {100, 0.6, 1, 69, "test", true},
                         {100, 1, 1, 70, "test"}};
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

// A CPU that workers could not be pinned to is told at the end of the run.
TEST(EmulatedPlatform, WhatTheEngineWorkedAroundIsInTheNotes) {
  class Unpinned final : public JobEngine {
   public:
    std::int64_t run(const Setting&, int) override { return 1000; }
    void set_speed_ratio(double) override {}
    int max_active() const override { return 1; }
    const std::string& problem() const override { return problem_; }

   private:
    std::string problem_ = "CPU 7: cannot pin to it";
  };
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(100);
  Unpinned engine;
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.apply(fixed(2));
  while (platform.advance({10 * kMs, false}, out) == Status::kOk) {
  }
  EXPECT_THAT(platform.notes(), ::testing::Contains(HasSubstr("CPU 7: cannot pin to it")));
}

// What is measured first is the whole network in fp32.
TEST(EmulatedPlatform, MeasuresTheWholeNetwork) {
  PlatformSpec spec = easy_spec();
  spec.apps[0].levels = {
      {50, 0.5, 0.5, 60, "test"}, {100, 0.6, 1, 69, "test", true}, {100, 1, 1, 70, "test"}};
  const Scenario scenario = easy_scenario(100);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, {});
  for (const auto& run : engine.runs()) {
    EXPECT_EQ(run.setting.width, 1);
    EXPECT_FALSE(run.setting.int8);
  }
}

TEST(EmulatedPlatform, AnEpochMayEndWithARelease) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(400);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.apply(fixed(2));
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(platform.advance({10'000 * kMs, true}, out), Status::kOk);
    EXPECT_GE(out.app[0].released, 1u);
    EXPECT_EQ(out.sequence, static_cast<std::uint64_t>(i) + 1);
    EXPECT_LT(out.now_ns, 400 * kMs);
  }
  // With neither release nor end the interval ends it.
  Scenario silent = easy_scenario(400);
  silent.apps[0].start_ns = 390 * kMs;
  EmulatedPlatform quiet(spec, silent, engine, one_ms_inference());
  EXPECT_EQ(quiet.advance({30 * kMs, true}, out), Status::kOk);
  EXPECT_EQ(out.app[0].released, 0u);
  EXPECT_GE(out.epoch_ns, 30 * kMs);
}

TEST(EmulatedPlatform, AnEpochMayEndWithAFinish) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(400);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  platform.apply(fixed(2));
  const EpochRequest until_finish{.interval_ns = 10'000 * kMs, .stop_at_finish = true};
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(platform.advance(until_finish, out), Status::kOk);
    EXPECT_GE(out.app[0].finished, 1u);
    EXPECT_LT(out.now_ns, 400 * kMs);
  }
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

TEST(EmulatedPlatform, MeasuresAnInferenceWhenItIsNotTold) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(100);
  SleepingEngine engine(2 * kMs);
  const EmulatedPlatform platform(spec, scenario, engine);
  EXPECT_GE(platform.inference_ns(), 2 * kMs);
  EXPECT_EQ(platform.inferences_per_job(0),
            static_cast<int>(std::lround(10e6 / static_cast<double>(platform.inference_ns()))));
  for (const auto& run : engine.runs()) {
    EXPECT_EQ(run.setting.active, 1);
    EXPECT_EQ(run.setting.width, 1);
    EXPECT_EQ(run.setting.speed_ratio, 1);
  }
}

TEST(EmulatedPlatform, AJobIsAtLeastOneInference) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(100);
  SleepingEngine engine(kMs);
  EmulatedOptions options;
  options.inference_ns = 1'000 * kMs;
  EXPECT_EQ(EmulatedPlatform(spec, scenario, engine, options).inferences_per_job(0), 1);
}

// Counts 1000 instructions and 500 cycles between every two readings.
class SteadyCounters final : public CounterSource {
 public:
  bool read(CounterSample& out) noexcept override {
    out = {};
    out.set(CounterField::kInstructions, 1000);
    out.set(CounterField::kCycles, 500);
    return true;
  }
  const CounterTally& tally() const noexcept override { return tally_; }
  std::string describe() const override { return "steady"; }

 private:
  CounterTally tally_;
};

TEST(EmulatedPlatform, CountersOfAJobAreItsApplicationsAndItsClusters) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(500);
  SleepingEngine engine(kMs);
  EmulatedOptions options = one_ms_inference();
  options.counters = [](const std::vector<int>&) { return std::make_unique<SteadyCounters>(); };
  EmulatedPlatform platform(spec, scenario, engine, options);
  EXPECT_EQ(platform.counters(), "steady");
  Observation out;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    platform.apply(fixed(2));
    status = platform.advance({100 * kMs, false}, out);
    const Counters& counters = out.app[0].counters;
    // A reading before each job and one after it: what passes between jobs is nobody's.
    EXPECT_EQ(counters.instructions, 1000.0 * out.app[0].finished);
    EXPECT_EQ(out.cluster[0].counters.cycles, 500.0 * out.app[0].finished);
    if (out.app[0].finished == 0) continue;
    EXPECT_EQ(counters.valid, Counters::kInstructions | Counters::kCycles);
    EXPECT_EQ(counters.ipc(), 2);
    EXPECT_TRUE(std::isnan(counters.stall_share()));
  }
}

TEST(EmulatedPlatform, ThisMachineCountsTheContextSwitchesOfTheThreadsThatRunJobs) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(200);
  SleepingEngine engine(kMs);  // each of its inferences sleeps, which is a switch
  EmulatedOptions options = one_ms_inference();
  options.counters = thread_counters;
  EmulatedPlatform platform(spec, scenario, engine, options);
  Observation out;
  platform.apply(fixed(2));
  ASSERT_EQ(platform.advance({150 * kMs, false}, out), Status::kOk);
  ASSERT_GT(out.app[0].finished, 0u);
  if (!out.app[0].counters.has(Counters::kSwitches)) GTEST_SKIP() << platform.counters();
  EXPECT_GE(out.app[0].counters.context_switches, out.app[0].finished);
}

TEST(EmulatedPlatform, AnotherThreadInterrupts) {
  const PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(100'000);
  scenario.background = {{"other", 0, 1.0, 0.5, 0, 0, scenario.duration_ns}};
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  std::thread other([&] {
    sleep_ns(50 * kMs);
    platform.interrupt();
  });
  Observation out;
  EXPECT_EQ(platform.advance({90'000 * kMs, false}, out), Status::kInterrupted);
  other.join();
  EXPECT_LT(out.now_ns, 10'000 * kMs);  // the interval is 90 s
  EXPECT_GT(out.app[0].released, 0u);
  EXPECT_EQ(platform.advance({90'000 * kMs, false}, out), Status::kInterrupted);
}

EmulatedPlatform* to_interrupt = nullptr;

TEST(EmulatedPlatform, ASignalHandlerInterrupts) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(100'000);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  to_interrupt = &platform;
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) { to_interrupt->interrupt(); };
  sigaction(SIGUSR1, &action, &before);
  const pthread_t self = pthread_self();
  std::thread sender([self] {
    sleep_ns(50 * kMs);
    pthread_kill(self, SIGUSR1);
  });
  Observation out;
  EXPECT_EQ(platform.advance({90'000 * kMs, false}, out), Status::kInterrupted);
  sender.join();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_LT(out.now_ns, 10'000 * kMs);
}

TEST(EmulatedPlatform, TheControlThreadAllocatesNothing) {
  const PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(300);
  scenario.background = {{"other", 0, 1.0, 0.5, 0.1, 50 * kMs, 150 * kMs}};
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  Status status = Status::kOk;
  const std::uint64_t before = thread_allocations();
  for (int i = 0; status == Status::kOk; ++i) {
    platform.apply(fixed(i % 3, i % 2, i % 2));
    status = platform.advance({10 * kMs, i % 2 == 0}, out);
  }
  EXPECT_EQ(thread_allocations(), before);
  EXPECT_EQ(status, Status::kFinished);
}

TEST(EmulatedPlatform, LeavesNoThreadAndNoAffinityBehind) {
  const int threads = thread_count();
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  const PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(100'000);
  scenario.background = {{"other", 0, 1.0, 0.5, 0.1, 0, scenario.duration_ns}};
  SleepingEngine engine(kMs);
  const auto use = [&] {
    EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
    EXPECT_TRUE(threads_become(threads + 2));  // machine and executor
    Observation out;
    platform.advance({50 * kMs, false}, out);
    EXPECT_TRUE(threads_become(threads + 3));
    throw std::runtime_error("a governor that fails");
  };
  EXPECT_THROW(use(), std::runtime_error);
  EXPECT_TRUE(threads_become(threads));
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  EXPECT_EQ(engine.released, 1);
}

TEST(EmulatedPlatform, ATakenAwayCpuIsToldAndTheRunGoesOn) {
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "one CPU";
  CPU_ZERO(&one);
  for (std::size_t cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);  // the platform's threads inherit it
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(150);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  sched_setaffinity(0, sizeof(all), &all);
  const Totals totals = play(platform, fixed(2, 1, 1));
  EXPECT_GT(totals.finished, 0u);
  for (const auto& run : engine.runs()) EXPECT_EQ(run.setting.active, 1);
  ASSERT_FALSE(platform.notes().empty());
  EXPECT_THAT(platform.notes()[0], HasSubstr("fewer cores than mapped"));
}

/// Lets every thread of this process run on `cpus` only, as a control group would.
void confine_process(const cpu_set_t& cpus) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    sched_setaffinity(std::stoi(task.path().filename()), sizeof(cpus), &cpus);
  }
}

TEST(EmulatedPlatform, CpusThatVanishDuringARunServeNoMoreJobs) {
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "one CPU";
  CPU_ZERO(&one);
  std::size_t last = 0;
  for (std::size_t cpu = 0; cpu < 64; ++cpu) {
    if (CPU_ISSET(cpu, &all)) last = cpu;
  }
  CPU_SET(last, &one);
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(100'000);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  Totals totals;
  // Jobs of two cores, but the first, until two have finished, then the CPUs go, then until three more have.
  std::size_t before = 0;
  bool gone = false;
  for (int i = 0; i < 500 && totals.finished < (gone ? before + 3 : 2); ++i) {
    platform.apply(fixed(2, 1, 1));
    ASSERT_EQ(platform.advance({20 * kMs, false}, out), Status::kOk);
    totals.add(out);
    if (gone || totals.finished < 2) continue;
    EXPECT_EQ(engine.runs()[1].setting.active, 2);
    confine_process(one);
    gone = true;
    ASSERT_EQ(platform.advance({20 * kMs, false}, out), Status::kOk);  // at its end they are missed
    totals.add(out);
    before = engine.runs().size();
  }
  const auto runs = engine.runs();
  const std::vector<std::string> notes = platform.notes();
  confine_process(all);
  ASSERT_GT(runs.size(), before);
  for (std::size_t i = before; i < runs.size(); ++i) {
    EXPECT_EQ(runs[i].setting.cpus, CpuSet{static_cast<int>(last)});
    EXPECT_EQ(runs[i].setting.active, 1);
  }
  ASSERT_FALSE(notes.empty());
  EXPECT_THAT(notes[0], HasSubstr("CPUs went away during the run: 1 of"));
}

TEST(EmulatedPlatform, AnEpochWithoutALimitEndsWithARelease) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(500);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  const EpochRequest request{std::numeric_limits<std::int64_t>::max(), true};
  Observation out;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(platform.advance(request, out), Status::kOk);
    EXPECT_GE(out.app[0].released, 1u);
  }
}

TEST(EmulatedPlatform, AnEngineThatFailsIsALostDevice) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(100'000);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Observation out;
  EXPECT_EQ(platform.advance({30 * kMs, false}, out), Status::kOk);
  engine.broken = true;
  EXPECT_EQ(platform.advance({90'000 * kMs, false}, out), Status::kDeviceLost);
  EXPECT_EQ(platform.apply(fixed(0)), Status::kDeviceLost);
  ASSERT_FALSE(platform.notes().empty());
  EXPECT_THAT(platform.notes().back(), HasSubstr("engine broke"));
}

TEST(EmulatedPlatform, AnEngineThatFailsWhileItIsMeasuredIsAnError) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(100);
  SleepingEngine engine(kMs);
  engine.broken = true;
  EXPECT_THROW(EmulatedPlatform(spec, scenario, engine), Error);
}

TEST(EmulatedPlatform, RefusesAGpu) {
  PlatformSpec spec = easy_spec();
  spec.clusters[0].kind = ClusterSpec::Kind::kGpu;
  const Scenario scenario = easy_scenario(100);
  SleepingEngine engine(kMs);
  try {
    EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kInput);
    EXPECT_THAT(error.what(), HasSubstr("CPU clusters only"));
  }
}

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
