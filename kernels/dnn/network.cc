#include "kernels/dnn/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <numeric>

namespace flyball {
namespace {

// An item of a job should outweigh the 20 to 100 ns of claiming it: at least 1 to 2 us of a core.
// And none should be so long that the others wait for it at the end, or that a duty cycle, which
// settles every 30 us, cannot keep to its ratio.
constexpr std::size_t kLeastItem = 100'000;  // multiplications
constexpr std::size_t kMostItem = 400'000;
constexpr int kItemsPerWorker = 4;
// Each item of minimal filtering reads all of the layer's weights, which overflow the first level.
constexpr int kWinogradItemsPerWorker = 2;
// Weights that do not fit the first-level cache beside the image are read from the second level
// for every block of rows; dividing by output channels reads each of them once.
constexpr std::size_t kCachedWeights = 32 * 1024 / sizeof(float);

/// The first value that is NaN or infinite; -1 when there is none. Looks at the exponent bits, so
/// that the loop over good values has no branch and is vectorised.
std::int64_t first_not_finite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000u;
  std::uint32_t bad = 0;
  for (float value : values)
    bad |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1u : 0u;
  if (bad == 0) return -1;
  return std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); }) -
         values.begin();
}

int ceil_divide(std::size_t a, std::size_t b) { return static_cast<int>((a + b - 1) / b); }

/// The items of one layer: blocks of rows, or of rows and output channels, of each tower.
struct Items {
  int rows;
  int channels;
  int rows_per_block;
  int channels_per_block;
  int row_blocks;
  int blocks_per_tower;

  /// `cost`: multiplications of a tower. `row_step`, `panel`: rows and channels that cannot be
  /// divided.
  Items(int rows_in, int row_step, int channels_in, int panel, bool divide_channels,
        std::size_t cost, int towers, int workers, int items_per_worker = kItemsPerWorker)
      : rows(rows_in), channels(channels_in) {
    const int wanted = workers == 1 ? 1 : ceil_divide(workers * items_per_worker, towers);
    const int most = std::max(1, static_cast<int>(cost / kLeastItem));
    int items = std::max(std::min(wanted, most), ceil_divide(cost, kMostItem));
    // As many for each worker, where that makes them little smaller than they should be.
    const int step = workers / std::gcd(workers, towers);
    const int even = ceil_divide(items, step) * step;
    if (cost / even >= kLeastItem * 3 / 4) items = even;
    const int panels = ceil_divide(channels, panel);
    const int channel_blocks = divide_channels ? std::min(items, panels) : 1;
    channels_per_block = ceil_divide(panels, channel_blocks) * panel;
    const int steps = ceil_divide(rows, row_step);
    rows_per_block =
        ceil_divide(steps, std::min(ceil_divide(items, channel_blocks), steps)) * row_step;
    row_blocks = ceil_divide(rows, rows_per_block);
    blocks_per_tower = row_blocks * ceil_divide(channels, channels_per_block);
  }
  int tower(std::size_t item) const { return static_cast<int>(item) / blocks_per_tower; }
  int row_begin(std::size_t item) const {
    return static_cast<int>(item) % blocks_per_tower % row_blocks * rows_per_block;
  }
  int row_end(std::size_t item) const { return std::min(row_begin(item) + rows_per_block, rows); }
  int channel_begin(std::size_t item) const {
    return static_cast<int>(item) % blocks_per_tower / row_blocks * channels_per_block;
  }
  int channel_count(std::size_t item) const {
    return std::min(channels_per_block, channels - channel_begin(item));
  }
};

/// A pooled value costs a load and a comparison per pixel of its window, some eight times a
/// multiplication of the blocked convolution.
std::size_t pooling_cost(const LayerSpec& layer, int out_size, int channels) {
  return std::size_t{8} * out_size * out_size * channels * layer.pool_window * layer.pool_window;
}

}  // namespace

