#include "tests/bench/peers/flyball.h"

#include <stdexcept>

#include "kernels/dnn/model.h"
#include "kernels/dnn/network.h"
#include "kernels/dnn/workspace.h"

namespace flyball::bench {
namespace {

class FlyballContender : public Contender {
 public:
  FlyballContender(const Model& model, int width)
      : network_(model), workspace_(model.spec), width_(width) {}

  void load(std::span<const float> image) override { image_.assign(image.begin(), image.end()); }
  void infer(std::span<float> logits) override {
    if (!network_.infer(workspace_, width_, Precision::kFloat32, image_, logits))
      throw std::runtime_error("refused the image");
  }

 private:
  Network network_;
  Workspace workspace_;
  const int width_;
  std::vector<float> image_;
};

}  // namespace

std::unique_ptr<Contender> make_flyball(const NetworkSpec& spec, std::span<const float> parameters,
                                        int width) {
  Model model;
  model.spec = spec;
  model.parameters.assign(parameters.begin(), parameters.end());
  return std::make_unique<FlyballContender>(model, width);
}

}  // namespace flyball::bench
