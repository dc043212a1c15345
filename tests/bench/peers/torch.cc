// LibTorch: eager in its two layouts, and as a frozen, optimised TorchScript module.
#include "tests/bench/peers/torch.h"

#include <fmt/format.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>

namespace flyball::bench {
namespace {

/// [out][rows][columns][in] of the flat network to [out][in][rows][columns].
torch::Tensor weights_of(const FlatLayer& layer) {
  const bool linear = layer.kind == FlatLayer::Kind::kLinear;
  const std::int64_t in = layer.in_channels / layer.groups;
  const std::int64_t window = linear ? layer.in_size : layer.window;
  return torch::tensor(layer.weights)
      .reshape({layer.out_channels, window, window, in})
      .permute({0, 3, 1, 2})
      .contiguous();
}

torch::Tensor image_of(std::span<const float> image, int size, int channels,
                       torch::MemoryFormat format) {
  return torch::tensor(std::vector<float>(image.begin(), image.end()))
      .reshape({1, size, size, channels})
      .permute({0, 3, 1, 2})
      .contiguous(format);
}

class TorchContender : public Contender {
 public:
  TorchContender(const FlatNetwork& network, torch::MemoryFormat format)
      : network_(network), format_(format) {
    torch::set_num_threads(1);
    for (FlatLayer& layer : network_.layers) {
      torch::Tensor weights, bias;
      if (!layer.weights.empty()) {
        weights = weights_of(layer);
        bias = torch::tensor(layer.bias);
        // A linear layer sees its input flattened in logical order: channel, row, column.
        weights = layer.kind == FlatLayer::Kind::kLinear
                      ? weights.reshape({layer.out_channels, -1}).contiguous()
                      : weights.contiguous(format);
      }
      weights_.push_back(weights);
      biases_.push_back(bias);
    }
  }

  void load(std::span<const float> image) override {
    image_ = image_of(image, network_.image_size, network_.image_channels, format_);
  }
  void infer(std::span<float> logits) override {
    const c10::InferenceMode guard;
    torch::Tensor x = image_;
    for (std::size_t l = 0; l < network_.layers.size(); ++l) {
      const FlatLayer& layer = network_.layers[l];
      switch (layer.kind) {
        case FlatLayer::Kind::kConvolution:
          x = torch::conv2d(x, weights_[l], biases_[l], layer.stride, layer.pad, 1, layer.groups);
          if (layer.relu) x.relu_();
          break;
        case FlatLayer::Kind::kMaxPooling:
          x = torch::max_pool2d(x, layer.window, layer.stride, layer.pad);
          break;
        case FlatLayer::Kind::kAveragePooling:
          x = torch::avg_pool2d(x, layer.window, layer.stride, layer.pad);
          break;
        case FlatLayer::Kind::kLinear:
          x = torch::linear(x.flatten(1), weights_[l], biases_[l]);
          break;
      }
    }
    std::copy_n(x.data_ptr<float>(), logits.size(), logits.begin());
  }

 private:
  FlatNetwork network_;
  const torch::MemoryFormat format_;
  torch::Tensor image_;
  std::vector<torch::Tensor> weights_, biases_;
};

/// As TorchScript.
std::string statement(const FlatLayer& layer, std::size_t l) {
  const int window = layer.window, stride = layer.stride, pad = layer.pad;
  switch (layer.kind) {
    case FlatLayer::Kind::kConvolution:
      return fmt::format(
          "    x = torch.conv2d(x, self.w{0}, self.b{0}, [{1}, {1}], [{2}, {2}], [1, 1], {3})\n{4}",
          l, stride, pad, layer.groups, layer.relu ? "    x = torch.relu(x)\n" : "");
    case FlatLayer::Kind::kMaxPooling:
      return fmt::format(
          "    x = torch.max_pool2d(x, [{0}, {0}], [{1}, {1}], [{2}, {2}], [1, 1], False)\n",
          window, stride, pad);
    case FlatLayer::Kind::kAveragePooling:
      return fmt::format(
          "    x = torch.avg_pool2d(x, [{0}, {0}], [{1}, {1}], [{2}, {2}], False, True, None)\n",
          window, stride, pad);
    case FlatLayer::Kind::kLinear:
      return fmt::format("    x = torch.linear(torch.flatten(x, 1, -1), self.w{0}, self.b{0})\n",
                         l);
  }
  return {};
}

class ScriptContender : public Contender {
 public:
  ScriptContender(const FlatNetwork& network, torch::MemoryFormat format)
      : size_(network.image_size), channels_(network.image_channels), format_(format) {
    torch::set_num_threads(1);
    torch::jit::script::Module module("network");
    std::string body = "def forward(self, x):\n";
    for (std::size_t l = 0; l < network.layers.size(); ++l) {
      const FlatLayer& layer = network.layers[l];
      if (!layer.weights.empty()) {
        torch::Tensor weights = weights_of(layer);
        weights = layer.kind == FlatLayer::Kind::kLinear
                      ? weights.reshape({layer.out_channels, -1}).contiguous()
                      : weights.contiguous(format);
        module.register_parameter(fmt::format("w{}", l), weights, false);
        module.register_parameter(fmt::format("b{}", l), torch::tensor(layer.bias), false);
      }
      body += statement(layer, l);
    }
    module.define(body + "    return x\n");
    module.eval();
    module_ = torch::jit::optimize_for_inference(module);
  }

  void load(std::span<const float> image) override {
    input_ = {image_of(image, size_, channels_, format_)};
    // The profiling executor optimises in its first calls.
    const c10::InferenceMode guard;
    for (int i = 0; i < 5; ++i) module_.forward(input_);
  }
  void infer(std::span<float> logits) override {
    const c10::InferenceMode guard;
    const torch::Tensor out = module_.forward(input_).toTensor();
    std::copy_n(out.data_ptr<float>(), logits.size(), logits.begin());
  }

 private:
  const int size_, channels_;
  const torch::MemoryFormat format_;
  torch::jit::script::Module module_;
  std::vector<torch::IValue> input_;
};

template <class Kind, torch::MemoryFormat kFormat>
std::unique_ptr<Contender> make(const FlatNetwork& network) {
  return std::make_unique<Kind>(network, kFormat);
}

}  // namespace

std::vector<Variant> torch_variants() {
  using Format = torch::MemoryFormat;
  return {{"torch/nchw", make<TorchContender, Format::Contiguous>},
          {"torch/nhwc", make<TorchContender, Format::ChannelsLast>},
          {"torch/jit_nchw", make<ScriptContender, Format::Contiguous>},
          {"torch/jit_nhwc", make<ScriptContender, Format::ChannelsLast>}};
}

}  // namespace flyball::bench
