#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/ops/operators.h"
#include "tests/kernels/operators_shapes.h"

namespace flyball {
namespace {

class Int8 : public EveryImplementation {};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_P(Int8, ConvolutionHasTheBitsOfTheReference) {
  std::mt19937 random(8);
  for (int trial = 0; trial < 200; ++trial) {
    const Shape shape(random);
    const int inputs = (shape.inputs + 1) / 2 * 2;
    const int rows = shape.out_height(), columns = shape.out_width();
    const int gap = shape.in_gap / 2 * 2, row_gap = shape.row_gap / 2 * 2;
    const std::vector<std::int8_t> weights =
        packed(some_int8<std::int8_t>(std::size_t(shape.window) * shape.window *
                                          shape.weight_inputs * shape.weight_outputs,
                                      trial),
               shape.window, shape.weight_inputs, shape.weight_outputs);
    std::vector<float> scale = some_values(shape.outputs, trial + 1);
    for (float& s : scale) s *= 0.001f;
    const std::vector<float> bias = some_values(shape.outputs, trial + 2);
    const Plane<Quantized> in(
        shape.height, shape.width, inputs, gap, row_gap,
        some_int8<Quantized>(
            Plane<Quantized>::size(shape.height, shape.width, inputs, gap, row_gap), trial + 3));
    QuantizedConvolution op;
    op.in = in.image;
    op.weights = weights.data();
    op.weight_inputs = shape.weight_inputs;
    op.weight_outputs = shape.weight_outputs;
    op.scale = scale.data();
    op.bias = bias.data();
    op.window = shape.window;
    op.stride = shape.stride;
    op.pad = shape.pad;
    op.relu = shape.relu;
    const auto run = [&](const Operators& operators, auto& out, bool by_rows) {
      if constexpr (std::is_same_v<decltype(out.image), Image>)
        op.out = {}, op.out_float = out.image;
      else
        op.out = out.image, op.out_float = {};
      if (!by_rows) operators.quantized_convolution(op, 0, rows);
      for (int y = rows; by_rows && y-- > 0;) operators.quantized_convolution(op, y, y + 1);
    };
    const auto check = [&]<class T>(T) {
      Plane<T> expected(rows, columns, shape.outputs, shape.out_gap, shape.row_gap);
      Plane<T> actual(rows, columns, shape.outputs, shape.out_gap, shape.row_gap);
      Plane<T> parts(rows, columns, shape.outputs, shape.out_gap, shape.row_gap);
      run(reference_operators(), expected, false);
      run(*operators_, actual, false);
      run(*operators_, parts, true);
      ASSERT_EQ(actual.values, expected.values) << "trial " << trial << ": " << shape.text();
      ASSERT_EQ(parts.values, actual.values) << "trial " << trial << ": " << shape.text();
      if constexpr (std::is_same_v<T, float>) {
        ASSERT_TRUE(same_bits(actual.values, expected.values)) << trial << ": " << shape.text();
      }
    };
    check(Quantized{});
    check(float{});
    if (HasFatalFailure()) return;
  }
}

/// 65,536 products of the largest magnitude: 1,057,030,144 fits 32 bits, and no float counts to it.
TEST_P(Int8, TheLargestSumIsExact) {
  constexpr int kInputs = 65536;
  const std::vector<Quantized> in(kInputs, 127);
  std::vector<std::int8_t> plain(std::size_t(kInputs) * 8);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = i % 8 == 3 ? -127 : 127;
  plain[5] = 126;
  const std::vector<std::int8_t> weights = packed(plain, 1, kInputs, 8);
  const std::vector<float> scale(8, 1.0f), bias = {0, 0, 0, 0, 0, 0, 0, -1057030144.0f};
  std::vector<float> out(8);
  QuantizedConvolution op;
  op.in = dense_image(in.data(), 1, 1, kInputs);
  op.out_float = dense_image(out.data(), 1, 1, 8);
  op.weights = weights.data();
  op.weight_inputs = kInputs;
  op.weight_outputs = 8;
  op.scale = scale.data();
  op.bias = bias.data();
  operators_->quantized_convolution(op, 0, 1);
  EXPECT_EQ(out[0], 1057030144.0f);
  EXPECT_EQ(out[3], -1057030144.0f);
  EXPECT_EQ(out[5], 1057030017.0f);
  EXPECT_EQ(out[7], 0.0f);
}

/// (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: the product alone rounds the last bit away, which a fused
/// multiply-add would keep when 1 + 2^-11 is taken from it.
TEST_P(Int8, TheProductIsRoundedBeforeTheSum) {
  const std::vector<Quantized> in = {64, 1};  // 64 * 64 + 1 = 2^12 + 1
  const std::vector<std::int8_t> weights = packed(std::vector<std::int8_t>{64, 1}, 1, 2, 1);
  const float scale = (1 + 0x1p-12f) * 0x1p-12f, bias = -(1 + 0x1p-11f);
  float out = 42;
  QuantizedConvolution op;
  op.in = dense_image(in.data(), 1, 1, 2);
  op.out_float = dense_image(&out, 1, 1, 1);
  op.weights = weights.data();
  op.weight_inputs = 2;
  op.weight_outputs = 1;
  op.scale = &scale;
  op.bias = &bias;
  operators_->quantized_convolution(op, 0, 1);
  EXPECT_EQ(out, 0.0f);
}

TEST_P(Int8, QuantizeHasTheBitsOfTheReference) {
  std::vector<float> in = some_values(1003, 9);
  for (std::size_t i = 0; i < in.size(); i += 3) in[i] = static_cast<float>(i) / 2 - 250;  // ties
  for (const int count : {1, 3, 4, 5, 8, 11, 16, 31, 1003})
    for (const float scale : {1.0f, 63.7f, 1e-3f}) {
      std::vector<Quantized> expected(count, 42), actual(count, 42);
      reference_operators().quantize(in.data(), count, scale, expected.data());
      operators_->quantize(in.data(), count, scale, actual.data());
      ASSERT_EQ(actual, expected) << count << " times " << scale;
    }
}

TEST_P(Int8, MaxPoolingIsTheReference) {
  std::mt19937 random(10);
  for (int trial = 0; trial < 200; ++trial) {
    Shape shape(random);
    if (trial % 2 == 0) shape.window = 3, shape.stride = 2, shape.pad = trial / 2 % 2;
    if (shape.height < 3) shape.height = 3;
    if (shape.width < 3) shape.width = 3;
    const int rows = shape.out_height(), columns = shape.out_width(), channels = shape.outputs;
    const Plane<Quantized> in(
        shape.height, shape.width, channels, shape.in_gap, shape.row_gap,
        some_int8<Quantized>(Plane<Quantized>::size(shape.height, shape.width, channels,
                                                    shape.in_gap, shape.row_gap),
                             trial));
    const Plane<Quantized> expected(rows, columns, channels, shape.out_gap, shape.row_gap);
    const Plane<Quantized> actual(rows, columns, channels, shape.out_gap, shape.row_gap);
    QuantizedPooling op{in.image, expected.image, shape.window, shape.stride, shape.pad};
    reference_operators().quantized_max_pooling(op, 0, rows);
    op.out = actual.image;
    for (int y = 0; y < rows; y += 2)
      operators_->quantized_max_pooling(op, y, std::min(y + 2, rows));
    ASSERT_EQ(actual.values, expected.values) << "trial " << trial << ": " << shape.text();
  }
}

FLYBALL_EVERY_IMPLEMENTATION(Int8);

}  // namespace
}  // namespace flyball
