#include "kernels/training/tower.h"

#include <torch/nn/init.h>
#include <torch/types.h>

#include <algorithm>
#include <string>

namespace flyball {
namespace {

constexpr double kEpsilon = 1e-5;  // added to a variance
constexpr double kMomentum = 0.1;  // of the running statistics

void copy_out(const torch::Tensor& tensor, float* to) {
  const torch::Tensor dense = tensor.contiguous();
  std::copy_n(dense.data_ptr<float>(), dense.numel(), to);
}

}  // namespace

Tower::Tower(const NetworkSpec& spec) : spec_(spec), layout_(spec) {
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    const LayerSpec& layer = spec.layers[l];
    const std::string name = "layer" + std::to_string(l);
    torch::Tensor kernel = register_parameter(
        name,
        torch::empty({layer.channels, layout_.layers[l].in_channels, layer.window, layer.window}));
    torch::nn::init::kaiming_normal_(kernel, 0, torch::kFanOut, torch::kReLU);
    kernels_.push_back(kernel);
    std::vector<Norm>& sets = norms_.emplace_back();
    for (int s = 0; s < spec.scale_sets_per_tower(); ++s) {
      const std::string set = name + "_set" + std::to_string(s);
      const int n = spec.active_channels(layer.channels, s);
      sets.push_back({register_parameter(set + "_weight", torch::ones(n)),
                      register_parameter(set + "_bias", torch::zeros(n)),
                      register_buffer(set + "_mean", torch::zeros(n)),
                      register_buffer(set + "_variance", torch::ones(n))});
    }
  }
  const int side = layout_.layers.back().out_size;
  classifier_ = register_parameter(
      "classifier", torch::empty({spec.classes, spec.layers.back().channels, side, side}));
  torch::nn::init::kaiming_uniform_(classifier_, 1.0);
  class_bias_ =
      register_parameter("class_bias", torch::zeros({spec.scale_sets_per_tower(), spec.classes}));
}

torch::Tensor Tower::forward(torch::Tensor x, int width) {
  const int set = spec_.scale_sets_per_tower() == 1 ? 0 : width;
  for (std::size_t l = 0; l < spec_.layers.size(); ++l) {
    const LayerSpec& layer = spec_.layers[l];
    const torch::Tensor kernel = kernels_[l]
                                     .narrow(0, 0, spec_.active_channels(layer.channels, width))
                                     .narrow(1, 0, x.size(1));
    const Norm& norm = norms_[l][set];
    x = torch::conv2d(x, kernel, {}, layer.stride, layer.pad);
    x = torch::batch_norm(x, norm.weight, norm.bias, norm.mean, norm.variance, is_training(),
                          kMomentum, kEpsilon, false);
    x = torch::relu_(x);
    if (layer.pool == LayerSpec::Pool::kMax)
      x = torch::max_pool2d(x, layer.pool_window, layer.pool_stride, layer.pool_pad);
    if (layer.pool == LayerSpec::Pool::kAverage)
      x = torch::avg_pool2d(x, layer.pool_window, layer.pool_stride, layer.pool_pad);
  }
  const torch::Tensor classifier = classifier_.narrow(1, 0, x.size(1));
  return torch::linear(x.flatten(1), classifier.flatten(1), class_bias_[set]);
}

std::vector<torch::Tensor> Tower::weights() const {
  std::vector<torch::Tensor> tensors = kernels_;
  tensors.push_back(classifier_);
  return tensors;
}

std::vector<torch::Tensor> Tower::others() const {
  std::vector<torch::Tensor> tensors = {class_bias_};
  for (const std::vector<Norm>& sets : norms_)
    for (const Norm& norm : sets) tensors.insert(tensors.end(), {norm.weight, norm.bias});
  return tensors;
}

void Tower::copy_from(const Tower& other) {
  torch::NoGradGuard no_grad;
  const auto copy = [](std::vector<torch::Tensor> to, const std::vector<torch::Tensor>& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i].copy_(from[i]);
  };
  copy(parameters(), other.parameters());
  copy(buffers(), other.buffers());
}

void Tower::write(std::span<float> into) const {
  torch::NoGradGuard no_grad;
  for (std::size_t l = 0; l < spec_.layers.size(); ++l) {
    const NetworkLayout::Layer& at = layout_.layers[l];
    copy_out(kernels_[l].permute({2, 3, 1, 0}), &into[at.weights]);
    const std::size_t channels = spec_.layers[l].channels;
    for (std::size_t s = 0; s < norms_[l].size(); ++s) {
      const Norm& norm = norms_[l][s];
      const torch::Tensor scale = norm.weight / torch::sqrt(norm.variance + kEpsilon);
      copy_out(scale, &into[at.scale + s * channels]);
      copy_out(norm.bias - norm.mean * scale, &into[at.bias + s * channels]);
    }
  }
  copy_out(classifier_.permute({2, 3, 1, 0}), &into[layout_.classifier]);
}

}  // namespace flyball
