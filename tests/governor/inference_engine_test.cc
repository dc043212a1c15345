#include "governor/machine/inference_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <stdexcept>
#include <vector>

#include "governor/machine/model_check.h"
#include "kernels/base/clock.h"
#include "kernels/base/error.h"
#include "tests/governor/allocation_count.h"
#include "tests/kernels/exact_time.h"

namespace flyball {
namespace {

using ::testing::HasSubstr;

Network seeded_network() { return Network(seeded_model(modified_alexnet(), 1)); }

JobEngine::Setting on_first_cpu(int width, double speed_ratio) {
  JobEngine::Setting setting;
  setting.cpus.add(thread_affinity().nth(0));
  setting.active = 1;
  setting.width = width;
  setting.speed_ratio = speed_ratio;
  return setting;
}

TEST(InferenceEngine, RunsRealInferences) {
  InferenceEngine engine{seeded_network()};
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

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::int64_t in_operators_ns = 0;

template <auto member, class Op>
void timed(const Op& op, int begin, int end) {
  const std::int64_t from = thread_cpu_ns();
  (choose_operators()->*member)(op, begin, end);
  in_operators_ns += thread_cpu_ns() - from;
}

/// The usual operators, except that the CPU time spent in those that take most of it is added up.
/// For one worker.
Operators timed_operators() {
  Operators operators = *choose_operators();
  operators.convolution = timed<&Operators::convolution, Convolution>;
  operators.winograd = timed<&Operators::winograd, Convolution>;
  operators.max_pooling = timed<&Operators::max_pooling, Pooling>;
  return operators;
}

TEST(InferenceEngine, ASlowerCoreStretchesAJobWithinTwoPercent) {
  FLYBALL_NEEDS_EXACT_TIME();
  const Operators operators = timed_operators();
  Network network = seeded_network();
  network.set_operators(&operators);
  InferenceEngine engine(std::move(network), 1);
  // The operators' part of the thread's CPU time. Both are of the same moment, so it does not
  // matter what the machine does besides; at ratio r it is r times that at full speed.
  const auto part = [&](int width, double ratio) {
    const JobEngine::Setting setting = on_first_cpu(width, ratio);
    engine.run(setting, 1);
    in_operators_ns = 0;
    const std::int64_t from = thread_cpu_ns();
    engine.run(setting, width == 0 ? 8 : 2);  // the narrow one is short
    return static_cast<double>(in_operators_ns) / static_cast<double>(thread_cpu_ns() - from);
  };
  for (int width : {0, 3})
    for (double ratio : {0.9, 0.5, 0.15}) {
      // A machine that others use spreads the tries by several percent around the right value, more
      // the busier it is. What a job at full speed differs from another at full speed, with nothing
      // to find, says how far this machine can tell.
      std::vector<double> tries, same;
      double off = 1;
      while (tries.size() < 400 && (tries.size() < 15 || off >= kTolerance)) {
        const double full = part(width, 1);
        tries.push_back(part(width, ratio) / full / ratio);
        same.push_back(part(width, 1) / full);
        off = std::abs(median(tries) - 1);
      }
      if (off < kTolerance) continue;
      for (double& one : same) one = std::abs(one - 1);
      if (median(same) > kTolerance / 4) GTEST_SKIP() << "the machine is too busy to tell";
      ADD_FAILURE() << "width " << width << " at " << ratio << " is off by " << off;
    }
  engine.release_thread();
}

TEST(InferenceEngine, ReportsACpuThatIsNotThereAndRunsAnyway) {
  if (thread_affinity().contains(63)) GTEST_SKIP() << "this machine has a CPU 63";
  InferenceEngine engine{seeded_network()};
  JobEngine::Setting setting = on_first_cpu(3, 1);
  setting.cpus = CpuSet{63};
  EXPECT_GT(engine.run(setting, 1), 0);
  EXPECT_THAT(engine.problem(), HasSubstr("CPU 63"));
  engine.run(on_first_cpu(3, 1), 1);
  EXPECT_EQ(engine.problem(), "");
  engine.release_thread();
}

TEST(InferenceEngine, RefusesSettingsOutOfRange) {
  InferenceEngine engine(seeded_network(), 2);
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
  InferenceEngine engine{seeded_network()};
  engine.run(on_first_cpu(0, 1), 1);
  EXPECT_EQ(thread_affinity().count(), 1);
  engine.release_thread();
  EXPECT_EQ(thread_affinity(), before);
}

TEST(InferenceEngine, CalibratesEveryWidthPrecisionAndCoreCount) {
  const CpuSet before = thread_affinity();
  InferenceEngine engine(seeded_network(), 2);
  const std::vector<CpuSet> cpus = growing_cpu_sets(2);
  const EngineCalibration calibration = engine.calibrate(cpus, 100'000'000);
  ASSERT_EQ(calibration.rows.size(), 8 * cpus.size());
  for (const EngineCalibration::Row& row : calibration.rows) {
    EXPECT_GT(row.inference_ns, 0);
    EXPECT_LE(row.inference_ns, row.median_ns);
    EXPECT_LE(row.median_ns, row.high_ns);
    EXPECT_GE(row.batches, 3);
    EXPECT_EQ(calibration.find(row.width, row.precision, row.active()), &row);
  }
  EXPECT_EQ(calibration.find(3, Precision::kFloat32, 5), nullptr);
  EXPECT_EQ(thread_affinity(), before);
}

TEST(InferenceEngine, CalibrationTellsWhetherItRanPinned) {
  if (thread_affinity().contains(63)) GTEST_SKIP() << "this machine has a CPU 63";
  InferenceEngine engine(seeded_network(), 1);
  const CpuSet here{thread_affinity().nth(0)}, nowhere{63};
  const auto ran = [&](const std::vector<CpuSet>& cpus) {
    const EngineCalibration calibration = engine.calibrate(cpus, 1'000'000);
    return std::pair(calibration.any_pinned, calibration.any_unpinned);
  };
  EXPECT_EQ(ran({here}), std::pair(true, false));
  EXPECT_EQ(engine.problem(), "");
  EXPECT_EQ(ran({here, nowhere}), std::pair(true, true));
  EXPECT_THAT(engine.problem(), HasSubstr("CPU 63"));
  EXPECT_EQ(ran({nowhere}), std::pair(false, true));
}

TEST(InferenceEngine, RunsTheSamePixelsInInt8) {
  InferenceEngine engine(seeded_network(), 1);
  JobEngine::Setting setting = on_first_cpu(3, 1);
  engine.run(setting, 1);
  const std::vector<float> exact = engine.logits();
  setting.int8 = true;
  engine.run(setting, 1);
  EXPECT_NE(engine.logits(), exact);
  setting.int8 = false;
  engine.run(setting, 1);
  EXPECT_EQ(engine.logits(), exact);
  engine.release_thread();
}

/// Images of one value each, all of class `label`.
LabelledImages flat_images(std::initializer_list<float> values, std::uint8_t label) {
  LabelledImages images;
  for (const float value : values) images.images.insert(images.images.end(), 32 * 32 * 3, value);
  images.labels.assign(values.size(), label);
  return images;
}

/// What the engine answers to an image of one value.
std::uint8_t answer_to(InferenceEngine& engine, float value) {
  engine.use_images(flat_images({value}, 0));
  engine.run(on_first_cpu(3, 1), 1);
  const auto& logits = engine.logits();
  return static_cast<std::uint8_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

TEST(InferenceEngine, TakesImagesInTurnAndCountsRightAnswersPerWidthAndPrecision) {
  InferenceEngine engine(seeded_network(), 1);
  engine.run(on_first_cpu(3, 1), 1);  // the pattern has no right answer: not counted
  EXPECT_EQ(engine.tally(3, Precision::kFloat32).total, 0u);
  const std::uint8_t right = answer_to(engine, 0.5f);
  const Tally before = engine.tally(3, Precision::kFloat32);
  LabelledImages images = flat_images({0.5f, 0.5f, 0.5f}, right);
  images.labels[2] = static_cast<std::uint8_t>((right + 1) % 10);
  engine.use_images(images);
  engine.run(on_first_cpu(3, 1),
             7);  // two rounds and one more: images 0, 1, 2 are met 3, 2, 2 times
  const Tally seen = engine.tally(3, Precision::kFloat32) - before;
  EXPECT_EQ(seen.total, 7u);
  EXPECT_EQ(seen.right, 5u);
  EXPECT_EQ(engine.tally(3, Precision::kInt8).total, 0u);
  EXPECT_EQ(engine.tally(0, Precision::kFloat32).total, 0u);
  engine.release_thread();
}

TEST(InferenceEngine, CountsWithoutAllocating) {
  InferenceEngine engine(seeded_network(), 1);
  engine.use_images(flat_images({0.5f, -0.5f}, 3));
  JobEngine::Setting setting = on_first_cpu(0, 1);
  engine.run(setting, 1);
  const std::uint64_t before = test::allocations();
  engine.run(setting, 20);
  EXPECT_EQ(test::allocations(), before);
  EXPECT_EQ(engine.tally(0, Precision::kFloat32).total, 21u);
  engine.release_thread();
}

std::string refusal_of(InferenceEngine& engine, LabelledImages images) {
  try {
    engine.use_images(std::move(images));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kInput);
    return error.what();
  }
  return "accepted";
}

// Whatever is wrong is named, and pool and engine go on with what they had.
TEST(InferenceEngine, BadInputIsNamedAndLeavesItUsable) {
  InferenceEngine engine(seeded_network(), 2);
  engine.use_images(flat_images({0.5f}, 3));
  engine.run(on_first_cpu(3, 1), 1);
  const std::vector<float> logits = engine.logits();

  LabelledImages bad = flat_images({0.5f, 0.25f}, 3);
  bad.images[3072 + 17] = std::nanf("");
  EXPECT_THAT(refusal_of(engine, bad), HasSubstr("image 1: value 17 is nan"));
  bad.images[3072 + 17] = -INFINITY;
  EXPECT_THAT(refusal_of(engine, bad), HasSubstr("image 1: value 17 is -inf"));
  bad = flat_images({0.5f}, 3);
  bad.images.pop_back();
  EXPECT_THAT(refusal_of(engine, bad), HasSubstr("3071 values for 1 images of 3072"));
  EXPECT_THAT(refusal_of(engine, flat_images({0.5f}, 10)), HasSubstr("image 0: its label is 10"));
  EXPECT_THAT(refusal_of(engine, {}), HasSubstr("at least one image"));

  const auto thrown = [&](const JobEngine::Setting& setting) -> std::string {
    try {
      engine.run(setting, 1);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  JobEngine::Setting setting = on_first_cpu(3, 1);
  setting.active = 0;
  EXPECT_THAT(thrown(setting), HasSubstr("active workers 0"));
  EXPECT_THAT(thrown(on_first_cpu(9, 1)), HasSubstr("width 9"));

  engine.run(on_first_cpu(3, 1), 1);
  EXPECT_EQ(engine.logits(), logits);
  EXPECT_EQ(engine.problem(), "");
  engine.release_thread();
}

TEST(InferenceEngine, RefusesInt8OfAModelWithoutIt) {
  Model model = seeded_model(modified_alexnet(), 1);
  model.activation_max.clear();
  InferenceEngine engine(Network(model), 1);
  JobEngine::Setting setting = on_first_cpu(3, 1);
  setting.int8 = true;
  EXPECT_THROW(engine.run(setting, 1), std::invalid_argument);
  setting.int8 = false;
  EXPECT_GT(engine.run(setting, 1), 0);
  engine.release_thread();
}

/// Finite parameters, but class 0 overflows from half the width on.
Model overflowing_model() {
  Model model = seeded_model(modified_alexnet(), 1);
  const NetworkLayout layout(model.spec);
  const auto classes = static_cast<std::size_t>(model.spec.classes);
  for (std::size_t tower = 1; tower < 4; ++tower) {
    float* const weights =
        model.parameters.data() + tower * layout.tower_parameters + layout.classifier;
    for (std::size_t i = 0; i < static_cast<std::size_t>(layout.features) * classes; i += classes)
      weights[i] = std::numeric_limits<float>::max();
  }
  return model;
}

std::string failure_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kFailure);
    return error.what();
  }
  return "none";
}

TEST(InferenceEngine, AnswersThatAreNotFiniteAreAnErrorOfTheModel) {
  const Model model = overflowing_model();
  ASSERT_EQ(model.problem(), "");
  InferenceEngine engine(Network(model), 1);
  engine.run(on_first_cpu(0, 1), 1);  // a quarter of it is sound
  EXPECT_EQ(engine.defect(), "");
  EXPECT_THAT(failure_of([&] { engine.run(on_first_cpu(2, 1), 1); }),
              HasSubstr("model, width 75 % in fp32: its answers are not finite numbers"));
  EXPECT_THAT(engine.defect(), HasSubstr("width 75 % in fp32"));
  EXPECT_EQ(engine.tally(2, Precision::kFloat32).total, 0u);
  engine.release_thread();

  EXPECT_THAT(failure_of([&] { check_answers(model); }), HasSubstr("width 50 % in fp32"));
  EXPECT_EQ(failure_of([&] { check_answers(seeded_model(modified_alexnet(), 1)); }), "none");
}

TEST(InferenceEngine, ASecondCalibrationReplacesWhatIsLessSteady) {
  const auto row = [](int width, double low, double high) {
    return EngineCalibration::Row{width, Precision::kFloat32, CpuSet{0}, low, 100, high, 9};
  };
  EngineCalibration first{{row(0, 90, 110), row(1, 80, 300)}, true, false};
  EXPECT_DOUBLE_EQ(first.rows[1].spread_pct(), 110);
  EXPECT_EQ(first.unstable_rows(), 1);
  first.take_steadier({{row(0, 80, 120), row(1, 95, 105)}, true, true});
  EXPECT_EQ(first.rows[0].inference_ns, 90);
  EXPECT_EQ(first.rows[1].inference_ns, 95);
  EXPECT_EQ(first.unstable_rows(), 0);
  EXPECT_TRUE(first.any_unpinned);
}

TEST(InferenceEngine, ProgressOfACalibrationOnlyRises) {
  const CpuSet before = thread_affinity();
  InferenceEngine engine(seeded_network(), 1);
  std::vector<double> heard;
  engine.calibrate(growing_cpu_sets(1), 20'000'000, [&](double done) { heard.push_back(done); });
  ASSERT_GE(heard.size(), 3u);
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
  EXPECT_GE(heard.front(), 0);
  EXPECT_LE(heard.back(), 1);
  EXPECT_GT(engine.quick_time_ns(3), 0);
  EXPECT_EQ(thread_affinity(), before);
}

TEST(InferenceEngine, SaysWhenTheForcedOperatorsAreUnknown) {
  setenv("FLYBALL_SIMD", "abacus", 1);
  try {
    InferenceEngine engine{seeded_network()};
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("abacus"));
    EXPECT_EQ(error.kind(), Error::Kind::kInput);
  }
  unsetenv("FLYBALL_SIMD");
}

TEST(InferenceEngine, AJobThatIsCutShortEnds) {
  InferenceEngine engine{seeded_network()};
  engine.cut_short(true);
  engine.run(on_first_cpu(3, 1), std::numeric_limits<int>::max());  // days, or the test hangs
  engine.cut_short(false);
  EXPECT_GT(engine.run(on_first_cpu(0, 1), 1), 0);
  engine.release_thread();
}

TEST(InferenceEngine, AMeasurementIsStoppedAtOnce) {
  constexpr std::int64_t kDay_ns = 86'400'000'000'000;
  InferenceEngine engine(Network(seeded_model(modified_alexnet(), 1)));
  const std::atomic<bool> stop = true;
  EXPECT_TRUE(engine.calibrate(growing_cpu_sets(1), kDay_ns, {}, 0, &stop).rows.empty());
}

}  // namespace
}  // namespace flyball
