// The network against its definition, in loops as plain as can be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/dnn/calibration.h"
#include "kernels/dnn/network.h"

namespace flyball {
namespace {

/// [row][column][channel], with the channels that the width uses.
struct Map {
  int size;
  int channels;
  std::vector<double> values;
  double at(int y, int x, int c) const {
    if (y < 0 || x < 0 || y >= size || x >= size) return 0;
    return values[(std::size_t(y) * size + x) * channels + c];
  }
};

/// What a step of `range / 127` leaves of a value.
double stepped(double value, double range) {
  const double step = range / 127;
  return std::clamp(std::nearbyint(value / step), -127.0, 127.0) * step;
}

Map pooled(const Map& in, const LayerSpec& spec, int size) {
  Map out{size, in.channels, std::vector<double>(std::size_t(size) * size * in.channels)};
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x)
      for (int c = 0; c < in.channels; ++c) {
        double most = 0, sum = 0;  // nothing is negative behind a ReLU
        for (int tap = 0; tap < spec.pool_window * spec.pool_window; ++tap) {
          const double value =
              in.at(y * spec.pool_stride - spec.pool_pad + tap / spec.pool_window,
                    x * spec.pool_stride - spec.pool_pad + tap % spec.pool_window, c);
          most = std::max(most, value);
          sum += value;
        }
        out.values[(std::size_t(y) * size + x) * in.channels + c] =
            spec.pool == LayerSpec::Pool::kMax ? most : sum / (spec.pool_window * spec.pool_window);
      }
  return out;
}

/// A model with scales and biases that matter: a seeded one has ones and zeros.
Model model_of(const NetworkSpec& spec) {
  Model model = seeded_model(spec, 3);
  const NetworkLayout layout(spec);
  for (int t = 0; t < spec.towers(); ++t)
    for (std::size_t l = 0; l < spec.layers.size(); ++l) {
      float* const tower = model.parameters.data() + t * layout.tower_parameters;
      const std::size_t count = layout.layers[l].bias - layout.layers[l].scale;
      for (std::size_t c = 0; c < count; ++c) {
        tower[layout.layers[l].scale + c] = 0.6f + 0.04f * static_cast<float>((c + t) % 16);
        tower[layout.layers[l].bias + c] = 0.03f * static_cast<float>(int(3 * c + t) % 16 - 8);
      }
    }
  for (std::size_t i = layout.class_bias; i < layout.parameters; ++i)
    model.parameters[i] = 0.1f * static_cast<float>(i - layout.class_bias);
  return model;
}

std::vector<float> some_image(const NetworkSpec& spec) {
  std::vector<float> image(std::size_t(spec.image_size) * spec.image_size * spec.image_channels);
  for (std::size_t i = 0; i < image.size(); ++i)
    image[i] = static_cast<float>((i * 37 + i / 96 * 11 + 101) % 256) / 128.0f - 1.0f;
  return image;
}

std::vector<double> expected_logits(const Model& model, int width, Precision precision,
                                    const std::vector<float>& image) {
  const NetworkSpec& spec = model.spec;
  const NetworkLayout layout(spec);
  const bool int8 = precision == Precision::kInt8;
  const bool grouped = spec.kind == NetworkSpec::Kind::kGrouped;
  std::vector<double> logits;
  for (int c = 0; c < spec.classes; ++c)
    logits.push_back(model.parameters[layout.class_bias + width * spec.classes + c]);
  for (int t = 0; t < (grouped ? width + 1 : 1); ++t) {
    const float* const tower = model.parameters.data() + t * layout.tower_parameters;
    Map map{spec.image_size, spec.image_channels, {image.begin(), image.end()}};
    if (int8)
      for (double& value : map.values) value = stepped(value, model.activation_max[0]);
    for (std::size_t l = 0; l < spec.layers.size(); ++l) {
      const LayerSpec& layer = spec.layers[l];
      const NetworkLayout::Layer& at = layout.layers[l];
      const int set = grouped ? 0 : width;
      const int used = grouped ? layer.channels : layer.channels * (width + 1) / spec.widths;
      const double range =
          int8 ? model.activation_max[1 + (grouped ? t : width) * spec.layers.size() + l] : 0;
      Map next{at.conv_size, used, {}};
      for (int y = 0; y < at.conv_size; ++y)
        for (int x = 0; x < at.conv_size; ++x)
          for (int o = 0; o < used; ++o) {
            double largest = 0, sum = 0;
            const auto weight = [&](int tap, int i) {
              return double{
                  tower[at.weights + (std::size_t(tap) * at.in_channels + i) * layer.channels + o]};
            };
            for (int tap = 0; tap < layer.window * layer.window && int8; ++tap)
              for (int i = 0; i < at.in_channels; ++i)
                largest = std::max(largest, std::fabs(weight(tap, i)));
            for (int tap = 0; tap < layer.window * layer.window; ++tap)
              for (int i = 0; i < map.channels; ++i)
                sum += map.at(y * layer.stride - layer.pad + tap / layer.window,
                              x * layer.stride - layer.pad + tap % layer.window, i) *
                       (int8 ? stepped(weight(tap, i), largest) : weight(tap, i));
            double value = std::max(0.0, sum * tower[at.scale + set * layer.channels + o] +
                                             tower[at.bias + set * layer.channels + o]);
            if (int8 && l + 1 < spec.layers.size()) value = stepped(value, range);
            next.values.push_back(value);
          }
      map = layer.pool == LayerSpec::Pool::kNone ? next : pooled(next, layer, at.out_size);
    }
    const int all = spec.layers.back().channels;
    for (std::size_t pixel = 0; pixel < map.values.size() / map.channels; ++pixel)
      for (int i = 0; i < map.channels; ++i)
        for (int c = 0; c < spec.classes; ++c)
          logits[c] += map.values[pixel * map.channels + i] *
                       tower[layout.classifier + (pixel * all + i) * spec.classes + c];
  }
  return logits;
}

class Definition : public testing::TestWithParam<NetworkSpec> {};

TEST_P(Definition, IsWhatIsComputed) {
  const Model model = model_of(GetParam());
  const Network network(model);
  Workspace workspace(model.spec);
  const std::vector<float> image = some_image(model.spec);
  std::vector<float> logits(model.spec.classes);
  // Widths downwards and upwards: what one leaves behind must not matter to another.
  std::vector<int> widths;
  for (int w = model.spec.widths - 1; w >= 0; --w) widths.push_back(w);
  for (int w = 0; w < model.spec.widths; ++w) widths.push_back(w);
  for (int width : widths) {
    ASSERT_TRUE(network.infer(workspace, width, Precision::kFloat32, image, logits));
    const auto expected = expected_logits(model, width, Precision::kFloat32, image);
    for (int c = 0; c < model.spec.classes; ++c)
      EXPECT_NEAR(logits[c], expected[c], 1e-4 * (1 + std::fabs(expected[c])))
          << "width " << width << ", class " << c;
  }
}

TEST_P(Definition, IsWhatIsComputedInInt8) {
  Model model = model_of(GetParam());
  const std::vector<float> image = some_image(model.spec);
  model.activation_max = activation_ranges(model, image);
  const Network network(model);
  Workspace workspace(model.spec);
  std::vector<float> logits(model.spec.classes);
  for (int width = 0; width < model.spec.widths; ++width) {
    ASSERT_TRUE(network.infer(workspace, width, Precision::kInt8, image, logits));
    const auto expected = expected_logits(model, width, Precision::kInt8, image);
    const auto real = expected_logits(model, width, Precision::kFloat32, image);
    double from_definition = 0, from_real = 0, size = 0;
    for (int c = 0; c < model.spec.classes; ++c) {
      from_definition = std::max(from_definition, std::fabs(logits[c] - expected[c]));
      from_real = std::max(from_real, std::fabs(logits[c] - real[c]));
      size = std::max(size, std::fabs(real[c]));
    }
    // A float's rounding can tip a value over to the next step, here and there.
    EXPECT_LT(from_definition, 5e-3 * size) << "width " << width;
    EXPECT_LT(from_real, 0.05 * size) << "width " << width;
    EXPECT_GT(from_real, 0) << "int8 was not what ran";
  }
}

NetworkSpec small(NetworkSpec::Kind kind) {
  NetworkSpec spec;
  spec.kind = kind;
  spec.image_size = 11;
  spec.classes = 3;
  spec.widths = 2;
  spec.layers = {
      {.channels = 12, .window = 3, .stride = 2, .pad = 0},
      {.channels = 20},
      {.channels = 8, .pool = LayerSpec::Pool::kAverage, .pool_window = 2, .pool_stride = 2}};
  return spec;
}

INSTANTIATE_TEST_SUITE_P(Networks, Definition,
                         testing::Values(modified_alexnet(), slimmable_alexnet(),
                                         small(NetworkSpec::Kind::kGrouped),
                                         small(NetworkSpec::Kind::kSlimmable)));

}  // namespace
}  // namespace flyball
