#include "kernels/dnn/packed_weights.h"

#include <algorithm>
#include <cmath>

#include "kernels/ops/operators.h"

namespace flyball {
namespace {

constexpr float kSteps = 127;  // int8 without -128, so that it is symmetric

/// Hands out pieces of a buffer that start at a cache line. Without a buffer it only counts.
template <class T>
class Carver {
 public:
  explicit Carver(T* buffer) : buffer_(buffer) {}
  T* take(std::size_t count) {
    T* const piece = buffer_ ? buffer_ + used_ : nullptr;
    used_ += whole_lines<T>(count);
    return piece;
  }
  std::size_t used() const { return used_; }

 private:
  T* buffer_;
  std::size_t used_ = 0;
};

/// The sets of one width each lie set_stride apart; a grouped tower has one set for all widths.
std::size_t set_offset(std::size_t set_stride, int width) { return set_stride * width; }

std::vector<std::size_t> set_strides(const NetworkSpec& spec) {
  std::vector<std::size_t> strides;
  for (const LayerSpec& layer : spec.layers)
    strides.push_back(spec.scale_sets_per_tower() == 1 ? 0 : layer.channels);
  return strides;
}

float steps_of(float value, float step) {
  return std::clamp(std::nearbyint(value / step), -kSteps, kSteps);
}

}  // namespace

PackedWeights::PackedWeights(const Model& model)
    : set_stride_(set_strides(model.spec)),
      layers_per_tower_(static_cast<int>(model.spec.layers.size())),
      classes_(model.spec.classes) {
  const NetworkSpec& spec = model.spec;
  const NetworkLayout layout(spec);
  const std::size_t classes = spec.classes;
  const auto build = [&](float* buffer) {
    Carver<float> carver(buffer);
    const auto copy = [&](const float* from, std::size_t count) {
      float* const to = carver.take(count);
      if (to) std::copy_n(from, count, to);
      return to;
    };
    layers_.clear();
    classifiers_.clear();
    for (int t = 0; t < spec.towers(); ++t) {
      const float* const tower = model.parameters.data() + t * layout.tower_parameters;
      for (std::size_t l = 0; l < spec.layers.size(); ++l) {
        const NetworkLayout::Layer& at = layout.layers[l];
        const LayerSpec& layer = spec.layers[l];
        const int in = at.in_channels;
        const int out = layer.channels;
        float* const weights = carver.take(at.winograd ? transformed_size(in, out)
                                                       : packed_size(layer.window, in, out));
        if (weights && at.winograd)
          transform_weights(tower + at.weights, in, out, weights);
        else if (weights)
          pack_weights(tower + at.weights, layer.window, in, out, weights);
        const float* const scale = copy(tower + at.scale, at.bias - at.scale);
        const float* const bias = copy(tower + at.bias, at.bias - at.scale);
        layers_.push_back({weights, scale, bias});
      }
      classifiers_.push_back(copy(tower + layout.classifier, layout.features * classes));
    }
    class_bias_ = copy(model.parameters.data() + layout.class_bias, spec.widths * classes);
    return carver.used();
  };
  floats_ = build(nullptr);
  buffer_ = aligned_zeros<float>(floats_);
  build(buffer_.get());
}

const float* PackedWeights::scale(int layer, int tower, int width) const {
  return at(layer, tower).scale + set_offset(set_stride_[layer], width);
}

const float* PackedWeights::bias(int layer, int tower, int width) const {
  return at(layer, tower).bias + set_offset(set_stride_[layer], width);
}

QuantizedWeights::QuantizedWeights(const Model& model)
    : set_stride_(set_strides(model.spec)),
      image_scale_(kSteps / model.activation_max[0]),
      layers_per_tower_(static_cast<int>(model.spec.layers.size())) {
  const NetworkSpec& spec = model.spec;
  const NetworkLayout layout(spec);
  const std::size_t sets = spec.scale_sets_per_tower();

  std::size_t weight_bytes = 0;
  std::size_t transformed_count = 0;
  std::size_t scale_count = 0;
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    const LayerSpec& layer = spec.layers[l];
    const int inputs = layout.layers[l].in_channels;
    if (layout.layers[l].winograd)
      transformed_count += whole_lines<std::int16_t>(transformed_size_int8(inputs, layer.channels));
    else
      weight_bytes +=
          whole_lines<std::int8_t>(packed_size_int8(layer.window, inputs, layer.channels));
    scale_count += 2 * whole_lines<float>(sets * layer.channels);
  }
  weights_ = aligned_zeros<std::int8_t>(weight_bytes * spec.towers());
  transformed_ = aligned_zeros<std::int16_t>(transformed_count * spec.towers());
  scales_ = aligned_zeros<float>(scale_count * spec.towers());
  bytes_ = (weight_bytes + transformed_count * sizeof(std::int16_t) + scale_count * sizeof(float)) *
           spec.towers();