std::string InferStatus::message() const {
  switch (error) {
    case Error::kNone:
      return "done";
    case Error::kWidth:
      return fmt::format("width {}: the network has the widths 0 to {}", value, expected - 1);
    case Error::kImageSize:
      return fmt::format("image of {} values: the network takes {}", value, expected);
    case Error::kNotFinite:
      return fmt::format("image value {}: it is NaN or infinite; clean the input", value);
    case Error::kLogitsSize:
      return fmt::format("room for {} logits: the network has {} classes", value, expected);
    case Error::kPrecision:
      return "precision int8: the model has no activation ranges; calibrate it, or use fp32";
    case Error::kWorkspace:
      return "workspace: it was made for a network of another shape; make one from this spec";
  }
  return "unknown error";
}

Network::Network(const Model& model)
    : spec_(model.spec),
      layout_(spec_),
      weights_(model),
      accuracy_(model.accuracy),
      operators_(choose_operators()) {
  assert(model.problem().empty());
  if (!model.activation_max.empty()) quantized_ = std::make_unique<QuantizedWeights>(model);
  if (!operators_) operators_ = &portable_operators();
}

std::optional<float> Network::accuracy_pct(int width, Precision precision) const {
  const auto& top1_pct =
      precision == Precision::kInt8 ? accuracy_.int8_top1_pct : accuracy_.top1_pct;
  if (width < 0 || width >= static_cast<int>(top1_pct.size())) return std::nullopt;
  return top1_pct[width];
}

InferStatus Network::check(const Workspace& workspace, int width, Precision precision,
                           std::span<const float> image, std::span<float> logits) const {
  using Error = InferStatus::Error;
  const auto size = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  if (width < 0 || width >= widths()) return {Error::kWidth, width, widths()};
  if (precision == Precision::kInt8 && !has_int8()) return {Error::kPrecision};
  if (image.size() != image_values())
    return {Error::kImageSize, size(image.size()), size(image_values())};
  if (logits.size() != std::size_t(spec_.classes))
    return {Error::kLogitsSize, size(logits.size()), spec_.classes};
  if (!(workspace.spec() == spec_)) return {Error::kWorkspace};
  const std::int64_t bad = first_not_finite(image);
  if (bad >= 0) return {Error::kNotFinite, bad};
  return {};
}

Convolution Network::convolution(const Workspace& workspace, int layer, int tower,
                                 int width) const {
  Convolution op;
  op.in = workspace.input(layer, tower, width);
  op.out = workspace.convolved(layer, tower, width);
  op.weights = weights_.weights(layer, tower);
  op.weight_inputs = layout_.layers[layer].in_channels;
  op.weight_outputs = spec_.layers[layer].channels;
  op.scale = weights_.scale(layer, tower, width);
  op.bias = weights_.bias(layer, tower, width);
  op.window = spec_.layers[layer].window;
  op.stride = spec_.layers[layer].stride;
  op.pad = 0;  // the workspace has the border
  op.relu = true;
  return op;
}

QuantizedConvolution Network::quantized_convolution(const Workspace& workspace, int layer,
                                                    int tower, int width) const {
  QuantizedConvolution op;
  op.in = workspace.quantized_input(layer, tower, width);
  if (layer + 1 < static_cast<int>(spec_.layers.size()))
    op.out = workspace.quantized_convolved(layer, tower, width);
  else
    op.out_float = workspace.convolved(layer, tower, width);
  op.weights = quantized_->weights(layer, tower);
  op.transformed = quantized_->transformed(layer, tower);
  op.weight_inputs = layout_.layers[layer].in_channels;
  op.weight_outputs = spec_.layers[layer].channels;
  op.scale = quantized_->scale(layer, tower, width);
  op.bias = quantized_->bias(layer, tower, width);
  op.window = spec_.layers[layer].window;
  op.stride = spec_.layers[layer].stride;
  op.relu = true;
  return op;
}

