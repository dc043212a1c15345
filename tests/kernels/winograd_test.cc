#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/ops/operators.h"
#include "tests/kernels/operators_shapes.h"

namespace flyball {
namespace {

struct Layer {
  int size;           // rows and columns of the output, even
  int inputs;         // that are used, of
  int packed_inputs;  // these
  int outputs;
  int packed_outputs;
  bool relu = true;
};

/// The same layer by both ways. The input has a border of zeros in memory.
class Both {
 public:
  explicit Both(const Layer& layer) : layer_(layer) {
    const int side = layer.size + 2;
    const int in = layer.packed_inputs;
    const int out = layer.packed_outputs;
    image_.assign(std::size_t(side) * side * in, 0.0f);
    const std::vector<float> values = some_values(image_.size(), 1);
    for (int y = 1; y <= layer.size; ++y)
      for (int x = 1; x <= layer.size; ++x)
        for (int c = 0; c < in; ++c) {
          const std::size_t at = (std::size_t(y) * side + x) * in + c;
          image_[at] = values[at];
        }
    const std::vector<float> plain = some_values(std::size_t(9) * in * out, 2);
    direct_.resize(packed_size(3, in, out));
    pack_weights(plain.data(), 3, in, out, direct_.data());
    transformed_.resize(transformed_size(in, out));
    transform_weights(plain.data(), in, out, transformed_.data());
    scale_ = some_values(out, 3);
    bias_ = some_values(out, 4);
    op_.in = dense_image<const float>(image_.data(), side, side, in).channels_from(0, layer.inputs);
    op_.weight_inputs = in;
    op_.weight_outputs = out;
    op_.scale = scale_.data();
    op_.bias = bias_.data();
    op_.window = 3;
    op_.relu = layer.relu;
  }

  std::vector<float> direct() {
    std::vector<float> out = blank();
    Convolution op = writing_to(out);
    op.weights = direct_.data();
    reference_operators().convolution(op, 0, layer_.size);
    return out;
  }
  /// In blocks of `rows` rows.
  std::vector<float> filtered(const Operators& operators, int rows) {
    std::vector<float> out = blank();
    Convolution op = writing_to(out);
    op.weights = transformed_.data();
    for (int y = 0; y < layer_.size; y += rows)
      operators.winograd(op, y, std::min(y + rows, layer_.size));
    return out;
  }

 private:
  std::vector<float> blank() const {
    return std::vector<float>(std::size_t(layer_.size) * layer_.size * layer_.packed_outputs,
                              -7.0f);
  }
  Convolution writing_to(std::vector<float>& out) const {
    Convolution op = op_;
    op.out = dense_image(out.data(), layer_.size, layer_.size, layer_.packed_outputs)
                 .channels_from(0, layer_.outputs);
    return op;
  }

  Layer layer_;
  std::vector<float> image_, direct_, transformed_, scale_, bias_;
  Convolution op_;
};

class Winograd : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::string why;
    operators_ = find_operators(GetParam(), &why);
    if (!operators_) GTEST_SKIP() << why;
  }
  const Operators* operators_ = nullptr;
};

const Layer kLayers[] = {
    {16, 16, 16, 24, 24},       {8, 24, 24, 16, 16},
    {8, 24, 24, 24, 24, false}, {2, 8, 8, 8, 8},
    {6, 8, 32, 12, 48},  // a quarter of a slimmable layer
    {8, 32, 64, 32, 64},        {4, 8, 8, 5, 5},
    {10, 40, 40, 19, 40},       {4, 256, 256, 16, 16, false},
    {14, 16, 16, 8, 16},
};

TEST_P(Winograd, ComputesTheConvolution) {
  for (const Layer& layer : kLayers) {
    Both both(layer);
    const std::vector<float> expected = both.direct();
    const std::vector<float> actual = both.filtered(*operators_, layer.size);
    // The sums grow with the square root of the number of products.
    const double tolerance = 1e-5 * std::sqrt(9.0 * layer.inputs);
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(actual[i], expected[i], tolerance)
          << layer.inputs << " of " << layer.packed_inputs << " -> " << layer.outputs << " of "
          << layer.packed_outputs << ", value " << i;
  }
}

TEST_P(Winograd, AnyPairsOfRowsGiveTheSameBits) {
  for (const Layer& layer : kLayers) {
    Both both(layer);
    const std::vector<float> whole = both.filtered(*operators_, layer.size);
    for (int rows : {2, 4, 6}) EXPECT_EQ(both.filtered(*operators_, rows), whole) << rows;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Winograd,
                         testing::Values("reference", "portable", "avx2", "avx512", "neon"),
                         [](const auto& info) { return std::string(info.param); });

TEST(WinogradWeights, OfADeltaAreTheTransformsOfOne) {
  // w is 1 in its middle: G w G^T has 0, 1/2, -1/2, 0 along both axes.
  std::vector<float> plain(9 * 8, 0.0f);
  plain[4 * 8 + 3] = 1;  // output 3
  std::vector<float> transformed(transformed_size(1, 8));
  transform_weights(plain.data(), 1, 8, transformed.data());
  const float axis[] = {0, 0.5f, -0.5f, 0};
  for (int p = 0; p < 16; ++p)
    for (int o = 0; o < 8; ++o)
      EXPECT_EQ(transformed[p * 8 + o], o == 3 ? axis[p / 4] * axis[p % 4] : 0.0f)
          << "position " << p;
}

TEST(WinogradFits, NamesItsLimits) {
  EXPECT_TRUE(winograd_fits(3, 1, 16, 24));
  EXPECT_FALSE(winograd_fits(5, 1, 16, 24));
  EXPECT_FALSE(winograd_fits(3, 2, 16, 24));
  EXPECT_FALSE(winograd_fits(3, 1, 15, 24));
  EXPECT_FALSE(winograd_fits(3, 1, 16, 3));
  EXPECT_FALSE(winograd_fits(3, 1, 16, 264));
}

}  // namespace
}  // namespace flyball
