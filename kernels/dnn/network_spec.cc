#include "kernels/dnn/network_spec.h"

#include <fmt/format.h>

#include "kernels/ops/operators.h"

namespace flyball {

std::string NetworkSpec::problem() const {
  const auto bad = [](int value, int most) { return value < 1 || value > most; };
  if (bad(image_size, 4096)) return fmt::format("image size {} is not in 1..4096", image_size);
  if (bad(image_channels, 64)) return fmt::format("{} image channels, not 1..64", image_channels);
  if (bad(classes, 4096)) return fmt::format("{} classes, not 1..4096", classes);
  if (bad(groups, 64)) return fmt::format("{} groups, not 1..64", groups);
  if (layers.empty() || layers.size() > 64)
    return fmt::format("{} layers, not 1..64", layers.size());
  int size = image_size;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const LayerSpec& layer = layers[l];
    if (bad(layer.channels, 4096) || bad(layer.window, 64) || bad(layer.stride, 64) ||
        layer.pad < 0 || layer.pad >= layer.window)
      return fmt::format("layer {}: channels, window, stride or pad out of range", l);
    size = output_size(size, layer.window, layer.stride, layer.pad);
    if (size < 1) return fmt::format("layer {}: its window does not fit the image", l);
    if (layer.pool == LayerSpec::Pool::kNone) continue;
    if (bad(layer.pool_window, 64) || bad(layer.pool_stride, 64) || layer.pool_pad < 0 ||
        layer.pool_pad >= layer.pool_window)
      return fmt::format("layer {}: pooling window, stride or pad out of range", l);
    size = output_size(size, layer.pool_window, layer.pool_stride, layer.pool_pad);
    if (size < 1) return fmt::format("layer {}: its pooling does not fit the image", l);
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
  for (const LayerSpec& layer : spec.layers) {
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
    at.scale = take(out);
    at.bias = take(out);
    at.multiplications = weight_count * at.conv_size * at.conv_size;
    size = at.out_size;
    channels = layer.channels;
  }
  features = size * size * channels;
  classifier = take(std::size_t(features) * spec.classes);
  group_parameters = offset;
  class_bias = group_parameters * spec.groups;
  parameters = class_bias + std::size_t(spec.groups) * spec.classes;
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

}  // namespace flyball
