#include "governor/machine/model_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "governor/machine/monitor_images.h"
#include "tests/governor/own_configs.h"

namespace flyball::testing {
namespace {

TEST(ModelCheck, EveryWidthAndPrecisionComputesTheSameEverywhere) {
  const std::vector<LevelCheck> checks = check_levels(stand_in_model());
  ASSERT_EQ(checks.size(), 8u);
  for (const LevelCheck& check : checks) {
    EXPECT_TRUE(check.same_bits);
    EXPECT_FALSE(check.deviations.empty());
    EXPECT_TRUE(check.good()) << check.width << name_of(check.precision);
  }
  Model float_only = stand_in_model();
  float_only.activation_max.clear();
  EXPECT_EQ(check_levels(float_only).size(), 4u);
}

TEST(ModelCheck, OneClassThatOverflowsIsBadWhateverTheOthersSay) {
  Model model = stand_in_model();
  const NetworkLayout layout(model.spec);
  for (std::size_t i = layout.classifier; i < layout.tower_parameters; i += model.spec.classes)
    model.parameters[i] = std::numeric_limits<float>::max();  // of class 0, the first one
  ASSERT_EQ(model.problem(), "");
  const std::vector<LevelCheck> checks = check_levels(model);
  ASSERT_FALSE(checks.empty());
  for (const LevelCheck& check : checks) EXPECT_FALSE(check.good());
}

TEST(ModelCheck, ADeviationOrOtherBitsAreBad) {
  LevelCheck check{0, Precision::kFloat32, true, {{"avx2", 1e-5}}};
  EXPECT_TRUE(check.good());
  check.deviations.push_back({"neon", 2e-4});
  EXPECT_FALSE(check.good());
  check.deviations.back().largest = std::nan("");
  EXPECT_FALSE(check.good());
  check.deviations.pop_back();
  check.same_bits = false;
  EXPECT_FALSE(check.good());
}

TEST(MonitorImages, AreTheDataSetThatTheModelKnows) {
  Model model = stand_in_model();
  const auto images = monitor_images(model, 20);
  ASSERT_TRUE(images.has_value());
  EXPECT_EQ(images->labels.size(), 20u);
  EXPECT_EQ(images->images.size(), 20u * 3072);
  EXPECT_EQ(images->labels[13], 3);
  model.accuracy.source = "CIFAR-10 test set";
  EXPECT_FALSE(monitor_images(model, 20).has_value());
}

}  // namespace
}  // namespace flyball::testing
