#include "kernels/ops/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "kernels/dnn/network.h"

namespace flyball {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Reproducible values in [-1, 1).
std::vector<float> some_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  return values;
}

TEST(ReferenceOperators, ConvolutionByHand) {
  // 2 x 2 pixels of one channel, a 3 x 3 window with padding: each output sees all four pixels.
  const std::vector<float> in = {1, 2, 3, 4};
  const std::vector<float> weights = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<float> out(4);
  Convolution op;
  op.in = dense_image(in.data(), 2, 2, 1);
  op.out = dense_image(out.data(), 2, 2, 1);
  op.weights = weights.data();
  op.window = 3;
  op.pad = 1;
  reference_operators().convolution(op, 0, 2);
  EXPECT_THAT(out, ElementsAre(1 * 5 + 2 * 6 + 3 * 8 + 4 * 9, 1 * 4 + 2 * 5 + 3 * 7 + 4 * 8,
                               1 * 2 + 2 * 3 + 3 * 5 + 4 * 6, 1 * 1 + 2 * 2 + 3 * 4 + 4 * 5));
  const float scale = 0.5f, bias = -30;
  op.scale = &scale;
  op.bias = &bias;
  op.relu = true;
  reference_operators().convolution(op, 0, 2);
  EXPECT_THAT(out, ElementsAre(8.5f, 3.5f, 0, 0));
}

TEST(ReferenceOperators, PoolingByHand) {
  const std::vector<float> in = {-1, -2, -3, -4, -5, -6, -7, -8, -9};
  std::vector<float> out(4);
  const Pooling op{dense_image(in.data(), 3, 3, 1), dense_image(out.data(), 2, 2, 1), 2, 2, 1};
  reference_operators().max_pooling(op, 0, 2);
  EXPECT_THAT(out, ElementsAre(-1, -2, -4, -5)) << "the padding is no candidate";
  reference_operators().average_pooling(op, 0, 2);
  EXPECT_THAT(out, ElementsAre(-0.25f, -1.25f, -2.75f, -7.0f)) << "the padding counts as zeros";
}

TEST(ReferenceOperators, FullyConnectedAndSoftmaxByHand) {
  const std::vector<float> in = {1, 2}, weights = {1, 2, 3, 4, 5, 6}, bias = {10, 20, 30};
  std::vector<float> out(3);
  reference_operators().fully_connected(in.data(), 2, weights.data(), bias.data(), out.data(), 3);
  EXPECT_THAT(out, ElementsAre(19, 32, 45));
  std::vector<float> large = {1000, 1000 + std::log(3.0f), -1000};
  reference_operators().softmax(large.data(), large.data(), 3);
  EXPECT_NEAR(large[0], 0.25, 1e-4);
  EXPECT_NEAR(large[1], 0.75, 1e-4);
  EXPECT_EQ(large[2], 0);
}

TEST(OutputSize, CountsWindowPositions) {
  EXPECT_EQ(output_size(32, 3, 2, 1), 16);
  EXPECT_EQ(output_size(8, 4, 2, 0), 3);
  EXPECT_EQ(output_size(5, 5, 1, 2), 5);
  EXPECT_EQ(output_size(2, 5, 1, 0), 0);
}

class AgainstReference : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::string why;
    operators_ = find_operators(GetParam(), &why);
    if (!operators_) GTEST_SKIP() << why;
  }
  const Operators* operators_ = nullptr;
};

