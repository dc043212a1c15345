#include "tests/bench/peers/flat_network.h"

#include <algorithm>
#include <limits>

namespace flyball::bench {
namespace {

/// The parameters of the towers [begin, end), read in the order that NetworkLayout defines.
class TowerReader {
 public:
  TowerReader(const NetworkSpec& spec, std::span<const float> parameters, int begin, int end)
      : layout_(spec), parameters_(parameters), begin_(begin), end_(end) {}

  int towers() const { return end_ - begin_; }
  const float* tower(int t) const {
    return parameters_.data() + (begin_ + t) * layout_.tower_parameters;
  }
  const NetworkLayout& layout() const { return layout_; }

 private:
  const NetworkLayout layout_;
  std::span<const float> parameters_;
  int begin_, end_;
};

FlatLayer convolution(const TowerReader& reader, std::size_t l, const LayerSpec& spec) {
  const NetworkLayout::Layer& at = reader.layout().layers[l];
  const int towers = reader.towers();
  FlatLayer layer{FlatLayer::Kind::kConvolution};
  layer.in_size = at.in_size;
  layer.out_size = at.conv_size;
  layer.groups = l == 0 ? 1 : towers;
  layer.in_channels = at.in_channels * layer.groups;
  layer.out_channels = spec.channels * towers;
  layer.window = spec.window;
  layer.stride = spec.stride;
  layer.pad = spec.pad;
  layer.relu = true;
  for (int t = 0; t < towers; ++t) {
    const float* const tower = reader.tower(t);
    for (int o = 0; o < spec.channels; ++o) {
      const float scale = tower[at.scale + o];
      const int taps = spec.window * spec.window * at.in_channels;
      for (int tap = 0; tap < taps; ++tap)
        layer.weights.push_back(scale * tower[at.weights + tap * spec.channels + o]);
      layer.bias.push_back(tower[at.bias + o]);
    }
  }
  return layer;
}

FlatLayer pooling(const NetworkLayout::Layer& at, const LayerSpec& spec, int towers) {
  FlatLayer layer{spec.pool == LayerSpec::Pool::kMax ? FlatLayer::Kind::kMaxPooling
                                                     : FlatLayer::Kind::kAveragePooling};
  layer.in_size = at.conv_size;
  layer.out_size = at.out_size;
  layer.in_channels = layer.out_channels = spec.channels * towers;
  layer.window = spec.pool_window;
  layer.stride = spec.pool_stride;
  layer.pad = spec.pool_pad;
  return layer;
}

FlatLayer classifier(const TowerReader& reader, const NetworkSpec& spec) {
  const int size = reader.layout().layers.back().out_size;
  const int channels = spec.layers.back().channels;
  FlatLayer layer{FlatLayer::Kind::kLinear};
  layer.in_size = size;
  layer.in_channels = channels * reader.towers();
  layer.out_channels = spec.classes;
  for (int k = 0; k < spec.classes; ++k)
    for (int pixel = 0; pixel < size * size; ++pixel)
      for (int t = 0; t < reader.towers(); ++t)
        for (int c = 0; c < channels; ++c)
          layer.weights.push_back(reader.tower(
              t)[reader.layout().classifier + (pixel * channels + c) * spec.classes + k]);
  layer.bias.assign(spec.classes, 0.0f);
  return layer;
}

FlatNetwork flatten_towers(const NetworkSpec& spec, std::span<const float> parameters, int begin,
                           int end) {
  const TowerReader reader(spec, parameters, begin, end);
  FlatNetwork network{spec.image_size, spec.image_channels, spec.classes, {}};
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    network.layers.push_back(convolution(reader, l, spec.layers[l]));
    if (spec.layers[l].pool != LayerSpec::Pool::kNone)
      network.layers.push_back(pooling(reader.layout().layers[l], spec.layers[l], end - begin));
  }
  network.layers.push_back(classifier(reader, spec));
  return network;
}

void add_class_bias(const NetworkSpec& spec, std::span<const float> parameters, int width,
                    FlatNetwork& network) {
  const NetworkLayout layout(spec);
  for (int k = 0; k < spec.classes; ++k)
    network.layers.back().bias[k] = parameters[layout.class_bias + width * spec.classes + k];
}

using Values = std::vector<double>;

Values convolve(const FlatLayer& layer, const Values& in) {
  const int group_in = layer.in_channels / layer.groups;
  const int group_out = layer.out_channels / layer.groups;
  Values out;
  for (int row = 0; row < layer.out_size; ++row)
    for (int column = 0; column < layer.out_size; ++column)
      for (int o = 0; o < layer.out_channels; ++o) {
        double sum = layer.bias[o];
        const float* weight =
            &layer.weights[std::size_t(o) * layer.window * layer.window * group_in];
        for (int wr = 0; wr < layer.window; ++wr)
          for (int wc = 0; wc < layer.window; ++wc, weight += group_in) {
            const int r = row * layer.stride + wr - layer.pad;
            const int c = column * layer.stride + wc - layer.pad;
            if (r < 0 || r >= layer.in_size || c < 0 || c >= layer.in_size) continue;
            const double* from =
                &in[(r * layer.in_size + c) * layer.in_channels + o / group_out * group_in];
            for (int i = 0; i < group_in; ++i) sum += from[i] * weight[i];
          }
        out.push_back(layer.relu ? std::max(sum, 0.0) : sum);
      }
  return out;
}

Values pool(const FlatLayer& layer, const Values& in) {
  const bool max = layer.kind == FlatLayer::Kind::kMaxPooling;
  Values out;
  for (int row = 0; row < layer.out_size; ++row)
    for (int column = 0; column < layer.out_size; ++column)
      for (int channel = 0; channel < layer.in_channels; ++channel) {
        double best = -std::numeric_limits<double>::infinity(), sum = 0;
        for (int wr = 0; wr < layer.window; ++wr)
          for (int wc = 0; wc < layer.window; ++wc) {
            const int r = row * layer.stride + wr - layer.pad;
            const int c = column * layer.stride + wc - layer.pad;
            if (r < 0 || r >= layer.in_size || c < 0 || c >= layer.in_size) continue;
            const double value = in[(r * layer.in_size + c) * layer.in_channels + channel];
            best = std::max(best, value);
            sum += value;
          }
        out.push_back(max ? best : sum / (layer.window * layer.window));
      }
  return out;
}

Values multiply(const FlatLayer& layer, const Values& in) {
  Values out;
  for (int o = 0; o < layer.out_channels; ++o) {
    double sum = layer.bias[o];
    for (std::size_t i = 0; i < in.size(); ++i) sum += in[i] * layer.weights[o * in.size() + i];
    out.push_back(sum);
  }
  return out;
}

}  // namespace

FlatNetwork flatten(const NetworkSpec& spec, std::span<const float> parameters, int width) {
  FlatNetwork network = flatten_towers(spec, parameters, 0, width + 1);
  add_class_bias(spec, parameters, width, network);
  return network;
}

std::vector<FlatNetwork> split(const NetworkSpec& spec, std::span<const float> parameters,
                               int width) {
  std::vector<FlatNetwork> towers;
  for (int t = 0; t <= width; ++t) towers.push_back(flatten_towers(spec, parameters, t, t + 1));
  add_class_bias(spec, parameters, width, towers.front());
  return towers;
}

std::vector<float> infer_plainly(const FlatNetwork& network, std::span<const float> image) {
  Values values(image.begin(), image.end());
  for (const FlatLayer& layer : network.layers) {
    switch (layer.kind) {
      case FlatLayer::Kind::kConvolution:
        values = convolve(layer, values);
        break;
      case FlatLayer::Kind::kMaxPooling:
      case FlatLayer::Kind::kAveragePooling:
        values = pool(layer, values);
        break;
      case FlatLayer::Kind::kLinear:
        values = multiply(layer, values);
        break;
    }
  }
  return {values.begin(), values.end()};
}

}  // namespace flyball::bench
