#include <gtest/gtest.h>
#include <sys/resource.h>

#include "env/emulated/background_threads.h"
#include "tests/env/emulated_fixture.h"

namespace flyball {
namespace {

using emulated_test::easy_scenario;
using emulated_test::easy_spec;
using emulated_test::sleep_ns;
using emulated_test::thread_count;
using emulated_test::threads_become;

constexpr std::int64_t kMs = 1'000'000;

double process_cpu_s() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void reap_all(BackgroundThreads& background) {
  for (int i = 0; background.ending() && i < 10'000; ++i) {
    background.reap();
    sleep_ns(kMs);
  }
}

TEST(EmulatedBackground, StartsAndStopsThreads) {
  const PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(100);
  scenario.background = {{"half", 0, 0.5, 1, 0, 0, 1}, {"memory", 0, 0.25, 1, 0.2, 0, 1}};
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "the emulator's threads come and go as well";
  const int before = thread_count();
  BackgroundThreads background(spec, scenario);
  EXPECT_TRUE(threads_become(before));
  EXPECT_DOUBLE_EQ(background.start(0, CpuSet{0, 1}), 0.5);
  EXPECT_TRUE(threads_become(before + 1));
  EXPECT_DOUBLE_EQ(background.start(1, CpuSet{0, 1}), 0.25);
  EXPECT_TRUE(threads_become(before + 2));
  background.stop(0);
  reap_all(background);
  EXPECT_TRUE(threads_become(before + 1));
  EXPECT_EQ(background.running(), 1);
  background.stop_all();
  EXPECT_TRUE(threads_become(before));
}

TEST(EmulatedBackground, IsBoundedByTheCpus) {
  const PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(100);
  scenario.background = {{"greedy", 0, 3.5, 1, 0, 0, 1}};
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "the emulator's threads come and go as well";
  const int before = thread_count();
  BackgroundThreads background(spec, scenario);
  EXPECT_DOUBLE_EQ(background.start(0, CpuSet{0}), 1);
  EXPECT_TRUE(threads_become(before + 1));
  EXPECT_EQ(background.refused(), 3);
}

TEST(EmulatedBackground, AThreadThatCannotBePinnedRunsAllTheSame) {
  PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(100);
  scenario.background = {{"lost", 0, 0.1, 1, 0, 0, 1}};
  BackgroundThreads background(spec, scenario);
  const CpuSet absent{kMaxCpus - 1};  // no test machine has so many
  if (!(thread_affinity() & absent).empty()) GTEST_SKIP() << "it does";
  EXPECT_DOUBLE_EQ(background.start(0, absent), 0.1);
  for (int i = 0; background.unpinned() == 0 && i < 10'000; ++i) sleep_ns(kMs);
  EXPECT_EQ(background.unpinned(), 1);
}

TEST(EmulatedBackground, ADutyCycleLeavesTheRestIdle) {
  const PlatformSpec spec = easy_spec();
  Scenario scenario = easy_scenario(100);
  scenario.background = {{"third", 0, 0.3, 1, 0, 0, 1}};
  BackgroundThreads background(spec, scenario);
  background.start(0, thread_affinity());
  sleep_ns(50 * kMs);
  const double from = process_cpu_s();
  const std::int64_t begin = emulated_test::now_ns();
  sleep_ns(300 * kMs);
  const double share =
      (process_cpu_s() - from) / (static_cast<double>(emulated_test::now_ns() - begin) * 1e-9);
  // On a busy machine it may get less; never is it to take much more.
  EXPECT_LT(share, 0.4);
  EXPECT_GT(share, 0.02);
}

}  // namespace
}  // namespace flyball