TEST_P(AgainstReference, ConvolutionOfManyShapes) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 300; ++trial) {
    const int groups = static_cast<int>(random() % 3) + 1;
    const int inputs = (static_cast<int>(random() % 9) + 1) * groups;
    const int outputs = (static_cast<int>(random() % 40) + 1) * groups;
    const int window = static_cast<int>(random() % 5) + 1;
    const int height = window + static_cast<int>(random() % 9);
    const int width = window + static_cast<int>(random() % 12);
    Convolution op;
    op.window = window;
    op.stride = static_cast<int>(random() % 3) + 1;
    op.pad = static_cast<int>(random() % window);
    op.relu = random() % 2 != 0;
    const int out_height = output_size(height, window, op.stride, op.pad);
    const int out_width = output_size(width, window, op.stride, op.pad);
    const std::vector<float> in = some_values(std::size_t(height) * width * inputs, trial);
    const std::vector<float> weights =
        some_values(std::size_t(window) * window * inputs / groups * outputs, trial + 1);
    const std::vector<float> scale = some_values(outputs, trial + 2);
    const std::vector<float> bias = some_values(outputs, trial + 3);
    std::vector<float> expected(std::size_t(out_height) * out_width * outputs), actual(expected);
    op.in = dense_image(in.data(), height, width, inputs);
    op.weights = weights.data();
    if (random() % 2 != 0) op.scale = scale.data();
    if (random() % 2 != 0) op.bias = bias.data();
    op.out = dense_image(expected.data(), out_height, out_width, outputs);
    grouped_convolution(reference_operators(), op, groups);
    op.out = dense_image(actual.data(), out_height, out_width, outputs);
    grouped_convolution(*operators_, op, groups);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(actual[i], expected[i], 1e-4)
          << "trial " << trial << ": " << height << "x" << width << "x" << inputs << " to "
          << outputs << " in " << groups << " groups, window " << window << " stride " << op.stride
          << " pad " << op.pad << ", value " << i;
  }
}

TEST_P(AgainstReference, PoolingOfManyShapes) {
  std::mt19937 random(6);
  for (int trial = 0; trial < 200; ++trial) {
    const int channels = static_cast<int>(random() % 40) + 1;
    const int window = static_cast<int>(random() % 4) + 1;
    const int size = window + static_cast<int>(random() % 10);
    const int stride = static_cast<int>(random() % 3) + 1;
    const int pad = static_cast<int>(random() % window);
    const int out_size = output_size(size, window, stride, pad);
    const std::vector<float> in = some_values(std::size_t(size) * size * channels, trial);
    std::vector<float> expected(std::size_t(out_size) * out_size * channels), actual(expected);
    Pooling op{dense_image(in.data(), size, size, channels), {}, window, stride, pad};
    for (const auto pool : {&Operators::max_pooling, &Operators::average_pooling}) {
      op.out = dense_image(expected.data(), out_size, out_size, channels);
      (reference_operators().*pool)(op, 0, out_size);
      op.out = dense_image(actual.data(), out_size, out_size, channels);
      (operators_->*pool)(op, 0, out_size);
      for (std::size_t i = 0; i < expected.size(); ++i)
        ASSERT_NEAR(actual[i], expected[i], 1e-5) << "trial " << trial << ", value " << i;
    }
  }
}

TEST_P(AgainstReference, TheRest) {
  for (int outputs : {1, 7, 8, 10, 33}) {
    const std::vector<float> in = some_values(50, 1), weights = some_values(50 * 33, 2),
                             bias = some_values(33, 3);
    std::vector<float> expected(outputs), actual(outputs);
    for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
      reference_operators().fully_connected(in.data(), 50, weights.data(), b, expected.data(),
                                            outputs);
      operators_->fully_connected(in.data(), 50, weights.data(), b, actual.data(), outputs);
      for (int o = 0; o < outputs; ++o) EXPECT_NEAR(actual[o], expected[o], 1e-5);
    }
  }
  std::vector<float> values = some_values(37, 4);
  std::vector<float> rectified = values;
  operators_->relu(rectified.data(), 37);
  for (int i = 0; i < 37; ++i) EXPECT_EQ(rectified[i], values[i] > 0 ? values[i] : 0.0f);

  const std::vector<float> scale = some_values(5, 5), bias = some_values(5, 6);
  std::vector<float> scaled = values;
  operators_->scale_bias(dense_image(scaled.data(), 1, 7, 5), scale.data(), bias.data());
  for (int i = 0; i < 35; ++i)
    EXPECT_NEAR(scaled[i], values[i] * scale[i % 5] + bias[i % 5], 1e-6) << i;

  std::vector<float> expected(37), actual(37);
  reference_operators().softmax(values.data(), expected.data(), 37);
  operators_->softmax(values.data(), actual.data(), 37);
  for (int i = 0; i < 37; ++i) EXPECT_NEAR(actual[i], expected[i], 1e-6);
}

