#include "kernels/training/tower.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "kernels/dnn/network.h"

namespace flyball {
namespace {

/// One tower with statistics, scales and biases that matter.
void live(Tower& tower, const NetworkSpec& spec) {
  torch::NoGradGuard no_grad;
  for (torch::Tensor& tensor : tower.parameters()) tensor.add_(0.1 * torch::randn_like(tensor));
  tower.train();
  for (int i = 0; i < 5; ++i)
    for (int width = 0; width < spec.widths; ++width)
      tower.forward(torch::randn({8, 3, 32, 32}) + 0.3, width);
  tower.eval();
}

std::vector<float> infer(const Model& model, int width, const torch::Tensor& image) {
  const torch::Tensor pixels = image[0].permute({1, 2, 0}).contiguous();
  Workspace workspace(model.spec);
  std::vector<float> logits(10);
  EXPECT_TRUE(Network(model).infer(workspace, width, Precision::kFloat32,
                                   {pixels.data_ptr<float>(), 3072}, logits));
  return logits;
}

void expect_near(const std::vector<float>& ours, const torch::Tensor& theirs) {
  for (int c = 0; c < 10; ++c) {
    const float expected = theirs[0][c].item<float>();
    EXPECT_NEAR(ours[c], expected, 1e-4 * std::max(1.0f, std::abs(expected))) << "class " << c;
  }
}

TEST(Tower, SlimmableWidthsAgreeWithTheNetwork) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  const NetworkSpec spec = slimmable_alexnet();
  const NetworkLayout layout(spec);
  Tower tower(spec);
  live(tower, spec);
  Model model;
  model.spec = spec;
  model.parameters.resize(layout.parameters);
  tower.write(std::span(model.parameters).first(layout.tower_parameters));
  const torch::Tensor bias = tower.class_bias().contiguous();
  ASSERT_EQ(bias.numel(), 40);
  std::copy_n(bias.data_ptr<float>(), 40, &model.parameters[layout.class_bias]);
  ASSERT_EQ(model.problem(), "");
  const torch::Tensor image = torch::randn({1, 3, 32, 32});
  for (int width = 0; width < 4; ++width)
    expect_near(infer(model, width, image), tower.forward(image, width));
}

TEST(Tower, GroupedTowersAddUpAsInTheNetwork) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(4);
  const NetworkSpec spec = modified_alexnet();
  const NetworkLayout layout(spec);
  Model model;
  model.spec = spec;
  model.parameters.resize(layout.parameters);
  const torch::Tensor image = torch::randn({1, 3, 32, 32});
  torch::Tensor sum = torch::zeros({1, 10});
  for (int t = 0; t < 4; ++t) {
    Tower tower(spec);
    live(tower, spec);
    tower.write(
        std::span(model.parameters).subspan(t * layout.tower_parameters, layout.tower_parameters));
    sum += tower.forward(image, t) - tower.class_bias();
    expect_near(infer(model, t, image), sum);
  }
}

}  // namespace
}  // namespace flyball
