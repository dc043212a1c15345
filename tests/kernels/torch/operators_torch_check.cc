// The operators and the whole network against LibTorch's own. The only file that includes LibTorch.
#include <torch/torch.h>
// glog, which LibTorch pulls in, defines this too.
#undef CHECK
#include <gtest/gtest.h>

#include <vector>

#include "kernels/dnn/network.h"
#include "kernels/dnn/workspace.h"
#include "kernels/ops/operators.h"

namespace flyball {
namespace {

namespace F = torch::nn::functional;
constexpr float kTolerance = 1e-4f;

std::vector<float> values(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

/// [1, C, H, W] to [H][W][C].
std::vector<float> to_nhwc(const torch::Tensor& tensor) {
  return values(tensor.permute({0, 2, 3, 1}));
}

/// Torch's [output][input][row][column] to this project's [row][column][input][output].
std::vector<float> to_hwio(const torch::Tensor& weights) {
  return values(weights.permute({2, 3, 1, 0}));
}

void expect_near(const std::vector<float>& ours, const std::vector<float>& theirs) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) ASSERT_NEAR(ours[i], theirs[i], kTolerance) << i;
}

class OperatorsAgainstTorch : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    torch::set_num_threads(1);
    torch::manual_seed(7);
    std::string why;
    operators_ = find_operators(GetParam(), &why);
    if (!operators_) GTEST_SKIP() << why;
  }
  const Operators* operators_ = nullptr;
};

TEST_P(OperatorsAgainstTorch, GroupedConvolution) {
  struct Case {
    int size, in, out, groups, window, stride, pad;
  };
  for (const Case& c :
       {Case{9, 8, 24, 4, 3, 1, 1}, Case{32, 3, 16, 1, 5, 1, 2}, Case{11, 6, 10, 2, 3, 2, 1},
        Case{8, 24, 40, 1, 3, 1, 0}, Case{7, 4, 4, 4, 5, 2, 2}, Case{6, 2, 33, 1, 1, 1, 0}}) {
    SCOPED_TRACE(testing::Message()
                 << c.size << " px, " << c.in << " -> " << c.out << " in " << c.groups
                 << ", window " << c.window << " stride " << c.stride << " pad " << c.pad);
    const torch::Tensor in = torch::randn({1, c.in, c.size, c.size});
    const torch::Tensor weights = torch::randn({c.out, c.in / c.groups, c.window, c.window}) * 0.2;
    const torch::Tensor scale = torch::rand({c.out}) + 0.5;
    const torch::Tensor bias = torch::randn({c.out});
    const torch::Tensor theirs =
        F::conv2d(in, weights,
                  F::Conv2dFuncOptions().stride(c.stride).padding(c.pad).groups(c.groups)) *
            scale.view({1, -1, 1, 1}) +
        bias.view({1, -1, 1, 1});

    const std::vector<float> ours_in = to_nhwc(in);
    const int group_in = c.in / c.groups, group_out = c.out / c.groups;
    const std::size_t group_weights = packed_size(c.window, group_in, group_out);
    std::vector<float> ours_weights(c.groups * group_weights);
    for (int g = 0; g < c.groups; ++g)
      pack_weights(to_hwio(weights.chunk(c.groups, 0)[g]).data(), c.window, group_in, group_out,
                   &ours_weights[g * group_weights]);
    const std::vector<float> ours_scale = values(scale), ours_bias = values(bias);
    const int out_size = output_size(c.size, c.window, c.stride, c.pad);
    std::vector<float> out(std::size_t(out_size) * out_size * c.out);
    Convolution op;
    op.in = dense_image(ours_in.data(), c.size, c.size, c.in);
    op.out = dense_image(out.data(), out_size, out_size, c.out);
    op.weights = ours_weights.data();
    op.weight_inputs = c.in;
    op.weight_outputs = c.out;
    op.scale = ours_scale.data();
    op.bias = ours_bias.data();
    op.window = c.window;
    op.stride = c.stride;
    op.pad = c.pad;
    grouped_convolution(*operators_, op, c.groups);
    expect_near(out, to_nhwc(theirs));
    op.relu = true;
    grouped_convolution(*operators_, op, c.groups);
    expect_near(out, to_nhwc(torch::relu(theirs)));
  }
}

TEST_P(OperatorsAgainstTorch, MinimalFiltering) {
  struct Case {
    int size, in, out;
  };
  for (const Case& c : {Case{16, 16, 24}, Case{8, 24, 16}, Case{4, 128, 40}, Case{10, 8, 11}}) {
    SCOPED_TRACE(testing::Message() << c.size << " px, " << c.in << " -> " << c.out);
    // Zeros around it: the border lies in memory.
    const torch::Tensor in =
        F::pad(torch::randn({1, c.in, c.size, c.size}), F::PadFuncOptions({1, 1, 1, 1}));
    const torch::Tensor weights = torch::randn({c.out, c.in, 3, 3}) * 0.1;
    const torch::Tensor bias = torch::randn({c.out});
    const std::vector<float> ours_in = to_nhwc(in), ours_bias = values(bias);
    std::vector<float> transformed(transformed_size(c.in, c.out));
    transform_weights(to_hwio(weights).data(), c.in, c.out, transformed.data());
    std::vector<float> out(std::size_t(c.size) * c.size * c.out);
    ASSERT_TRUE(winograd_fits(3, 1, c.size, c.in));
    Convolution op;
    op.in = dense_image(ours_in.data(), c.size + 2, c.size + 2, c.in);
    op.out = dense_image(out.data(), c.size, c.size, c.out);
    op.weights = transformed.data();
    op.weight_inputs = c.in;
    op.weight_outputs = c.out;
    op.bias = ours_bias.data();
    op.window = 3;
    operators_->winograd(op, 0, c.size);
    expect_near(out, to_nhwc(F::conv2d(in, weights, F::Conv2dFuncOptions().bias(bias))));
  }
}

