#include "kernels/dnn/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace flyball {
namespace {

// An item of a job should outweigh the 20 to 100 ns of claiming it: about 2 us of a core, whatever
// the layer.
constexpr std::size_t kItemMultiplications = 40'000;

/// SplitMix64 (Steele, Lea, Flood 2014): the whole state is one counter, and integers only.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : state_(seed) {}
  /// Uniform in [-1, 1): 24 random bits, exact in a float.
  float uniform() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return static_cast<float>(static_cast<std::int64_t>(z >> 40) - (1 << 23)) / (1 << 23);
  }

 private:
  std::uint64_t state_;
};

/// Variance 2 / fan_in (He et al. 2015). Square root and division are exact under IEEE 754, hence
/// the same everywhere.
void he_uniform(std::span<float> weights, std::size_t fan_in, Generator& generator) {
  const float limit = std::sqrt(6.0f / static_cast<float>(fan_in));
  for (float& weight : weights) weight = limit * generator.uniform();
}

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

/// Splits `rows` rows of each of `groups` images into items of about kItemMultiplications.
struct RowBlocks {
  int rows;
  int per_item;
  int per_group;

  RowBlocks(int rows_in, std::size_t cost) : rows(rows_in) {
    const std::size_t row_cost = std::max<std::size_t>(1, cost / rows);
    per_item = static_cast<int>(std::clamp<std::size_t>(kItemMultiplications / row_cost, 1,
                                                        static_cast<std::size_t>(rows)));
    per_group = (rows + per_item - 1) / per_item;
  }
  int group(std::size_t item) const { return static_cast<int>(item) / per_group; }
  int begin(std::size_t item) const { return static_cast<int>(item) % per_group * per_item; }
  int end(std::size_t item) const { return std::min(begin(item) + per_item, rows); }
};

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
    case Error::kWorkspace:
      return "workspace: it was made for a network of another shape; make one from this spec";
  }
  return "unknown error";
}

Network Network::seeded(const NetworkSpec& spec, std::uint64_t seed) {
  const NetworkLayout layout(spec);
  std::vector<float> parameters(layout.parameters, 0.0f);
  Generator generator(seed);
  for (int g = 0; g < spec.groups; ++g) {
    const std::span<float> group =
        std::span(parameters).subspan(g * layout.group_parameters, layout.group_parameters);
    for (std::size_t l = 0; l < layout.layers.size(); ++l) {
      const NetworkLayout::Layer& at = layout.layers[l];
      const int window = spec.layers[l].window;
      he_uniform(group.subspan(at.weights, at.scale - at.weights),
                 std::size_t(window) * window * at.in_channels, generator);
      std::ranges::fill(group.subspan(at.scale, spec.layers[l].channels), 1.0f);
    }
    he_uniform(group.subspan(layout.classifier), layout.features, generator);
  }
  return Network(spec, parameters, {});
}

Network::Network(NetworkSpec spec, std::span<const float> parameters, NetworkAccuracy accuracy)
    : spec_(std::move(spec)),
      layout_(spec_),
      parameters_(parameters.begin(), parameters.end()),
      accuracy_(std::move(accuracy)),
      operators_(choose_operators()) {
  assert(parameters_.size() == layout_.parameters);
  if (!operators_) operators_ = &portable_operators();
}

std::optional<float> Network::accuracy_pct(int width) const {
  if (width < 0 || width >= static_cast<int>(accuracy_.top1_pct.size())) return std::nullopt;
  return accuracy_.top1_pct[width];
}

InferStatus Network::check(const Workspace& workspace, int width, std::span<const float> image,
                           std::span<float> logits) const {
  using Error = InferStatus::Error;
  const auto size = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  if (width < 0 || width >= widths()) return {Error::kWidth, width, widths()};
  if (image.size() != image_values())
    return {Error::kImageSize, size(image.size()), size(image_values())};
  if (logits.size() != std::size_t(spec_.classes))
    return {Error::kLogitsSize, size(logits.size()), spec_.classes};
  if (!(workspace.spec() == spec_)) return {Error::kWorkspace};
  const std::int64_t bad = first_not_finite(image);
  if (bad >= 0) return {Error::kNotFinite, bad};
  return {};
}

