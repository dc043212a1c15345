#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/ops/operators.h"
#include "tests/kernels/operators_shapes.h"

namespace flyball {
namespace {

class Int8Winograd : public EveryImplementation {};

TEST_P(Int8Winograd, HasTheBitsOfTheDirectConvolution) {
  std::mt19937 random(11);
  const auto below = [&](int limit) { return static_cast<int>(random() % limit); };
  for (int trial = 0; trial < 150; ++trial) {
    const int height = 2 * (below(5) + 1), width = 2 * (below(6) + 1);
    const int weight_inputs = 8 * (below(trial % 10 == 0 ? 32 : 6) + 1);
    const int inputs = below(3) == 0 ? 8 * (below(weight_inputs / 8) + 1) : weight_inputs;
    const int weight_outputs = below(2) == 0 ? 8 * (below(7) + 1) : below(50) + 1;
    const int outputs = below(3) == 0 ? below(weight_outputs) + 1 : weight_outputs;
    const int gap = 2 * below(3), out_gap = below(3), row_gap = 2 * below(3);
    SCOPED_TRACE(testing::Message()
                 << "trial " << trial << ": " << height << "x" << width << "x" << inputs << " of "
                 << weight_inputs << " to " << outputs << " of " << weight_outputs);
    auto plain = some_int8<std::int8_t>(std::size_t(9) * weight_inputs * weight_outputs, trial);
    if (trial % 7 == 0) std::fill(plain.begin(), plain.end(), std::int8_t{127});  // largest sums
    const std::vector<std::int8_t> weights = packed(plain, 3, weight_inputs, weight_outputs);
    std::vector<std::int16_t> transformed(transformed_size_int8(weight_inputs, weight_outputs));
    transform_weights_int8(plain.data(), weight_inputs, weight_outputs, transformed.data());
    const std::size_t size = Plane<Quantized>::size(height + 2, width + 2, inputs, gap, row_gap);
    const Plane<Quantized> in(height + 2, width + 2, inputs, gap, row_gap,
                              trial % 14 == 0 ? std::vector<Quantized>(size, -127)
                                              : some_int8<Quantized>(size, trial + 1));
    std::vector<float> scale = some_values(outputs, trial + 2);
    for (float& s : scale) s *= 0.001f;
    const std::vector<float> bias = some_values(outputs, trial + 3);
    QuantizedConvolution op;
    op.in = in.image;
    op.weights = weights.data();
    op.transformed = transformed.data();
    op.weight_inputs = weight_inputs;
    op.weight_outputs = weight_outputs;
    op.scale = scale.data();
    op.bias = bias.data();
    op.window = 3;
    op.relu = trial % 2 == 0;

    const auto check = [&]<class T>(T) {
      const Plane<T> direct(height, width, outputs, out_gap, row_gap);
      const Plane<T> whole(height, width, outputs, out_gap, row_gap);
      const Plane<T> parts(height, width, outputs, out_gap, row_gap);
      const auto write_to = [&](const Plane<T>& plane) {
        if constexpr (std::is_same_v<T, float>)
          op.out_float = plane.image, op.out = {};
        else
          op.out = plane.image, op.out_float = {};
      };
      write_to(direct);
      reference_operators().quantized_convolution(op, 0, height);
      write_to(whole);
      operators_->quantized_winograd(op, 0, height);
      ASSERT_EQ(whole.values, direct.values);
      write_to(parts);
      for (int y = height; y > 0; y -= 2) operators_->quantized_winograd(op, y - 2, y);
      ASSERT_EQ(parts.values, direct.values);
    };
    check(Quantized{});
    check(float{});
    if (HasFatalFailure()) return;
  }
}

FLYBALL_EVERY_IMPLEMENTATION(Int8Winograd);

TEST(Int8WinogradWeights, OfADeltaAreTheTransformsOfOne) {
  // Twice G has 0, 1, -1, 0 in the column of the window's middle. Inputs 0 and 1 lie together.
  std::vector<std::int8_t> plain(9 * 2 * 8, 0);
  plain[(4 * 2 + 1) * 8 + 3] = 5;  // middle, input 1, output 3
  std::vector<std::int16_t> transformed(transformed_size_int8(2, 8));
  ASSERT_EQ(transformed.size(), 16u * 2 * 8);
  transform_weights_int8(plain.data(), 2, 8, transformed.data());
  const int axis[] = {0, 1, -1, 0};
  for (int p = 0; p < 16; ++p)
    for (int o = 0; o < 8; ++o)
      for (int i = 0; i < 2; ++i)
        EXPECT_EQ(transformed[(p * 8 + o) * 2 + i],
                  o == 3 && i == 1 ? 5 * axis[p / 4] * axis[p % 4] : 0)
            << "position " << p;
}

}  // namespace
}  // namespace flyball