TEST_P(OperatorsAgainstTorch, DepthwiseConvolution) {
  struct Case {
    int size, channels, window, stride, pad;
  };
  for (const Case& c :
       {Case{16, 24, 3, 1, 1}, Case{9, 5, 5, 2, 2}, Case{7, 33, 3, 2, 0}, Case{6, 16, 1, 1, 0}}) {
    SCOPED_TRACE(testing::Message() << c.size << " px, " << c.channels << " channels, window "
                                    << c.window << " stride " << c.stride << " pad " << c.pad);
    const torch::Tensor in = torch::randn({1, c.channels, c.size, c.size});
    const torch::Tensor weights = torch::randn({c.channels, 1, c.window, c.window}) * 0.3;
    const torch::Tensor scale = torch::rand({c.channels}) + 0.5;
    const torch::Tensor bias = torch::randn({c.channels});
    const torch::Tensor theirs = torch::relu(
        F::conv2d(in, weights,
                  F::Conv2dFuncOptions().stride(c.stride).padding(c.pad).groups(c.channels)) *
            scale.view({1, -1, 1, 1}) +
        bias.view({1, -1, 1, 1}));
    const std::vector<float> ours_in = to_nhwc(in), ours_weights = to_hwio(weights);
    const std::vector<float> ours_scale = values(scale), ours_bias = values(bias);
    const int out_size = output_size(c.size, c.window, c.stride, c.pad);
    std::vector<float> out(std::size_t(out_size) * out_size * c.channels);
    DepthwiseConvolution op;
    op.in = dense_image(ours_in.data(), c.size, c.size, c.channels);
    op.out = dense_image(out.data(), out_size, out_size, c.channels);
    op.weights = ours_weights.data();
    op.weight_channels = c.channels;
    op.scale = ours_scale.data();
    op.bias = ours_bias.data();
    op.window = c.window;
    op.stride = c.stride;
    op.pad = c.pad;
    op.relu = true;
    operators_->depthwise(op, 0, out_size);
    expect_near(out, to_nhwc(theirs));
  }
}

TEST_P(OperatorsAgainstTorch, Pooling) {
  struct Case {
    int size, channels, window, stride, pad;
  };
  for (const Case& c :
       {Case{32, 16, 3, 2, 1}, Case{9, 5, 2, 2, 0}, Case{8, 24, 4, 2, 0}, Case{7, 9, 3, 1, 1}}) {
    const torch::Tensor in = torch::randn({1, c.channels, c.size, c.size}) - 2;
    const std::vector<float> data = to_nhwc(in);
    const int out_size = output_size(c.size, c.window, c.stride, c.pad);
    std::vector<float> out(std::size_t(out_size) * out_size * c.channels);
    const Pooling op{dense_image(data.data(), c.size, c.size, c.channels),
                     dense_image(out.data(), out_size, out_size, c.channels), c.window, c.stride,
                     c.pad};
    operators_->max_pooling(op, 0, out_size);
    expect_near(out, to_nhwc(F::max_pool2d(
                         in, F::MaxPool2dFuncOptions(c.window).stride(c.stride).padding(c.pad))));
    operators_->average_pooling(op, 0, out_size);
    expect_near(out, to_nhwc(F::avg_pool2d(
                         in, F::AvgPool2dFuncOptions(c.window).stride(c.stride).padding(c.pad))));
  }
}

TEST_P(OperatorsAgainstTorch, FullyConnectedReluScaleBiasSoftmax) {
  const torch::Tensor in = torch::randn({1, 144});
  const torch::Tensor weights = torch::randn({10, 144}) * 0.2;
  const torch::Tensor bias = torch::randn({10});
  std::vector<float> out(10);
  const std::vector<float> x = values(in), w = values(weights.t()), b = values(bias);
  operators_->fully_connected(x.data(), 144, w.data(), b.data(), out.data(), 10);
  const torch::Tensor logits = F::linear(in, weights, bias);
  expect_near(out, values(logits));
  operators_->softmax(out.data(), out.data(), 10);
  expect_near(out, values(torch::softmax(logits, 1)));

  std::vector<float> rectified = x;
  operators_->relu(rectified.data(), 144);
  expect_near(rectified, values(torch::relu(in)));

  const torch::Tensor image = torch::randn({1, 6, 5, 5});
  const torch::Tensor scale = torch::randn({6}), shift = torch::randn({6});
  std::vector<float> ours = to_nhwc(image);
  operators_->scale_bias(dense_image(ours.data(), 5, 5, 6), values(scale).data(),
                         values(shift).data());
  expect_near(ours, to_nhwc(image * scale.view({1, -1, 1, 1}) + shift.view({1, -1, 1, 1})));
}

