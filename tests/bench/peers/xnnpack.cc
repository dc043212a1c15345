// XNNPACK's NHWC operators: weights packed when created, set up once, run many times.
#include "tests/bench/peers/xnnpack.h"

#include <xnnpack.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace flyball::bench {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

void check(xnn_status status) {
  if (status == xnn_status_unsupported_hardware)
    throw Unavailable("XNNPACK has no operators for this machine");
  if (status != xnn_status_success)
    throw std::runtime_error("XNNPACK refused an operator: status " + std::to_string(status));
}

class XnnpackContender : public Contender {
 public:
  explicit XnnpackContender(const FlatNetwork& network) {
    check(xnn_initialize(nullptr));
    // Operators may read XNN_EXTRA_BYTES beyond the end.
    const auto buffer = [this](std::size_t values) {
      return &buffers_.emplace_back(values + XNN_EXTRA_BYTES / sizeof(float));
    };
    buffers_.reserve(network.layers.size() + 1);
    std::vector<float>* in = buffer(network.image_values());
    for (const FlatLayer& layer : network.layers) {
      std::vector<float>* out =
          buffer(std::size_t(layer.out_size) * layer.out_size * layer.out_channels);
      operators_.push_back(make(layer, in->data(), out->data()));
      in = out;
    }
  }
  ~XnnpackContender() override {
    for (xnn_operator_t op : operators_) xnn_delete_operator(op);
  }

  void load(std::span<const float> image) override {
    std::copy(image.begin(), image.end(), buffers_.front().begin());
  }
  void infer(std::span<float> logits) override {
    for (xnn_operator_t op : operators_) xnn_run_operator(op, nullptr);
    std::copy_n(buffers_.back().begin(), logits.size(), logits.begin());
  }

 private:
  static xnn_operator_t make(const FlatLayer& layer, const float* in, float* out) {
    const std::size_t channels = layer.in_channels;
    const int size = layer.in_size;
    xnn_operator_t op = nullptr;
    switch (layer.kind) {
      case FlatLayer::Kind::kConvolution:
        check(xnn_create_convolution2d_nhwc_f32(
            layer.pad, layer.pad, layer.pad, layer.pad, layer.window, layer.window, layer.stride,
            layer.stride, 1, 1, layer.groups, channels / layer.groups,
            layer.out_channels / layer.groups, channels, layer.out_channels, layer.weights.data(),
            layer.bias.data(), layer.relu ? 0.0f : -kInfinity, kInfinity, 0, &op));
        check(xnn_setup_convolution2d_nhwc_f32(op, 1, size, size, in, out, nullptr));
        break;
      case FlatLayer::Kind::kMaxPooling:
        check(xnn_create_max_pooling2d_nhwc_f32(
            layer.pad, layer.pad, layer.pad, layer.pad, layer.window, layer.window, layer.stride,
            layer.stride, 1, 1, channels, channels, channels, -kInfinity, kInfinity, 0, &op));
        check(xnn_setup_max_pooling2d_nhwc_f32(op, 1, size, size, in, out, nullptr));
        break;
      case FlatLayer::Kind::kAveragePooling:
        if (layer.out_size == 1) {
          check(xnn_create_global_average_pooling_nwc_f32(channels, channels, channels, -kInfinity,
                                                          kInfinity, 0, &op));
          check(xnn_setup_global_average_pooling_nwc_f32(op, 1, std::size_t(size) * size, in, out,
                                                         nullptr));
        } else {
          check(xnn_create_average_pooling2d_nhwc_f32(
              layer.pad, layer.pad, layer.pad, layer.pad, layer.window, layer.window, layer.stride,
              layer.stride, channels, channels, channels, -kInfinity, kInfinity, 0, &op));
          check(xnn_setup_average_pooling2d_nhwc_f32(op, 1, size, size, in, out, nullptr));
        }
        break;
      case FlatLayer::Kind::kLinear: {
        const std::size_t inputs = channels * size * size;
        check(xnn_create_fully_connected_nc_f32(inputs, layer.out_channels, inputs,
                                                layer.out_channels, layer.weights.data(),
                                                layer.bias.data(), -kInfinity, kInfinity, 0, &op));
        check(xnn_setup_fully_connected_nc_f32(op, 1, in, out, nullptr));
        break;
      }
    }
    return op;
  }

  std::vector<std::vector<float>> buffers_;  // reserved: never moves
  std::vector<xnn_operator_t> operators_;
};

}  // namespace

std::vector<Variant> xnnpack_variants() {
  return {{"xnnpack", [](const FlatNetwork& network) -> std::unique_ptr<Contender> {
             return std::make_unique<XnnpackContender>(network);
           }}};
}

}  // namespace flyball::bench
