#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/ops/operators.h"

namespace flyball {

/// Reproducible values in [-1, 1).
inline std::vector<float> some_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  return values;
}

/// Reproducible values in [-127, 127].
template <class T>
std::vector<T> some_int8(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(static_cast<int>(random() % 255) - 127);
  return values;
}

inline std::vector<float> packed(const std::vector<float>& plain, int window, int inputs,
                                 int outputs) {
  std::vector<float> weights(packed_size(window, inputs, outputs));
  pack_weights(plain.data(), window, inputs, outputs, weights.data());
  return weights;
}

inline std::vector<std::int8_t> packed(const std::vector<std::int8_t>& plain, int window,
                                       int inputs, int outputs) {
  std::vector<std::int8_t> weights(packed_size_int8(window, inputs, outputs));
  pack_weights_int8(plain.data(), window, inputs, outputs, weights.data());
  return weights;
}

/// A random layer: odd channels, a part of what was packed, pixels and rows with gaps between them.
struct Shape {
  int window, stride, pad, height, width;
  int weight_inputs, weight_outputs, inputs, outputs;
  int in_gap, out_gap, row_gap;
  bool scale, bias, relu;

  explicit Shape(std::mt19937& random) {
    const auto below = [&](int limit) { return static_cast<int>(random() % limit); };
    window = below(5) + 1;
    stride = below(3) + 1;
    pad = below(2) != 0 ? below(window) : 0;
    height = window + below(9);
    width = window + below(12);
    weight_inputs = below(4) == 0 ? below(90) + 1 : below(12) + 1;
    weight_outputs = below(2) == 0 ? 8 * (below(9) + 1) : below(60) + 1;
    inputs = below(3) == 0 ? below(weight_inputs) + 1 : weight_inputs;
    outputs = below(3) == 0 ? below(weight_outputs) + 1 : weight_outputs;
    in_gap = below(3) == 0 ? below(5) : 0;
    out_gap = below(3) == 0 ? below(5) : 0;
    row_gap = below(3) == 0 ? below(7) : 0;
    scale = below(2) != 0;
    bias = below(2) != 0;
    relu = below(2) != 0;
  }
  int out_height() const { return output_size(height, window, stride, pad); }
  int out_width() const { return output_size(width, window, stride, pad); }
  std::string text() const {
    return testing::PrintToString(height) + "x" + testing::PrintToString(width) + "x" +
           testing::PrintToString(inputs) + " of " + testing::PrintToString(weight_inputs) +
           " to " + testing::PrintToString(outputs) + " of " +
           testing::PrintToString(weight_outputs) + ", window " + testing::PrintToString(window) +
           " stride " + testing::PrintToString(stride) + " pad " + testing::PrintToString(pad) +
           ", gaps " + testing::PrintToString(in_gap) + " " + testing::PrintToString(out_gap) +
           " " + testing::PrintToString(row_gap);
  }
};

/// An image in memory that holds nothing else, so that a sanitizer sees every step beside it.
template <class T>
struct Plane {
  BasicImage<T> image;
  std::vector<T> values;

  static std::size_t size(int height, int width, int channels, int gap, int row_gap) {
    const std::size_t row = std::size_t(width) * (channels + gap) + row_gap;
    return height * row - row_gap - gap;
  }
  Plane(int height, int width, int channels, int gap, int row_gap, std::vector<T> start)
      : values(std::move(start)) {
    image = {values.data(), height, width, channels, channels + gap, 0};
    image.row_stride = width * image.pixel_stride + row_gap;
  }
  Plane(int height, int width, int channels, int gap = 0, int row_gap = 0)
      : Plane(height, width, channels, gap, row_gap,
              std::vector<T>(size(height, width, channels, gap, row_gap), T(42))) {}
  Plane(const Plane&) = delete;
};

/// Both the values and what lies between them.
inline void expect_close(const std::vector<float>& actual, const std::vector<float>& expected,
                         const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size());
  float largest = 1;
  for (float value : expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], 1e-5f * largest) << what << ", value " << i;
}

/// Tests of every implementation that this machine can run.
class EveryImplementation : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::string why;
    operators_ = find_operators(GetParam(), &why);
    if (!operators_) GTEST_SKIP() << why;
  }
  const Operators* operators_ = nullptr;
};

#define FLYBALL_EVERY_IMPLEMENTATION(suite)                                                    \
  INSTANTIATE_TEST_SUITE_P(All, suite,                                                         \
                           testing::Values("reference", "portable", "avx2", "avx512", "neon"), \
                           [](const auto& info) { return std::string(info.param); })

}  // namespace flyball