/// The network written with LibTorch's operators from the same parameters: all towers of a grouped
/// one as one grouped convolution, the first channels of a slimmable one.
torch::Tensor torch_network(const Model& model, int width, torch::Tensor x) {
  const NetworkSpec& spec = model.spec;
  const NetworkLayout layout(spec);
  const int towers = spec.active_towers(width);
  const int set = spec.scale_sets_per_tower() == 1 ? 0 : width;
  const auto gather = [&](std::size_t offset, at::IntArrayRef shape) {
    std::vector<torch::Tensor> parts;
    for (int t = 0; t < towers; ++t)
      parts.push_back(torch::from_blob(
          const_cast<float*>(model.parameters.data() + t * layout.tower_parameters + offset),
          shape));
    return parts;
  };
  x = x.repeat({1, towers, 1, 1});
  int inputs = spec.image_channels;
  for (std::size_t l = 0; l < spec.layers.size(); ++l) {
    const LayerSpec& layer = spec.layers[l];
    const NetworkLayout::Layer& at = layout.layers[l];
    const int outputs = spec.active_channels(layer.channels, width);
    std::vector<torch::Tensor> weights =
        gather(at.weights, {layer.window, layer.window, at.in_channels, layer.channels});
    for (torch::Tensor& w : weights)
      w = w.slice(2, 0, inputs).slice(3, 0, outputs).permute({3, 2, 0, 1});
    x = F::conv2d(x, torch::cat(weights, 0).contiguous(),
                  F::Conv2dFuncOptions().stride(layer.stride).padding(layer.pad).groups(towers));
    const std::size_t skip = std::size_t(set) * layer.channels;
    x = torch::relu(x * torch::cat(gather(at.scale + skip, {outputs})).view({1, -1, 1, 1}) +
                    torch::cat(gather(at.bias + skip, {outputs})).view({1, -1, 1, 1}));
    if (layer.pool == LayerSpec::Pool::kMax)
      x = F::max_pool2d(x, F::MaxPool2dFuncOptions(layer.pool_window)
                               .stride(layer.pool_stride)
                               .padding(layer.pool_pad));
    if (layer.pool == LayerSpec::Pool::kAverage)
      x = F::avg_pool2d(x, F::AvgPool2dFuncOptions(layer.pool_window)
                               .stride(layer.pool_stride)
                               .padding(layer.pool_pad));
    inputs = outputs;
  }
  torch::Tensor logits =
      torch::from_blob(
          const_cast<float*>(model.parameters.data() + layout.class_bias + width * spec.classes),
          {spec.classes})
          .clone();
  const std::vector<torch::Tensor> features = x.chunk(towers, 1);
  const int channels = spec.layers.back().channels;
  const std::vector<torch::Tensor> classifier =
      gather(layout.classifier, {layout.features / channels, channels, spec.classes});
  for (int t = 0; t < towers; ++t)
    logits += torch::matmul(features[t].permute({0, 2, 3, 1}).reshape({1, -1}),
                            classifier[t].slice(1, 0, inputs).reshape({-1, spec.classes}))[0];
  return logits;
}

TEST_P(OperatorsAgainstTorch, NetworkAtEveryWidth) {
  for (const NetworkSpec& spec : {modified_alexnet(), slimmable_alexnet(), plain_cifar_network()}) {
    Model model = seeded_model(spec, 11);
    // Scales and biases that matter, and a bias of its own for each width.
    const NetworkLayout layout(spec);
    for (int t = 0; t < spec.towers(); ++t)
      for (std::size_t l = 0; l < spec.layers.size(); ++l) {
        float* const tower = model.parameters.data() + t * layout.tower_parameters;
        const int count = static_cast<int>(layout.layers[l].bias - layout.layers[l].scale);
        for (int c = 0; c < count; ++c) {
          tower[layout.layers[l].scale + c] = 0.7f + 0.05f * static_cast<float>(c % 24);
          tower[layout.layers[l].bias + c] = 0.02f * static_cast<float>(c % 24 - 8 + t);
        }
      }
    for (std::size_t i = layout.class_bias; i < layout.parameters; ++i)
      model.parameters[i] = 0.1f * static_cast<float>(i - layout.class_bias);
    Network network(model);
    network.set_operators(operators_);
    Workspace workspace(spec);
    for (int width = 0; width < network.widths(); ++width) {
      const torch::Tensor image = torch::rand({1, 3, 32, 32}) * 2 - 1;
      std::vector<float> logits(10);
      ASSERT_TRUE(network.infer(workspace, width, Precision::kFloat32, to_nhwc(image), logits));
      expect_near(logits, values(torch_network(model, width, image)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OperatorsAgainstTorch,
                         testing::Values("reference", "portable", "avx2", "avx512", "neon"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace flyball