/// The convolutions and poolings of every layer. `convolve(layer, items, item)` and
/// `pool_rows(layer, tower, begin, end)` do the work in one precision.
template <class ForEach, class Convolve, class PoolRows>
void Network::run_layers(ForEach&& for_each, int workers, int width, Convolve&& convolve,
                         PoolRows&& pool_rows) const {
  const int towers = spec_.active_towers(width);
  int inputs = spec_.image_channels;
  for (std::size_t l = 0; l < spec_.layers.size(); ++l) {
    const LayerSpec& layer = spec_.layers[l];
    const NetworkLayout::Layer& at = layout_.layers[l];
    const int outputs = spec_.active_channels(layer.channels, width);
    const std::size_t weights = std::size_t(layer.window) * layer.window * inputs * outputs;
    // Minimal filtering transforms its inputs once for all outputs: no division by them.
    const bool divide_channels = weights > kCachedWeights && !at.winograd;
    const Items items(at.conv_size, at.winograd ? 2 : 1, outputs, panel_channels(layer.channels),
                      divide_channels, weights * at.conv_size * at.conv_size, towers, workers,
                      at.winograd ? kWinogradItemsPerWorker : kItemsPerWorker);
    for_each(std::size_t(towers) * items.blocks_per_tower,
             [&](std::size_t item) { convolve(static_cast<int>(l), items, item); });
    inputs = outputs;

    if (layer.pool == LayerSpec::Pool::kNone) continue;
    const Items rows(at.out_size, 1, outputs, outputs, false,
                     pooling_cost(layer, at.out_size, outputs), towers, workers);
    for_each(std::size_t(towers) * rows.blocks_per_tower, [&](std::size_t item) {
      pool_rows(static_cast<int>(l), rows.tower(item), rows.row_begin(item), rows.row_end(item));
    });
  }
}

template <class ForEach>
void Network::run_float(ForEach&& for_each, int workers, Workspace& workspace, int width,
                        std::span<const float> image) const {
  // Even the small steps go through for_each: a slowed worker is to be slow in all of them.
  for_each(1, [&](std::size_t) {
    const Image inside = workspace.image();
    const std::size_t row = std::size_t(inside.width) * inside.channels;
    for (int y = 0; y < inside.height; ++y)
      std::copy_n(image.data() + y * row, row, inside.at(y, 0));
  });
  run_layers(
      for_each, workers, width,
      [&](int layer, const Items& items, std::size_t item) {
        Convolution op = convolution(workspace, layer, items.tower(item), width);
        const int first = items.channel_begin(item);
        op.out = op.out.channels_from(first, items.channel_count(item));
        op.weights += std::size_t(op.window) * op.window * op.weight_inputs * first;
        op.scale += first;
        op.bias += first;
        const auto convolve =
            layout_.layers[layer].winograd ? operators_->winograd : operators_->convolution;
        convolve(op, items.row_begin(item), items.row_end(item));
      },
      [&](int layer, int tower, int begin, int end) {
        pool_floats(workspace, layer, tower, width, begin, end);
      });
}

