// Threads of the emulated platform and the CPUs that are left to it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/env/emulated_play.h"

namespace flyball {
namespace {

using namespace emulated_test;
using ::testing::HasSubstr;

TEST(EmulatedCpus, LeavesNoThreadAndNoAffinityBehind) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "the emulator's threads come and go as well";
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

// One job runs at a time; each application has a CPU of its own all the same, and it is told which.
TEST(EmulatedCpus, TwoApplicationsHaveCpusOfTheirOwn) {
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "one CPU";
  const PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(60'000);  // until enough was seen
  scenario.apps.push_back(scenario.apps[0]);
  scenario.apps[1].name = "audio";
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
  Action action = fixed(2, 0, 1);
  action.app[1] = action.app[0];
  CpuSet of[2];
  int jobs[2] = {0, 0};
  std::uint64_t last[2] = {~0u, ~0u};
  Observation out;
  Status status = Status::kOk;
  while (status == Status::kOk && std::min(jobs[0], jobs[1]) < 3) {
    platform.apply(action);
    status = platform.advance({kMs, false}, out);
    for (int a = 0; a < 2; ++a) {
      const RunningJobObservation& run = out.app[a].running;
      if (!run.busy || run.sequence == last[a]) continue;
      last[a] = run.sequence;
      ++jobs[a];
      of[a] = of[a] | run.cpus;
    }
  }
  EXPECT_EQ(of[0].count(), 1);
  EXPECT_EQ(of[1].count(), 1);
  EXPECT_TRUE((of[0] & of[1]).empty());
  for (const auto& run : engine.runs()) {
    EXPECT_TRUE(run.setting.cpus == of[0] || run.setting.cpus == of[1])
        << "what is told is what the engine had";
  }
}

TEST(EmulatedCpus, ATakenAwayCpuIsToldAndTheRunGoesOn) {
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

TEST(EmulatedCpus, CpusThatVanishDuringARunServeNoMoreJobs) {
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

}  // namespace
}  // namespace flyball
