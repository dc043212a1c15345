#include "governor/inference_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "env/config/error.h"
#include "kernels/pool/clock.h"

namespace flyball {
namespace {

using testing::HasSubstr;

JobEngine::Setting on_first_cpu(int width, double speed_ratio) {
  JobEngine::Setting setting;
  setting.cpu_mask = std::uint64_t{1} << thread_affinity().nth(0);
  setting.active = 1;
  setting.width = width;
  setting.speed_ratio = speed_ratio;
  return setting;
}

TEST(InferenceEngine, RunsRealInferences) {
  InferenceEngine engine;
  EXPECT_EQ(engine.max_active(), thread_affinity().count());
  EXPECT_GT(engine.run(on_first_cpu(0, 1), 1), 0);
  const std::vector<float> quarter = engine.logits();
  engine.run(on_first_cpu(3, 1), 2);
  EXPECT_NE(engine.logits(), quarter);
  engine.run(on_first_cpu(0, 1), 1);
  EXPECT_EQ(engine.logits(), quarter);
  EXPECT_EQ(engine.problem(), "");
  engine.release_thread();
}

#ifdef __SANITIZE_THREAD__
constexpr double kTolerance = 0.06;  // its bookkeeping costs more than what the pacer allows for
#else
constexpr double kTolerance = 0.02;
#endif

std::int64_t in_convolutions_ns = 0;

/// The usual operators, except that the CPU time spent in convolutions is added up. For one worker.
Operators timed_operators() {
  Operators timed = *choose_operators();
  timed.convolution = [](const Convolution& op, int begin, int end) {
    const std::int64_t from = thread_cpu_ns();
    choose_operators()->convolution(op, begin, end);
    in_convolutions_ns += thread_cpu_ns() - from;
  };
  return timed;
}

TEST(InferenceEngine, ASlowerCoreStretchesAJobWithinTwoPercent) {
  const Operators timed = timed_operators();
  Network network = Network::seeded(modified_alexnet(), 1);
  network.set_operators(&timed);
  InferenceEngine engine(std::move(network), 1);
  // The convolutions' part of the thread's CPU time. Both are of the same moment, so it does not
  // matter what the machine does besides; at ratio r it is r times that at full speed.
  const auto part = [&](int width, double ratio) {
    const JobEngine::Setting setting = on_first_cpu(width, ratio);
    engine.run(setting, 1);
    in_convolutions_ns = 0;
    const std::int64_t from = thread_cpu_ns();
    engine.run(setting, 2);
    return static_cast<double>(in_convolutions_ns) / static_cast<double>(thread_cpu_ns() - from);
  };
  for (int width : {0, 3})
    for (double ratio : {0.9, 0.5, 0.15}) {
      // A machine that others use spreads the tries by several percent around the right value: a
      // quarter of them come close.
      int good = 0, tries = 0;
      do {
        ++tries;
        if (std::abs(part(width, ratio) / part(width, 1) / ratio - 1) < kTolerance) ++good;
      } while (tries < 60 && (tries < 8 || 4 * good < tries));
      EXPECT_GE(4 * good, tries) << "width " << width << " at " << ratio;
    }
  engine.release_thread();
}

TEST(InferenceEngine, ReportsACpuThatIsNotThereAndRunsAnyway) {
  if (thread_affinity().contains(63)) GTEST_SKIP() << "this machine has a CPU 63";
  InferenceEngine engine;
  JobEngine::Setting setting = on_first_cpu(3, 1);
  setting.cpu_mask = std::uint64_t{1} << 63;
  EXPECT_GT(engine.run(setting, 1), 0);
  EXPECT_THAT(engine.problem(), HasSubstr("CPU 63"));
  engine.run(on_first_cpu(3, 1), 1);
  EXPECT_EQ(engine.problem(), "");
  engine.release_thread();
}

TEST(InferenceEngine, RefusesSettingsOutOfRange) {
  InferenceEngine engine(Network::seeded(modified_alexnet(), 1), 2);
  JobEngine::Setting setting = on_first_cpu(4, 1);
  EXPECT_THROW(engine.run(setting, 1), std::invalid_argument);
  setting = on_first_cpu(0, 0);
  EXPECT_THROW(engine.run(setting, 1), std::invalid_argument);
  setting = on_first_cpu(0, 1);
  setting.active = 3;
  EXPECT_THROW(engine.run(setting, 1), std::invalid_argument);
  setting.active = 2;
  EXPECT_GT(engine.run(setting, 1), 0);
  engine.release_thread();
}

TEST(InferenceEngine, GivesTheThreadItsCpusBack) {
  const CpuSet before = thread_affinity();
  InferenceEngine engine;
  engine.run(on_first_cpu(0, 1), 1);
  EXPECT_EQ(thread_affinity().count(), 1);
  engine.release_thread();
  EXPECT_EQ(thread_affinity(), before);
}

TEST(InferenceEngine, CalibratesEveryWidthAndCoreCount) {
  const CpuSet before = thread_affinity();
  InferenceEngine engine(Network::seeded(modified_alexnet(), 1), 2);
  const EngineCalibration calibration = engine.calibrate(0, 100'000'000);
  ASSERT_EQ(calibration.rows.size(), 8u);
  for (const EngineCalibration::Row& row : calibration.rows) {
    EXPECT_GT(row.inference_ns, 0);
    EXPECT_GE(row.batches, 3);
    EXPECT_EQ(calibration.inference_ns(row.width, row.active), row.inference_ns);
  }
  EXPECT_EQ(calibration.inference_ns(3, 5), 0);
  EXPECT_EQ(thread_affinity(), before);
}

TEST(InferenceEngine, SaysWhenTheForcedOperatorsAreUnknown) {
  setenv("FLYBALL_SIMD", "abacus", 1);
  try {
    InferenceEngine engine;
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("abacus"));
    EXPECT_EQ(error.kind(), Error::Kind::kInput);
  }
  unsetenv("FLYBALL_SIMD");
}

}  // namespace
}  // namespace flyball