  Carver<std::int8_t> weight_carver(weights_.get());
  Carver<std::int16_t> transformed_carver(transformed_.get());
  Carver<float> scale_carver(scales_.get());
  std::vector<std::int8_t> plain;
  for (int t = 0; t < spec.towers(); ++t) {
    const float* const tower = model.parameters.data() + t * layout.tower_parameters;
    for (std::size_t l = 0; l < spec.layers.size(); ++l) {
      const NetworkLayout::Layer& at = layout.layers[l];
      const std::size_t channels = spec.layers[l].channels;
      const int window = spec.layers[l].window;
      const std::size_t count = at.scale - at.weights;
      const float* const from = tower + at.weights;

      std::vector<float> step(channels, 0.0f);
      for (std::size_t i = 0; i < count; ++i)
        step[i % channels] = std::max(step[i % channels], std::fabs(from[i]) / kSteps);
      for (float& s : step)
        if (s == 0) s = 1;  // all weights are zero
      plain.resize(count);
      for (std::size_t i = 0; i < count; ++i)
        plain[i] = static_cast<std::int8_t>(steps_of(from[i], step[i % channels]));
      const int out = static_cast<int>(channels);
      std::int8_t* weights = nullptr;
      std::int16_t* transformed = nullptr;
      if (at.winograd) {
        transformed = transformed_carver.take(transformed_size_int8(at.in_channels, out));
        transform_weights_int8(plain.data(), at.in_channels, out, transformed);
      } else {
        weights = weight_carver.take(packed_size_int8(window, at.in_channels, out));
        pack_weights_int8(plain.data(), window, at.in_channels, out, weights);
      }

      float* const scale = scale_carver.take(sets * channels);
      float* const bias = scale_carver.take(sets * channels);
      for (std::size_t set = 0; set < sets; ++set) {
        // Sets are widths, or there is one of them and the ranges are the towers'.
        const float* const ranges =
            model.activation_max.data() + 1 + (set + t) * spec.layers.size();
        const float in_step = (l == 0 ? model.activation_max[0] : ranges[l - 1]) / kSteps;
        const float out_step = l + 1 < spec.layers.size() ? ranges[l] / kSteps : 1.0f;
        for (std::size_t c = 0; c < channels; ++c) {
          scale[set * channels + c] =
              tower[at.scale + set * channels + c] * step[c] * in_step / out_step;
          bias[set * channels + c] = tower[at.bias + set * channels + c] / out_step;
        }
      }
      layers_.push_back({weights, transformed, scale, bias});
    }
  }
}

const float* QuantizedWeights::scale(int layer, int tower, int width) const {
  return at(layer, tower).scale + set_offset(set_stride_[layer], width);
}

const float* QuantizedWeights::bias(int layer, int tower, int width) const {
  return at(layer, tower).bias + set_offset(set_stride_[layer], width);
}

}  // namespace flyball