Convolution Network::convolution(const Workspace& workspace, int layer, int group) const {
  const NetworkLayout::Layer& at = layout_.layers[layer];
  const float* const base = parameters_.data() + group * layout_.group_parameters;
  Convolution op;
  op.in = workspace.input(layer, group);
  op.out = workspace.convolved(layer, group);
  op.weights = base + at.weights;
  op.scale = base + at.scale;
  op.bias = base + at.bias;
  op.window = spec_.layers[layer].window;
  op.stride = spec_.layers[layer].stride;
  op.pad = 0;  // the workspace has the border
  op.relu = true;
  return op;
}

Pooling Network::pooling(const Workspace& workspace, int layer, int group) const {
  const LayerSpec& spec = spec_.layers[layer];
  return {workspace.convolved(layer, group), workspace.output(layer, group), spec.pool_window,
          spec.pool_stride, spec.pool_pad};
}

template <class ForEach>
InferStatus Network::infer_on(ForEach&& for_each, Workspace& workspace, int width,
                              std::span<const float> image, std::span<float> logits) const {
  if (const InferStatus status = check(workspace, width, image, logits); !status) return status;
  const std::size_t groups = width + 1;

  // Even the small steps go through for_each: a slowed worker is to be slow in all of them.
  for_each(1, [&](std::size_t) {
    const Image inside = workspace.image();
    const std::size_t row = std::size_t(inside.width) * inside.channels;
    for (int y = 0; y < inside.height; ++y)
      std::copy_n(image.data() + y * row, row, inside.at(y, 0));
  });

  for (std::size_t l = 0; l < spec_.layers.size(); ++l) {
    const LayerSpec& layer = spec_.layers[l];
    const NetworkLayout::Layer& at = layout_.layers[l];
    const int index = static_cast<int>(l);

    const RowBlocks conv(at.conv_size, at.multiplications);
    for_each(groups * conv.per_group, [&](std::size_t item) {
      operators_->convolution(convolution(workspace, index, conv.group(item)), conv.begin(item),
                              conv.end(item));
    });

    if (layer.pool == LayerSpec::Pool::kNone) continue;
    // A pooled value costs a load and a comparison per pixel of its window, some eight times a
    // multiplication of the blocked convolution.
    const std::size_t pool_cost = std::size_t{8} * at.out_size * at.out_size * layer.channels *
                                  layer.pool_window * layer.pool_window;
    const RowBlocks pool(at.out_size, pool_cost);
    const auto pooling_rows =
        layer.pool == LayerSpec::Pool::kMax ? operators_->max_pooling : operators_->average_pooling;
    for_each(groups * pool.per_group, [&](std::size_t item) {
      pooling_rows(pooling(workspace, index, pool.group(item)), pool.begin(item), pool.end(item));
    });
  }

  // Some 1,500 multiplications per group: not worth a hand-over.
  for_each(1, [&](std::size_t) {
    const int last = static_cast<int>(spec_.layers.size()) - 1;
    const float* const bias = parameters_.data() + layout_.class_bias + width * logits.size();
    std::copy_n(bias, logits.size(), logits.data());
    for (std::size_t g = 0; g < groups; ++g) {
      const int group = static_cast<int>(g);
      float* const evidence = workspace.evidence(group);
      operators_->fully_connected(
          workspace.output(last, group).data, layout_.features,
          parameters_.data() + g * layout_.group_parameters + layout_.classifier, nullptr, evidence,
          spec_.classes);
      for (std::size_t c = 0; c < logits.size(); ++c) logits[c] += evidence[c];
    }
  });
  return {};
}

InferStatus Network::infer(Pool& pool, Workspace& workspace, int width,
                           std::span<const float> image, std::span<float> logits) const {
  return infer_on(
      [&pool](std::size_t n, auto&& item) {
        pool.parallel_for(n, [&item](int, std::size_t i) { item(i); });
      },
      workspace, width, image, logits);
}

InferStatus Network::infer(Workspace& workspace, int width, std::span<const float> image,
                           std::span<float> logits) const {
  return infer_on(
      [](std::size_t n, auto&& item) {
        for (std::size_t i = 0; i < n; ++i) item(i);
      },
      workspace, width, image, logits);
}

}  // namespace flyball
