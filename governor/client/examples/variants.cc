// A program with LibTorch that has three networks for one task and lets the governor choose.
//
//   variants [JOBS]

#include <torch/torch.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "flyball.hpp"

namespace {

/// Stands for a network that you load with torch::jit::load().
torch::nn::Sequential network(std::int64_t channels) {
  torch::nn::Sequential net(
      torch::nn::Conv2d(torch::nn::Conv2dOptions(3, channels, 3).padding(1)), torch::nn::ReLU(),
      torch::nn::MaxPool2d(2),
      torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, 2 * channels, 3).padding(1)),
      torch::nn::ReLU(), torch::nn::AdaptiveAvgPool2d(1), torch::nn::Flatten(),
      torch::nn::Linear(2 * channels, 10));
  net->eval();
  return net;
}

int run(int jobs) {
  const torch::NoGradGuard no_gradients;
  torch::set_num_threads(1);
  torch::manual_seed(1);
  std::array<torch::nn::Sequential, 3> networks = {network(8), network(16), network(32)};
  const std::array<std::string, 3> names = {"small", "medium", "large"};

  flyball::client::Application app;
  app.name = "variants";
  app.knobs = {{"model", "", {names.begin(), names.end()}}};
  app.accuracy_pct = {61, 68, 72};  // measured on your test set
  app.required.deadline_ns = 50'000'000;
  flyball::client::Session session(app);

  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a line at once, also to a file
  for (int i = 0; i < jobs; ++i) {
    const torch::Tensor image = torch::rand({1, 3, 32, 32});
    const auto job = session.job();  // until the end of this turn
    const std::size_t model = job.setting().value[0];
    const auto answer = networks[model]->forward(image).argmax(1).item<std::int64_t>();
    std::printf("job %d: %s says class %lld\n", i, names[model].c_str(),
                static_cast<long long>(answer));
  }
  const flyball_effect effect = session.effect();
  if (effect.latency_ns.known)
    std::printf("the governor changed latency by %+.2f ms\n", effect.latency_ns.mean / 1e6);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? std::atoi(argv[1]) : 100);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "variants: %s\n", error.what());
    return 1;
  }
}
