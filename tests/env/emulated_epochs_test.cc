// When an epoch of the emulated platform ends, and what it costs the control thread.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <limits>
#include <thread>

#include "tests/env/allocation_counter.h"
#include "tests/env/emulated_play.h"

namespace flyball {
namespace {

using namespace emulated_test;

TEST(EmulatedEpochs, AnEpochMayEndWithARelease) {
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

TEST(EmulatedEpochs, AnEpochMayEndWithAFinish) {
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

TEST(EmulatedEpochs, AnEpochWithoutALimitEndsWithARelease) {
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

TEST(EmulatedEpochs, AnotherThreadInterrupts) {
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

TEST(EmulatedEpochs, NobodyWaitsForALongJobThatIsNotWanted) {
  PlatformSpec spec = easy_spec();
  spec.apps[0].unit[0].mcycles = 7'200'000;  // an hour, or the test hangs
  const Scenario scenario = easy_scenario(10'000'000);
  SleepingEngine engine(kMs);
  for (int run = 0; run < 2; ++run) {
    EmulatedPlatform platform(spec, scenario, engine, one_ms_inference());
    Observation out;
    do platform.advance({10 * kMs, false}, out);
    while (!out.app[0].running.busy);
    platform.interrupt();
    while (platform.advance({10 * kMs, false}, out) == Status::kOk) continue;
  }
  EXPECT_EQ(engine.runs().size(), 2u) << "an engine that was cut short runs for the next platform";
}

EmulatedPlatform* to_interrupt = nullptr;

TEST(EmulatedEpochs, ASignalHandlerInterrupts) {
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

TEST(EmulatedEpochs, TheControlThreadAllocatesNothing) {
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

}  // namespace
}  // namespace flyball