template <class ForEach>
void Network::run_int8(ForEach&& for_each, int workers, Workspace& workspace, int width,
                       std::span<const float> image) const {
  for_each(1, [&](std::size_t) {
    Quantized* value = workspace.quantized_values();
    operators_->quantize(image.data(), static_cast<int>(image.size()), quantized_->image_scale(),
                         value);
    const QuantizedImage inside = workspace.quantized_image();
    const int channels = spec_.image_channels;
    for (int y = 0; y < inside.height; ++y)
      for (int x = 0; x < inside.width; ++x, value += channels)
        std::copy_n(value, channels, inside.at(y, x));
  });
  run_layers(
      for_each, workers, width,
      [&](int layer, const Items& items, std::size_t item) {
        QuantizedConvolution op = quantized_convolution(workspace, layer, items.tower(item), width);
        const int first = items.channel_begin(item);
        if (op.out.data) op.out = op.out.channels_from(first, items.channel_count(item));
        if (op.out_float.data)
          op.out_float = op.out_float.channels_from(first, items.channel_count(item));
        op.scale += first;
        op.bias += first;
        if (op.transformed) {  // never divided by channels
          operators_->quantized_winograd(op, items.row_begin(item), items.row_end(item));
          return;
        }
        const int slots = op.weight_inputs + op.weight_inputs % 2;
        op.weights += std::size_t(op.window) * op.window * slots * first;
        operators_->quantized_convolution(op, items.row_begin(item), items.row_end(item));
      },
      [&](int layer, int tower, int begin, int end) {
        if (layer + 1 == static_cast<int>(spec_.layers.size())) {
          pool_floats(workspace, layer, tower, width, begin, end);
          return;
        }
        const LayerSpec& spec = spec_.layers[layer];
        operators_->quantized_max_pooling({workspace.quantized_convolved(layer, tower, width),
                                           workspace.quantized_output(layer, tower, width),
                                           spec.pool_window, spec.pool_stride, spec.pool_pad},
                                          begin, end);
      });
}

void Network::pool_floats(Workspace& workspace, int layer, int tower, int width, int begin,
                          int end) const {
  const LayerSpec& spec = spec_.layers[layer];
  const Pooling op{workspace.convolved(layer, tower, width), workspace.output(layer, tower, width),
                   spec.pool_window, spec.pool_stride, spec.pool_pad};
  const auto run =
      spec.pool == LayerSpec::Pool::kMax ? operators_->max_pooling : operators_->average_pooling;
  run(op, begin, end);
}

void Network::classify(Workspace& workspace, int width, std::span<float> logits) const {
  const int last = static_cast<int>(spec_.layers.size()) - 1;
  std::copy_n(weights_.class_bias(width), logits.size(), logits.data());
  for (int tower = 0; tower < spec_.active_towers(width); ++tower) {
    const Image features = workspace.output(last, tower, width);
    // All channels of all pixels are one run of values; the first channels of each are many.
    const bool whole = features.channels == features.pixel_stride;
    const int pixels = features.height * features.width;
    const int runs = whole ? 1 : pixels;
    const int values = whole ? pixels * features.channels : features.channels;
    float* const evidence = workspace.evidence(tower);
    for (int run = 0; run < runs; ++run) {
      const std::ptrdiff_t first = run * features.pixel_stride;
      operators_->fully_connected(features.data + first, values,
                                  weights_.classifier(tower) + first * spec_.classes, nullptr,
                                  evidence, spec_.classes);
      for (std::size_t c = 0; c < logits.size(); ++c) logits[c] += evidence[c];
    }
  }
}

template <class ForEach>
InferStatus Network::infer_on(ForEach&& for_each, int workers, Workspace& workspace, int width,
                              Precision precision, std::span<const float> image,
                              std::span<float> logits) const {
  if (const InferStatus status = check(workspace, width, precision, image, logits); !status)
    return status;
  if (precision == Precision::kInt8)
    run_int8(for_each, workers, workspace, width, image);
  else
    run_float(for_each, workers, workspace, width, image);
  // Some 1,500 multiplications per tower: not worth a hand-over.
  for_each(1, [&](std::size_t) { classify(workspace, width, logits); });
  return {};
}

InferStatus Network::infer(Pool& pool, Workspace& workspace, int width, Precision precision,
                           std::span<const float> image, std::span<float> logits) const {
  return infer_on(
      [&pool](std::size_t n, auto&& item) {
        pool.parallel_for(n, [&item](int, std::size_t i) { item(i); });
      },
      pool.active(), workspace, width, precision, image, logits);
}

InferStatus Network::infer(Workspace& workspace, int width, Precision precision,
                           std::span<const float> image, std::span<float> logits) const {
  return infer_on(
      [](std::size_t n, auto&& item) {
        for (std::size_t i = 0; i < n; ++i) item(i);
      },
      1, workspace, width, precision, image, logits);
}

}  // namespace flyball