TEST_P(AgainstReference, ARowHasTheSameBitsHoweverTheRowsAreShared) {
  const std::vector<float> in = some_values(16 * 16 * 5, 1), weights = some_values(9 * 5 * 24, 2);
  std::vector<float> whole(16 * 16 * 24), parts(whole.size());
  Convolution op;
  op.in = dense_image(in.data(), 16, 16, 5);
  op.weights = weights.data();
  op.window = 3;
  op.pad = 1;
  op.out = dense_image(whole.data(), 16, 16, 24);
  operators_->convolution(op, 0, 16);
  op.out = dense_image(parts.data(), 16, 16, 24);
  for (int begin : {7, 0, 3})
    operators_->convolution(op, begin, begin == 7 ? 16 : begin == 0 ? 3 : 7);
  EXPECT_EQ(whole, parts);
}

INSTANTIATE_TEST_SUITE_P(All, AgainstReference, testing::Values("reference", "portable", "avx2"),
                         [](const auto& info) { return std::string(info.param); });

/// Sets FLYBALL_SIMD for as long as it lives.
class ForcedSimd {
 public:
  explicit ForcedSimd(const char* value) {
    if (const char* before = std::getenv("FLYBALL_SIMD")) before_ = before;
    setenv("FLYBALL_SIMD", value, 1);
  }
  ~ForcedSimd() {
    if (before_.empty())
      unsetenv("FLYBALL_SIMD");
    else
      setenv("FLYBALL_SIMD", before_.c_str(), 1);
  }

 private:
  std::string before_;
};

/// 1 x 1 convolution of (-(1 + 2^-11), 1 + 2^-12) with (1, 1 + 2^-12). The square is 1 + 2^-11 +
/// 2^-24, whose last bit is lost when the product is rounded on its own: only a fused multiply-add
/// leaves 2^-24.
float rounding_of(const Operators& operators) {
  const float x = 1 + 0x1p-12f;
  const float in[2] = {-(1 + 0x1p-11f), x};
  float weights[16], out[8] = {};
  for (int o = 0; o < 8; ++o) {
    weights[o] = 1;
    weights[8 + o] = x;
  }
  Convolution op;
  op.in = dense_image(static_cast<const float*>(in), 1, 1, 2);
  op.out = dense_image(out, 1, 1, 8);
  op.weights = weights;
  operators.convolution(op, 0, 1);
  return out[0];
}

TEST(ForcedOperators, TheForcedOnesRun) {
  for (const char* name : {"reference", "portable"}) {
    const ForcedSimd forced(name);
    const Network network(seeded_model(modified_alexnet(), 1));
    EXPECT_STREQ(network.operators().name, name);
  }
  const ForcedSimd reference("reference");
  EXPECT_EQ(rounding_of(*choose_operators()), 0.0f);
  if (!avx2_operators()) GTEST_SKIP() << "no AVX2 here";
  const ForcedSimd avx2("avx2");
  ASSERT_STREQ(choose_operators()->name, "avx2");
  EXPECT_EQ(rounding_of(*choose_operators()), 0x1p-24f) << "no fused multiply-add has run";
}

TEST(ForcedOperators, AnUnknownOneIsNamed) {
  const ForcedSimd forced("avx9000");
  std::string why;
  EXPECT_EQ(choose_operators(&why), nullptr);
  EXPECT_THAT(why, HasSubstr("FLYBALL_SIMD"));
  EXPECT_THAT(why, HasSubstr("avx9000"));
}

}  // namespace
}  // namespace flyball
