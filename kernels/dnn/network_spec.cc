#include "kernels/dnn/network_spec.h"

#include <fmt/format.h>

#include "kernels/ops/operators.h"

namespace flyball {

std::string NetworkSpec::problem() const {
  const auto bad = [](int value, int most) { return value < 1 || value > most; };
  if (bad(image_size, 4096)) return fmt::format("image size {} is not in 1..4096", image_size);
  if (bad(image_channels, 64)) return fmt::format("{} image channels, not 1..64", image_channels);
  if (bad(classes, 4096)) return fmt::format("{} classes, not 1..4096", classes);
  if (bad(widths, 64)) return fmt::format("{} widths, not 1..64", widths);
  // Far beyond what such a network is for; keeps all products of sizes within an int.
  constexpr long kMaxValues = 1 << 24;
  if (long{image_size} * image_size * image_channels > kMaxValues)
    return "images of more than 16 million values";
  if (layers.empty() || layers.size() > 64)
    return fmt::format("{} layers, not 1..64", layers.size());
  // A file of a few kB can ask for terabytes of activations; these are 0.8 GB in both precisions.
  constexpr long kMaxActivations = 1 << 27;
  long activations = 0;
  int size = image_size;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const LayerSpec& layer = layers[l];
    if (bad(layer.channels, 4096) || bad(layer.window, 64) || bad(layer.stride, 64) ||
        layer.pad < 0 || layer.pad >= layer.window)
      return fmt::format("layer {}: channels, window, stride or pad out of range", l);
    // Two: int8 reads channels in pairs, at every width.
    if (kind == Kind::kSlimmable && layer.channels % (2 * widths) != 0)
      return fmt::format("layer {}: {} channels cannot be cut into {} widths of even numbers", l,
                         layer.channels, widths);
    size = output_size(size, layer.window, layer.stride, layer.pad);
    if (size < 1) return fmt::format("layer {}: its window does not fit the image", l);
    if (long{size} * size * layer.channels > kMaxValues)
      return fmt::format("layer {}: more than 16 million values", l);
    activations += long{size} * size * layer.channels * towers();
    if (layer.pool != LayerSpec::Pool::kNone) {
      if (bad(layer.pool_window, 64) || bad(layer.pool_stride, 64) || layer.pool_pad < 0 ||
          layer.pool_pad >= layer.pool_window)
        return fmt::format("layer {}: pooling window, stride or pad out of range", l);
      size = output_size(size, layer.pool_window, layer.pool_stride, layer.pool_pad);
      if (size < 1) return fmt::format("layer {}: its pooling does not fit the image", l);
      activations += long{size} * size * layer.channels * towers();
    }
    if (activations > kMaxActivations)
      return fmt::format("layer {}: more than 134 million values with those before it", l);
  }
  return {};
}

NetworkLayout::NetworkLayout(const NetworkSpec& spec) {
  int size = spec.image_size;
  int channels = spec.image_channels;
  std::size_t offset = 0;
  const auto take = [&offset](std::size_t count) {
    offset += count;
    return offset - count;
  };
  const std::size_t sets = spec.scale_sets_per_tower();
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    const LayerSpec& layer = spec.layers[l];
    Layer& at = layers.emplace_back();
    const std::size_t out = layer.channels;
    at.in_size = size;
    at.in_channels = channels;
    at.conv_size = output_size(size, layer.window, layer.stride, layer.pad);
    at.out_size =
        layer.pool == LayerSpec::Pool::kNone
            ? at.conv_size
            : output_size(at.conv_size, layer.pool_window, layer.pool_stride, layer.pool_pad);
    const std::size_t weight_count = std::size_t(layer.window) * layer.window * channels * out;
    at.weights = take(weight_count);
    at.scale = take(sets * out);
    at.bias = take(sets * out);
    at.multiplications = weight_count * at.conv_size * at.conv_size;
    // Of the inputs, the narrowest width has the smallest number: all are multiples of it.
    at.winograd = winograd_fits(layer.window, layer.stride, at.conv_size,
                                l == 0 ? channels : spec.active_channels(channels, 0)) &&
                  winograd_fits(layer.window, layer.stride, at.conv_size, channels);
    size = at.out_size;
    channels = layer.channels;
  }
  features = size * size * channels;
  classifier = take(std::size_t(features) * spec.classes);
  tower_parameters = offset;
  class_bias = tower_parameters * spec.towers();
  parameters = class_bias + std::size_t(spec.widths) * spec.classes;
}

namespace {

/// Calls visit(layer, inputs, outputs) with the channels that `width` uses in one tower.
template <class Visit>
void for_each_layer(const NetworkSpec& spec, int width, Visit&& visit) {
  int inputs = spec.image_channels;
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    const int outputs = spec.active_channels(spec.layers[l].channels, width);
    visit(l, std::size_t(inputs), std::size_t(outputs));
    inputs = outputs;
  }
}

}  // namespace

std::size_t NetworkLayout::multiplications(const NetworkSpec& spec, int width) const {
  std::size_t count = std::size_t(spec.active_channels(features, width)) * spec.classes;
  for_each_layer(spec, width, [&](std::size_t l, std::size_t inputs, std::size_t outputs) {
    const std::size_t taps = std::size_t(spec.layers[l].window) * spec.layers[l].window;
    count += taps * inputs * outputs * layers[l].conv_size * layers[l].conv_size;
  });
  return count * spec.active_towers(width);
}

std::size_t NetworkLayout::active_parameters(const NetworkSpec& spec, int width) const {
  std::size_t count = std::size_t(spec.active_channels(features, width)) * spec.classes;
  for_each_layer(spec, width, [&](std::size_t l, std::size_t inputs, std::size_t outputs) {
    const std::size_t taps = std::size_t(spec.layers[l].window) * spec.layers[l].window;
    count += taps * inputs * outputs + 2 * outputs;
  });
  return count * spec.active_towers(width) + spec.classes;
}

NetworkSpec modified_alexnet() {
  using Pool = LayerSpec::Pool;
  NetworkSpec spec;
  spec.layers = {
      {.channels = 16,
       .window = 5,
       .stride = 1,
       .pad = 2,
       .pool = Pool::kMax,
       .pool_window = 3,
       .pool_stride = 2,
       .pool_pad = 1},  // 32 -> 16
      {.channels = 24,
       .window = 3,
       .stride = 1,
       .pad = 1,
       .pool = Pool::kMax,
       .pool_window = 3,
       .pool_stride = 2,
       .pool_pad = 1},  // 16 -> 8
      {.channels = 24},
      {.channels = 24},
      {.channels = 16,
       .window = 3,
       .stride = 1,
       .pad = 1,
       .pool = Pool::kAverage,
       .pool_window = 4,
       .pool_stride = 2,
       .pool_pad = 0},  // 8 -> 3
  };
  return spec;
}

NetworkSpec slimmable_alexnet() {
  NetworkSpec spec = modified_alexnet();
  spec.kind = NetworkSpec::Kind::kSlimmable;
  constexpr int kChannels[] = {32, 64, 64, 64, 32};
  for (std::size_t l = 0; l < spec.layers.size(); ++l) spec.layers[l].channels = kChannels[l];
  return spec;
}

NetworkSpec plain_cifar_network() {
  NetworkSpec spec;
  spec.widths = 1;
  spec.layers = {
      {.channels = 32},
      {.channels = 32},
      {.channels = 64, .stride = 2},
      {.channels = 64},
      {.channels = 128, .stride = 2},
      {.channels = 128, .pool = LayerSpec::Pool::kAverage, .pool_window = 8, .pool_stride = 8}};
  return spec;
}

}  // namespace flyball
