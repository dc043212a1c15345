#include "kernels/ops/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/operators_shapes.h"

namespace flyball {
namespace {

using testing::ElementsAre;

TEST(OutputSize, CountsWindowPositions) {
  EXPECT_EQ(output_size(32, 3, 2, 1), 16);
  EXPECT_EQ(output_size(8, 4, 2, 0), 3);
  EXPECT_EQ(output_size(5, 5, 1, 2), 5);
  EXPECT_EQ(output_size(2, 5, 1, 0), 0);
}

TEST(Packing, PanelsAreAsWideAsTheOutputsDivide) {
  EXPECT_EQ(panel_channels(24), 24);
  EXPECT_EQ(panel_channels(48), 24);
  EXPECT_EQ(panel_channels(16), 16);
  EXPECT_EQ(panel_channels(128), 16);
  EXPECT_EQ(panel_channels(8), 8);
  EXPECT_EQ(panel_channels(10), 8);
  EXPECT_EQ(packed_size(3, 5, 48), 9u * 5 * 48);
  EXPECT_EQ(packed_size(3, 5, 10), 9u * 5 * 16) << "two panels of eight";
  EXPECT_EQ(packed_size_int8(3, 5, 10), 9u * 6 * 16) << "and three pairs of inputs";
}

TEST(Packing, OrdersPanelsByHand) {
  // One position, two inputs, nine outputs: weight = 10 * input + output.
  const std::vector<float> plain = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18};
  EXPECT_THAT(packed(plain, 1, 2, 9),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17,  //
                          8, 0, 0, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0));
}

TEST(Packing, PairsInt8InputsByHand) {
  // One position, three inputs, two outputs: weight = 10 * input + output.
  const std::vector<std::int8_t> plain = {0, 1, 10, 11, 20, 21};
  std::vector<std::int8_t> expected(32, 0);
  expected[1] = 10, expected[2] = 1, expected[3] = 11;  // inputs 0 and 1
  expected[16] = 20, expected[18] = 21;                 // input 2, and nothing
  EXPECT_EQ(packed(plain, 1, 3, 2), expected);
}

class ByHand : public EveryImplementation {};

TEST_P(ByHand, Convolution) {
  // 2 x 2 pixels of one channel, a 3 x 3 window with padding: each output sees all four pixels.
  const std::vector<float> in = {1, 2, 3, 4};
  const std::vector<float> weights = packed(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9}, 3, 1, 1);
  std::vector<float> out(4);
  Convolution op;
  op.in = dense_image(in.data(), 2, 2, 1);
  op.out = dense_image(out.data(), 2, 2, 1);
  op.weights = weights.data();
  op.weight_inputs = op.weight_outputs = 1;
  op.window = 3;
  op.pad = 1;
  operators_->convolution(op, 0, 2);
  EXPECT_THAT(out, ElementsAre(1 * 5 + 2 * 6 + 3 * 8 + 4 * 9, 1 * 4 + 2 * 5 + 3 * 7 + 4 * 8,
                               1 * 2 + 2 * 3 + 3 * 5 + 4 * 6, 1 * 1 + 2 * 2 + 3 * 4 + 4 * 5));
  const float scale = 0.5f, bias = -30;
  op.scale = &scale;
  op.bias = &bias;
  op.relu = true;
  operators_->convolution(op, 0, 2);
  EXPECT_THAT(out, ElementsAre(8.5f, 3.5f, 0, 0));
}

