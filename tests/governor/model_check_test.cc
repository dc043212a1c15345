#include "governor/machine/model_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "governor/machine/monitor_images.h"
#include "governor/machine/promise.h"
#include "tests/governor/own_configs.h"

namespace flyball::testing {
namespace {

TEST(ModelCheck, EveryWidthAndPrecisionComputesTheSameEverywhere) {
  const std::vector<LevelCheck> checks = check_levels(stand_in_model());
  ASSERT_EQ(checks.size(), 8u);
  for (const LevelCheck& check : checks) {
    EXPECT_TRUE(check.same_bits);
    EXPECT_FALSE(check.deviations.empty());
    EXPECT_TRUE(check.finite);
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
  for (const LevelCheck& check : checks) {
    EXPECT_FALSE(check.finite);
    EXPECT_FALSE(check.good());
  }
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

// C(4, k) / 16 for k = 0, 1, 2 of four throws of a coin: 1 + 4 + 6.
TEST(Promise, TheBinomialTailIsTheSumOfItsTerms) {
  EXPECT_NEAR(binomial_cdf(2, 4, 0.5), 11.0 / 16, 1e-12);
  EXPECT_NEAR(binomial_cdf(0, 3, 0.75), 1.0 / 64, 1e-12);
  EXPECT_EQ(binomial_cdf(4, 4, 0.5), 1);
  EXPECT_EQ(binomial_cdf(3, 4, 1), 0);
  EXPECT_NEAR(binomial_cdf(1000, 2000, 0.5), 0.509, 0.001);
}

TEST(Promise, IsBrokenWhenChanceDoesNotExplainIt) {
  const auto broken = [](Tally tally, std::size_t distinct) {
    return static_cast<bool>(broken_promises({tally}, {75}, distinct)[0]);
  };
  EXPECT_TRUE(broken({10, 100}, 2000));
  EXPECT_FALSE(broken({75, 100}, 2000));
  EXPECT_FALSE(broken({70, 100}, 2000)) << "chance";
  EXPECT_FALSE(broken({95, 100}, 2000)) << "better than promised";
  EXPECT_FALSE(broken({0, 4}, 2000)) << "a quarter to the fourth is above one in 1000";
  EXPECT_TRUE(broken({0, 5}, 2000));
  EXPECT_TRUE(broken({70'000, 100'000}, 2000));
  EXPECT_FALSE(broken({70'000, 100'000}, 100)) << "the same hundred images again and again";
  EXPECT_FALSE(broken({}, 2000));
  // One of eight levels has an eighth of the probability to be wronged.
  const std::vector<Tally> eight(8, Tally{0, 5});
  EXPECT_FALSE(broken_promises(eight, std::vector<double>(8, 75), 2000)[0]);
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
