#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/ops/operators.h"
#include "tests/kernels/operators_shapes.h"

namespace flyball {
namespace {

class RestOf : public EveryImplementation {};

TEST_P(RestOf, PoolingIsTheReference) {
  std::mt19937 random(6);
  for (int trial = 0; trial < 150; ++trial) {
    Shape shape(random);
    // Every third is the network's own kind, which has a way of its own.
    if (trial % 3 == 0) shape.window = 3, shape.stride = 2, shape.pad = trial / 3 % 2;
    if (shape.height < shape.window) shape.height = shape.window;
    if (shape.width < shape.window) shape.width = shape.window;
    const int rows = shape.out_height(), columns = shape.out_width(), channels = shape.outputs;
    const Plane<float> in(shape.height, shape.width, channels, shape.in_gap, shape.row_gap,
                          some_values(Plane<float>::size(shape.height, shape.width, channels,
                                                         shape.in_gap, shape.row_gap),
                                      trial));
    for (const auto pool : {&Operators::max_pooling, &Operators::average_pooling}) {
      const Plane<float> expected(rows, columns, channels, shape.out_gap, shape.row_gap);
      const Plane<float> actual(rows, columns, channels, shape.out_gap, shape.row_gap);
      const Plane<float> parts(rows, columns, channels, shape.out_gap, shape.row_gap);
      Pooling op{in.image, expected.image, shape.window, shape.stride, shape.pad};
      (reference_operators().*pool)(op, 0, rows);
      op.out = actual.image;
      (operators_->*pool)(op, 0, rows);
      expect_close(actual.values, expected.values,
                   "trial " + std::to_string(trial) + ": " + shape.text());
      if (HasFatalFailure()) return;
      op.out = parts.image;
      for (int y = rows; y-- > 0;) (operators_->*pool)(op, y, y + 1);
      ASSERT_EQ(parts.values, actual.values) << shape.text();
    }
  }
}

TEST_P(RestOf, FullyConnectedIsTheReference) {
  for (const int outputs : {1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 24, 33, 100})
    for (const int inputs : {1, 3, 4, 50, 145}) {
      const std::vector<float> in = some_values(inputs, 1);
      const std::vector<float> weights = some_values(std::size_t(inputs) * outputs, 2);
      const std::vector<float> bias = some_values(outputs, 3);
      std::vector<float> expected(outputs), actual(outputs, 42.0f);
      for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
        reference_operators().fully_connected(in.data(), inputs, weights.data(), b, expected.data(),
                                              outputs);
        operators_->fully_connected(in.data(), inputs, weights.data(), b, actual.data(), outputs);
        expect_close(actual, expected, std::to_string(inputs) + " to " + std::to_string(outputs));
      }
    }
}

TEST_P(RestOf, SingleValues) {
  const std::vector<float> values = some_values(37, 4);
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

FLYBALL_EVERY_IMPLEMENTATION(RestOf);

}  // namespace
}  // namespace flyball