TEST_P(ByHand, DepthwiseConvolution) {
  // Two columns of two channels, a 1 x 1 window, then a 2 x 2 one that reaches out of the image.
  const std::vector<float> in = {1, 10, 2, 20}, weights = {3, 5, 7, 100, 200, 300};
  std::vector<float> out(4);
  DepthwiseConvolution op;
  op.in = dense_image(in.data(), 1, 2, 2);
  op.out = dense_image(out.data(), 1, 2, 2);
  op.weights = weights.data();
  op.weight_channels = 3;  // of which the first two are used
  op.window = 1;
  operators_->depthwise(op, 0, 1);
  EXPECT_THAT(out, ElementsAre(3, 50, 6, 100));
  const std::vector<float> window = {1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> border(12);
  op.weights = window.data();
  op.weight_channels = 2;
  op.window = 2;
  op.pad = 1;
  op.out = dense_image(border.data(), 2, 3, 2);
  operators_->depthwise(op, 0, 2);
  EXPECT_THAT(border, ElementsAre(7 * 1, 8 * 10, 5 * 1 + 7 * 2, 6 * 10 + 8 * 20, 5 * 2, 6 * 20,  //
                                  3 * 1, 4 * 10, 1 * 1 + 3 * 2, 2 * 10 + 4 * 20, 1 * 2, 2 * 20));
}

TEST_P(ByHand, QuantizedConvolution) {
  // One pixel of three inputs and the slot beside them; sums 100 * 127 + 2 - 3 = 12,699 and 5.
  const std::vector<Quantized> in = {100, 2, 3, 0};
  const std::vector<std::int8_t> weights =
      packed(std::vector<std::int8_t>{127, 0, 1, 1, -1, 1}, 1, 3, 2);
  const std::vector<float> scale = {0.005f, 0.5f}, bias = {0.25f, -2};
  std::vector<Quantized> out(2);
  std::vector<float> out_float(2);
  QuantizedConvolution op;
  op.in = dense_image(in.data(), 1, 1, 4);
  op.out = dense_image(out.data(), 1, 1, 2);
  op.weights = weights.data();
  op.weight_inputs = 3;
  op.weight_outputs = 2;
  op.scale = scale.data();
  op.bias = bias.data();
  operators_->quantized_convolution(op, 0, 1);
  EXPECT_THAT(out, ElementsAre(64, 0)) << "63.745 rounds up, 0.5 to the even neighbour";
  op.out = {};
  op.out_float = dense_image(out_float.data(), 1, 1, 2);
  operators_->quantized_convolution(op, 0, 1);
  EXPECT_THAT(out_float, ElementsAre(12699 * 0.005f + 0.25f, 0.5f));
}

TEST_P(ByHand, Quantize) {
  const std::vector<float> in = {0,    0.5f,  1.5f,   2.5f,   -0.5f, -1.5f,
                                 1e9f, -1e9f, 126.4f, 127.6f, -3};
  std::vector<Quantized> out(11);
  operators_->quantize(in.data(), 11, 1, out.data());
  EXPECT_THAT(out, ElementsAre(0, 0, 2, 2, 0, -2, 127, -127, 126, 127, -3));
  operators_->quantize(in.data(), 3, 10, out.data());
  EXPECT_THAT(std::vector(out.begin(), out.begin() + 3), ElementsAre(0, 5, 15));
}

TEST_P(ByHand, Pooling) {
  const std::vector<float> in = {-1, -2, -3, -4, -5, -6, -7, -8, -9};
  std::vector<float> out(4);
  const Pooling op{dense_image(in.data(), 3, 3, 1), dense_image(out.data(), 2, 2, 1), 2, 2, 1};
  operators_->max_pooling(op, 0, 2);
  EXPECT_THAT(out, ElementsAre(-1, -2, -4, -5)) << "the padding is no candidate";
  operators_->average_pooling(op, 0, 2);
  EXPECT_THAT(out, ElementsAre(-0.25f, -1.25f, -2.75f, -7.0f)) << "the padding counts as zeros";
}

TEST_P(ByHand, FullyConnectedAndSoftmax) {
  const std::vector<float> in = {1, 2}, weights = {1, 2, 3, 4, 5, 6}, bias = {10, 20, 30};
  std::vector<float> out(3);
  operators_->fully_connected(in.data(), 2, weights.data(), bias.data(), out.data(), 3);
  EXPECT_THAT(out, ElementsAre(19, 32, 45));
  operators_->fully_connected(in.data(), 2, weights.data(), nullptr, out.data(), 3);
  EXPECT_THAT(out, ElementsAre(9, 12, 15));
  std::vector<float> large = {1000, 1000 + std::log(3.0f), -1000};
  operators_->softmax(large.data(), large.data(), 3);
  EXPECT_NEAR(large[0], 0.25, 1e-4);
  EXPECT_NEAR(large[1], 0.75, 1e-4);
  EXPECT_EQ(large[2], 0);
}

FLYBALL_EVERY_IMPLEMENTATION(ByHand);

}  // namespace
}  // namespace flyball
