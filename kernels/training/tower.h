#pragma once

#include <torch/nn/module.h>

#include <span>
#include <vector>

#include "kernels/dnn/network_spec.h"

namespace flyball {

/// One tower of a dynamic-width network as LibTorch trains it, with batch normalisation. A grouped
/// network has `widths` of them; a slimmable one has one, whose widths use the first channels of
/// each layer and statistics of their own.
class Tower : public torch::nn::Module {
 public:
  explicit Tower(const NetworkSpec& spec);  ///< weights from torch's generator

  /// Images [n][channel][row][column] to [n][class]: what the tower says plus the class bias. In
  /// training mode batch normalisation uses, and learns, the statistics of the batch.
  torch::Tensor forward(torch::Tensor images, int width);

  /// Makes all that is learned equal.
  void copy_from(const Tower& other);
  /// The tower's parameters as NetworkLayout orders them, batch normalisation folded into scale
  /// and bias. `into` has NetworkLayout::tower_parameters values.
  void write(std::span<float> into) const;
  /// [bias][class]: one bias (grouped), or one per width (slimmable).
  torch::Tensor class_bias() const { return class_bias_; }
  /// What weight decay is for: kernels and classifier, not the few values of batch normalisation.
  std::vector<torch::Tensor> weights() const;
  std::vector<torch::Tensor> others() const;

 private:
  struct Norm {  // of one layer and one set
    torch::Tensor weight, bias, mean, variance;
  };
  NetworkSpec spec_;
  NetworkLayout layout_;
  std::vector<torch::Tensor> kernels_;    // [layer]: [out][in][row][column]
  std::vector<std::vector<Norm>> norms_;  // [layer][set]
  torch::Tensor classifier_;              // [class][channel][row][column]
  torch::Tensor class_bias_;
};

}  // namespace flyball
