#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "env/linux/counter_figures.h"
#include "env/linux/perf_counter_source.h"
#include "kernels/base/random.h"
#include "tests/env/allocation_counter.h"
#include "tests/env/counter_kernel.h"

namespace flyball {
namespace {

using counter_test::ScriptedKernel;
using testing::HasSubstr;
using Event = ScriptedKernel::Event;
using enum CounterField;

constexpr std::uint64_t kMs = 1'000'000;
constexpr int kPatience = PerfEvents::kPatience;

/// One kind of core, no /proc.
struct PerfCounters : testing::Test {
  ScriptedKernel kernel;
  PerfMachine machine{kernel, "/nowhere", "/nowhere"};
  CounterSample s;
  std::vector<int> tids{7};

  PerfCounterSource threads() { return PerfCounterSource::of_threads(tids, machine); }
  void count(std::uint64_t config, std::uint64_t value, std::uint64_t enabled,
             std::uint64_t running) {
    kernel.count(PERF_TYPE_HARDWARE, config, value, enabled, running);
  }
};

TEST_F(PerfCounters, GivesWhatWasCountedSinceTheLastReading) {
  auto source = threads();
  kernel.run(1000, kMs);
  ASSERT_TRUE(source.read(s));
  EXPECT_DOUBLE_EQ(s.instructions, 1000);
  EXPECT_DOUBLE_EQ(s.cache_misses, 1000);
  EXPECT_STREQ(s.cache_level, "LLC");
  EXPECT_DOUBLE_EQ(*ipc(s), 1);
  kernel.run(50, kMs);
  source.read(s);
  EXPECT_DOUBLE_EQ(s.instructions, 50);
  source.read(s);  // the thread slept, which is a true 0 of an event that works
  EXPECT_TRUE(s.is_valid(kInstructions));
  EXPECT_DOUBLE_EQ(s.instructions, 0);
}

TEST_F(PerfCounters, ScalesEachThreadByTheShareOfItsTimeThatWasSeen) {
  tids = {7, 8};
  auto source = threads();
  for (Event& event : kernel.events) {
    event.value = 100;
    event.enabled = 4 * kMs;
    event.running = event.tid == 7 ? 1 * kMs : 4 * kMs;
  }
  source.read(s);
  EXPECT_DOUBLE_EQ(s.instructions, 100 * 4 + 100);
}

TEST_F(PerfCounters, HasNoDataWhereNothingWasOnTheHardware) {
  auto source = threads();
  kernel.run(1000, kMs);
  source.read(s);
  for (Event& event : kernel.events) event.enabled += kMs;  // running stands still
  EXPECT_FALSE(source.read(s));
  EXPECT_TRUE(s.is_held(kInstructions));
  EXPECT_DOUBLE_EQ(s.instructions, 1000);
  kernel.run(70, kMs);
  EXPECT_TRUE(source.read(s));
  EXPECT_EQ(s.held, 0);
  EXPECT_DOUBLE_EQ(s.instructions, 70);
}

TEST_F(PerfCounters, FreshReadingsAddUpWhateverFails) {
  auto source = threads();
  Random random(1);
  std::uint64_t total = 0;
  double sum = 0;
  bool fail = false;
  kernel.read_error = [&](const Event&) { return fail ? EIO : 0; };
  for (int i = 0; i < 1000; ++i) {
    fail = i % 3 == 1 && i != 999;
    const std::uint64_t value = random.below(1000) + 1;
    total += value;
    kernel.run(value, kMs);
    source.read(s);
    if (s.is_valid(kInstructions) && !s.is_held(kInstructions)) {
      EXPECT_GE(s.instructions, 0);
      sum += s.instructions;
    }
  }
  EXPECT_DOUBLE_EQ(sum, static_cast<double>(total));
  EXPECT_EQ(source.tally().failed, 333U);
  EXPECT_EQ(source.tally().reads, 1000U);
  EXPECT_GE(source.tally().held, 333U);
}

TEST_F(PerfCounters, AnEventThatStaysZeroIsNeverValidAndGivenUp) {
  auto source = threads();
  const int before = kernel.open_events();
  for (int i = 0; i < kPatience; ++i) {
    EXPECT_TRUE((source.measured() & counter_bit(kCacheMisses)) != 0) << i;
    for (const std::uint64_t config :
         {PERF_COUNT_HW_INSTRUCTIONS, PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_HW_CACHE_REFERENCES}) {
      count(config, 5000, 2 * kMs, 2 * kMs);
    }
    count(PERF_COUNT_HW_CACHE_MISSES, 0, 2 * kMs, 2 * kMs);
    EXPECT_TRUE(source.read(s));
    EXPECT_TRUE(s.is_valid(kInstructions));
    EXPECT_FALSE(s.is_valid(kCacheMisses));
    EXPECT_TRUE(std::isnan(s.cache_misses));
  }
  EXPECT_EQ(source.measured() & counter_bit(kCacheMisses), 0);
  EXPECT_LT(kernel.open_events(), before);
  EXPECT_THAT(source.describe(),
              HasSubstr("cache misses, stalled cycles absent (opens but counts"));
  kernel.run(10, kMs);
  source.read(s);
  EXPECT_DOUBLE_EQ(s.instructions, 10);
}

TEST_F(PerfCounters, AThreadThatSleepsIsNoEvidenceAgainstAnEvent) {
  auto source = threads();
  for (int i = 0; i < 3 * kPatience; ++i) source.read(s);
  EXPECT_FALSE(s.is_valid(kCacheMisses));
  kernel.run(10, kMs);
  source.read(s);
  EXPECT_DOUBLE_EQ(s.cache_misses, 10);
}

TEST_F(PerfCounters, AGroupThatIsRefusedIsSplit) {
  kernel.refuse = [&](const Event& event) {
    int members = event.group >= 0 ? 2 : 1;
    for (const Event& other : kernel.events)
      members += event.group >= 0 && other.group == event.group;
    return members > 2 ? EINVAL : 0;
  };
  auto source = threads();
  kernel.event_reads = 0;
  kernel.run(10, kMs);
  source.read(s);
  for (const auto field :
       {kInstructions, kCycles, kCacheMisses, kCacheReferences, kStalledCycles}) {
    EXPECT_DOUBLE_EQ(s.at(field), 10) << counter_name(field);
  }
  EXPECT_EQ(kernel.event_reads, 3 + 1);  // and the software events
}

TEST_F(PerfCounters, AGroupThatNeverRunsIsSplit) {
  auto source = threads();
  const auto run = [&] {
    for (Event& event : kernel.events) {
      if (!event.open) continue;
      bool alone = event.group < 0;
      for (const Event& other : kernel.events) {
        alone &=
            !(other.open && other.group == ScriptedKernel::kFirstEvent +
                                               static_cast<int>(&event - kernel.events.data()));
      }
      event.enabled += 2 * kMs;
      if (!alone) continue;
      event.running += 2 * kMs;
      event.value += 10;
    }
  };
  for (int i = 0; i <= kPatience; ++i) {
    run();
    source.read(s);
  }
  EXPECT_DOUBLE_EQ(s.instructions, 10);
  EXPECT_DOUBLE_EQ(s.stalled_cycles, 10);
}

TEST_F(PerfCounters, ACounterThatIsAlwaysTakenIsGivenUp) {
  auto source = threads();
  for (int i = 0; i < 2 * kPatience + 1; ++i) {
    for (Event& event : kernel.events) {
      if (!event.open) continue;
      // The watchdog has the only counter for cycles: a group with them is never scheduled.
      const int leader = event.group >= 0 ? event.group
                                          : ScriptedKernel::kFirstEvent +
                                                static_cast<int>(&event - kernel.events.data());
      bool taken = event.attr.config == PERF_COUNT_HW_CPU_CYCLES;
      for (const Event& other : kernel.events) {
        taken |=
            other.open && other.group == leader && other.attr.config == PERF_COUNT_HW_CPU_CYCLES;
      }
      event.enabled += 2 * kMs;
      if (taken) continue;
      event.running += 2 * kMs;
      event.value += 10;
    }
    source.read(s);
  }
  EXPECT_THAT(source.describe(), HasSubstr("cycles absent (no free counter)"));
  EXPECT_FALSE(s.is_valid(kCycles));
  EXPECT_DOUBLE_EQ(s.instructions, 10);
}

TEST_F(PerfCounters, ClosesTheLastFieldsWhenDescriptorsRunOut) {
  tids = {1, 2, 3};
  kernel.refuse = [&](const Event&) { return kernel.open_events() >= 8 ? EMFILE : 0; };
  {
    auto source = threads();
    EXPECT_EQ(source.measured(), counter_bit(kInstructions) | counter_bit(kCycles));
    EXPECT_EQ(kernel.open_events(), 6);  // not two of the third field's three
    EXPECT_THAT(source.describe(), HasSubstr("too many open files"));
    kernel.run(10, kMs);
    source.read(s);
    EXPECT_DOUBLE_EQ(s.instructions, 30);
  }
  EXPECT_EQ(kernel.open_events(), 0);
}

TEST_F(PerfCounters, AnInterruptedReadIsNoFailureAndAShortOneIs) {
  auto source = threads();
  kernel.run(1000, kMs);
  source.read(s);
  int interrupts = 0;
  kernel.read_error = [&](const Event&) { return ++interrupts % 2 == 1 ? EINTR : 0; };
  EXPECT_TRUE(source.read(s));
  EXPECT_EQ(source.tally().failed, 0U);
  kernel.short_reads = true;
  EXPECT_FALSE(source.read(s));
  EXPECT_EQ(s.held, s.valid);
  EXPECT_NE(s.held, 0);
  EXPECT_EQ(source.tally().failed, 1U);
}

TEST_F(PerfCounters, OpensADescriptorThatDiedAnewOnceAndThenGoesOnWithout) {
  kernel.texts["/proc/7/task/7/schedstat"] = "1000000 0 1\n";
  machine.proc_root = "/proc";
  auto source = threads();
  kernel.run(1000, kMs);
  source.read(s);
  const auto opened = kernel.events.size();
  kernel.read_error = [](const Event&) { return EBADF; };
  for (int i = 0; i < kPatience; ++i) EXPECT_FALSE(source.read(s)) << i;
  EXPECT_EQ(kernel.events.size(), 2 * opened);
  for (int i = 0; i < kPatience; ++i) source.read(s);
  EXPECT_EQ(kernel.open_events(), 0);
  EXPECT_THAT(source.describe(), HasSubstr("cannot be read any more"));
  kernel.texts["/proc/7/task/7/schedstat"] = "3000000 0 5\n";
  EXPECT_TRUE(source.read(s));
  EXPECT_DOUBLE_EQ(s.cpu_time_ns, 2e6);
  EXPECT_DOUBLE_EQ(s.context_switches, 4);
  EXPECT_TRUE(std::isnan(s.instructions));
}

TEST_F(PerfCounters, ADescriptorThatRecoversIsForgivenEachTime) {
  auto source = threads();
  bool dead = false;
  kernel.read_error = [&](const Event&) { return dead ? ENODEV : 0; };
  for (int time = 0; time < 3; ++time) {
    dead = true;
    for (int i = 0; i < kPatience; ++i) EXPECT_FALSE(source.read(s));
    dead = false;
    source.read(s);  // the new descriptors' first
    kernel.run(10, kMs);
    EXPECT_TRUE(source.read(s));
    EXPECT_DOUBLE_EQ(s.instructions, 10);
  }
}

TEST_F(PerfCounters, EveryRefusalMeansAbsentAndIsSaidOnce) {
  for (const int error : {ENOENT, EACCES, EPERM, ENOSYS, EINVAL}) {
    kernel.refuse = [&](const Event&) { return error; };
    auto source = threads();
    EXPECT_EQ(source.measured(), 0);
    EXPECT_FALSE(source.read(s));
    EXPECT_EQ(s.valid, 0);
    EXPECT_EQ(source.tally().invalid, 0U);
    const std::string text = source.describe();
    EXPECT_EQ(text.find("absent"), text.rfind("absent")) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos);
  }
}

TEST_F(PerfCounters, WithoutThePrivilegeCountsUserModeButNoContextSwitches) {
  // With exclude_kernel Linux opens the event and never counts: the switch happens in the kernel.
  kernel.refuse = [](const Event& event) { return event.attr.exclude_kernel != 0 ? 0 : EACCES; };
  auto source = threads();
  EXPECT_EQ(source.measured() & counter_bit(kContextSwitches), 0);
  EXPECT_NE(source.measured() & counter_bit(kInstructions), 0);
  EXPECT_THAT(source.describe(), HasSubstr("in user mode only"));
  EXPECT_THAT(source.describe(), HasSubstr("context switches, CPU time absent (not permitted"));
}

TEST_F(PerfCounters, LeavesIdleCpusAlone) {
  auto source = PerfCounterSource::of_cpus({0, 1}, machine);
  kernel.run(1000, kMs);
  source.read(s);
  EXPECT_DOUBLE_EQ(s.instructions, 2000);
  kernel.run(100, kMs);
  const int before = kernel.event_reads;
  source.skip_cpus({1});
  source.read(s);
  EXPECT_DOUBLE_EQ(s.instructions, 100);
  const int one_cpu = kernel.event_reads - before;
  source.skip_cpus({});
  source.read(s);
  EXPECT_DOUBLE_EQ(s.instructions, 100);  // what CPU 1 did meanwhile
  EXPECT_EQ(kernel.event_reads - before, 3 * one_cpu);
  EXPECT_FALSE(s.is_valid(kCpuTime));
}

TEST_F(PerfCounters, ReadingAllocatesNothing) {
  tids = {7, 8, 9};
  auto source = threads();
  int step = 0;
  kernel.read_error = [&](const Event&) { return step > 50 ? EIO : 0; };
  const std::uint64_t before = thread_allocations();
  for (; step < 100; ++step) {  // events that stay 0 are closed on the way, others die
    count(PERF_COUNT_HW_INSTRUCTIONS, 10, 2 * kMs, 2 * kMs);
    count(PERF_COUNT_HW_CACHE_MISSES, 0, 2 * kMs, 2 * kMs);
    source.read(s);
  }
  EXPECT_EQ(thread_allocations(), before);
  EXPECT_EQ(kernel.open_events(), 0);
}

TEST_F(PerfCounters, WithoutTargetsThereIsNothing) {
  tids = {0, -1};
  auto source = threads();
  EXPECT_FALSE(source.read(s));
  EXPECT_TRUE(kernel.events.empty());
}

}  // namespace
}  // namespace flyball
