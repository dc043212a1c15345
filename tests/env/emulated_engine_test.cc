// What the emulated platform makes of its engine: measuring, counting, and failures.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "kernels/base/error.h"
#include "tests/env/emulated_play.h"

namespace flyball {
namespace {

using namespace emulated_test;
using ::testing::HasSubstr;

// What is measured first is the whole network in fp32.
TEST(EmulatedEngine, MeasuresTheWholeNetwork) {
  PlatformSpec spec = easy_spec();
  give_widths(
      spec.apps[0],
      {{50, 0.5, 0.5, 60, "test"}, {100, 0.6, 1, 69, "test", true}, {100, 1, 1, 70, "test"}});
  const Scenario scenario = easy_scenario(100);
  SleepingEngine engine(kMs);
  EmulatedPlatform platform(spec, scenario, engine, {});
  for (const auto& run : engine.runs()) {
    EXPECT_EQ(run.setting.width, 1);
    EXPECT_FALSE(run.setting.int8);
  }
}

TEST(EmulatedEngine, MeasuresAnInferenceWhenItIsNotTold) {
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

TEST(EmulatedEngine, AJobIsAtLeastOneInference) {
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

TEST(EmulatedEngine, CountersOfAJobAreItsApplicationsAndItsClusters) {
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

TEST(EmulatedEngine, ThisMachineCountsTheContextSwitchesOfTheThreadsThatRunJobs) {
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

// A CPU that workers could not be pinned to is told at the end of the run.
TEST(EmulatedEngine, WhatTheEngineWorkedAroundIsInTheNotes) {
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

TEST(EmulatedEngine, AnEngineThatFailsIsALostDevice) {
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

TEST(EmulatedEngine, AnEngineThatFailsWhileItIsMeasuredIsAnError) {
  const PlatformSpec spec = easy_spec();
  const Scenario scenario = easy_scenario(100);
  SleepingEngine engine(kMs);
  engine.broken = true;
  EXPECT_THROW(EmulatedPlatform(spec, scenario, engine), Error);
}

TEST(EmulatedEngine, RefusesAGpu) {
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

}  // namespace
}  // namespace flyball
