#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/ops/operators.h"
#include "tests/kernels/operators_shapes.h"

namespace flyball {
namespace {

/// A random convolution and all that it points to, but the output.
struct Layer {
  Shape shape;
  std::vector<float> weights, scale, bias;
  Plane<float> in;
  Convolution op;

  Layer(std::mt19937& random, unsigned seed)
      : shape(random),
        weights(packed(some_values(std::size_t(shape.window) * shape.window * shape.weight_inputs *
                                       shape.weight_outputs,
                                   seed),
                       shape.window, shape.weight_inputs, shape.weight_outputs)),
        scale(some_values(shape.outputs, seed + 1)),
        bias(some_values(shape.outputs, seed + 2)),
        in(shape.height, shape.width, shape.inputs, shape.in_gap, shape.row_gap,
           some_values(Plane<float>::size(shape.height, shape.width, shape.inputs, shape.in_gap,
                                          shape.row_gap),
                       seed + 3)) {
    op.in = in.image;
    op.weights = weights.data();
    op.weight_inputs = shape.weight_inputs;
    op.weight_outputs = shape.weight_outputs;
    if (shape.scale) op.scale = scale.data();
    if (shape.bias) op.bias = bias.data();
    op.window = shape.window;
    op.stride = shape.stride;
    op.pad = shape.pad;
    op.relu = shape.relu;
  }
  Plane<float> output() const {
    return Plane<float>(shape.out_height(), shape.out_width(), shape.outputs, shape.out_gap,
                        shape.row_gap);
  }
};

class ConvolutionOf : public EveryImplementation {};

TEST_P(ConvolutionOf, ManyShapesIsTheReference) {
  std::mt19937 random(5);
  for (int trial = 0; trial < 200; ++trial) {
    Layer layer(random, trial);
    const Plane<float> expected = layer.output(), actual = layer.output();
    layer.op.out = expected.image;
    reference_operators().convolution(layer.op, 0, layer.shape.out_height());
    layer.op.out = actual.image;
    operators_->convolution(layer.op, 0, layer.shape.out_height());
    expect_close(actual.values, expected.values,
                 "trial " + std::to_string(trial) + ": " + layer.shape.text());
    if (HasFatalFailure()) return;
  }
}

TEST_P(ConvolutionOf, RowsHasTheSameBitsHoweverTheyAreShared) {
  std::mt19937 random(6);
  for (int trial = 0; trial < 100; ++trial) {
    Layer layer(random, trial);
    const int rows = layer.shape.out_height();
    const Plane<float> whole = layer.output(), parts = layer.output();
    layer.op.out = whole.image;
    operators_->convolution(layer.op, 0, rows);
    layer.op.out = parts.image;
    for (int end = rows; end > 0;) {
      const int begin = end - 1 - static_cast<int>(random() % end);
      operators_->convolution(layer.op, begin, end);
      end = begin;
    }
    ASSERT_EQ(whole.values, parts.values) << "trial " << trial << ": " << layer.shape.text();
  }
}

/// As large as in a real network: the weights of one panel are passed over in several blocks.
TEST_P(ConvolutionOf, DeepImagesIsTheReference) {
  for (const int outputs : {16, 20, 24}) {
    const std::vector<float> in = some_values(10 * 10 * 128, 1);
    const std::vector<float> weights =
        packed(some_values(std::size_t(9) * 128 * outputs, 2), 3, 128, outputs);
    std::vector<float> expected(64 * outputs), actual(expected), rows(expected);
    Convolution op;
    op.in = dense_image(in.data(), 10, 10, 128);
    op.weights = weights.data();
    op.weight_inputs = 128;
    op.weight_outputs = outputs;
    op.window = 3;
    op.relu = true;
    op.out = dense_image(expected.data(), 8, 8, outputs);
    reference_operators().convolution(op, 0, 8);
    op.out = dense_image(actual.data(), 8, 8, outputs);
    operators_->convolution(op, 0, 8);
    expect_close(actual, expected, std::to_string(outputs) + " outputs");
    op.out = dense_image(rows.data(), 8, 8, outputs);
    for (int y = 0; y < 8; ++y) operators_->convolution(op, y, y + 1);
    EXPECT_EQ(rows, actual) << "a row alone has fewer pixels than the blocks are for";
  }
}

/// The border in memory and the border by pad are the same thing.
TEST_P(ConvolutionOf, ZerosInMemoryAreThePadding) {
  const std::vector<float> in = some_values(7 * 9 * 5, 1);
  std::vector<float> bordered(11 * 13 * 5, 0.0f);
  const Image inside = {&bordered[(2 * 13 + 2) * 5], 7, 9, 5, 5, 13 * 5};
  for (int y = 0; y < 7; ++y)
    for (int i = 0; i < 9 * 5; ++i) inside.at(y, 0)[i] = in[y * 9 * 5 + i];
  const std::vector<float> weights = packed(some_values(25 * 5 * 24, 2), 5, 5, 24);
  std::vector<float> padded(7 * 9 * 24), zeros(padded);
  Convolution op;
  op.weights = weights.data();
  op.weight_inputs = 5;
  op.weight_outputs = 24;
  op.window = 5;
  op.in = dense_image(in.data(), 7, 9, 5);
  op.out = dense_image(padded.data(), 7, 9, 24);
  op.pad = 2;
  operators_->convolution(op, 0, 7);
  op.in = dense_image(bordered.data(), 11, 13, 5);
  op.out = dense_image(zeros.data(), 7, 9, 24);
  op.pad = 0;
  operators_->convolution(op, 0, 7);
  EXPECT_EQ(padded, zeros);
}

TEST_P(ConvolutionOf, GroupsAreConvolutionsOfTheirOwn) {
  constexpr int kGroups = 3, kIn = 4, kOut = 10;
  const std::vector<float> in = some_values(6 * 6 * kGroups * kIn, 1);
  const std::vector<float> scale = some_values(kGroups * kOut, 2);
  const std::vector<float> bias = some_values(kGroups * kOut, 3);
  std::vector<float> weights;
  for (int g = 0; g < kGroups; ++g)
    for (float w : packed(some_values(9 * kIn * kOut, 4 + g), 3, kIn, kOut)) weights.push_back(w);
  std::vector<float> together(6 * 6 * kGroups * kOut), apart(together);
  Convolution op;
  op.in = dense_image(in.data(), 6, 6, kGroups * kIn);
  op.out = dense_image(together.data(), 6, 6, kGroups * kOut);
  op.weights = weights.data();
  op.weight_inputs = kGroups * kIn;
  op.weight_outputs = kGroups * kOut;
  op.scale = scale.data();
  op.bias = bias.data();
  op.window = 3;
  op.pad = 1;
  grouped_convolution(*operators_, op, kGroups);
  for (int g = 0; g < kGroups; ++g) {
    Convolution one = op;
    one.in = op.in.channels_from(g * kIn, kIn);
    one.out = dense_image(apart.data(), 6, 6, kGroups * kOut).channels_from(g * kOut, kOut);
    one.weights = op.weights + g * packed_size(3, kIn, kOut);
    one.weight_inputs = kIn;
    one.weight_outputs = kOut;
    one.scale = op.scale + g * kOut;
    one.bias = op.bias + g * kOut;
    reference_operators().convolution(one, 0, 6);
  }
  expect_close(together, apart, "groups");
}

TEST_P(ConvolutionOf, DepthwiseShapesIsTheReference) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 150; ++trial) {
    const Shape shape(random);
    const int channels = shape.outputs;
    const std::vector<float> weights =
        some_values(std::size_t(shape.window) * shape.window * shape.weight_outputs, trial);
    const std::vector<float> scale = some_values(channels, trial + 1);
    const std::vector<float> bias = some_values(channels, trial + 2);
    const Plane<float> in(shape.height, shape.width, channels, shape.in_gap, shape.row_gap,
                          some_values(Plane<float>::size(shape.height, shape.width, channels,
                                                         shape.in_gap, shape.row_gap),
                                      trial + 3));
    DepthwiseConvolution op;
    op.in = in.image;
    op.weights = weights.data();
    op.weight_channels = shape.weight_outputs;
    if (shape.scale) op.scale = scale.data();
    if (shape.bias) op.bias = bias.data();
    op.window = shape.window;
    op.stride = shape.stride;
    op.pad = shape.pad;
    op.relu = shape.relu;
    const int rows = shape.out_height(), columns = shape.out_width();
    const Plane<float> expected(rows, columns, channels, shape.out_gap, shape.row_gap);
    const Plane<float> actual(rows, columns, channels, shape.out_gap, shape.row_gap);
    const Plane<float> parts(rows, columns, channels, shape.out_gap, shape.row_gap);
    op.out = expected.image;
    reference_operators().depthwise(op, 0, rows);
    op.out = actual.image;
    operators_->depthwise(op, 0, rows);
    expect_close(actual.values, expected.values,
                 "trial " + std::to_string(trial) + ": " + shape.text());
    if (HasFatalFailure()) return;
    op.out = parts.image;
    for (int y = rows; y-- > 0;) operators_->depthwise(op, y, y + 1);
    ASSERT_EQ(parts.values, actual.values) << shape.text();
  }
}

FLYBALL_EVERY_IMPLEMENTATION(ConvolutionOf);

}  // namespace
}  // namespace flyball
