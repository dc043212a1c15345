#include "kernels/dnn/calibration.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "kernels/dnn/network.h"
#include "kernels/dnn/workspace.h"

namespace flyball {
namespace {

float largest_magnitude(const Image& image) {
  float most = 0;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < image.channels; ++c) most = std::max(most, std::fabs(image.at(y, x)[c]));
  return most;
}

}  // namespace

std::vector<float> activation_ranges(const Model& model, std::span<const float> images,
                                     double quantile, const Operators* operators) {
  const NetworkSpec& spec = model.spec;
  Network network(model);
  network.set_operators(operators);
  Workspace workspace(spec);
  const std::size_t image_values = network.image_values();
  const std::size_t count = images.size() / image_values;
  assert(count >= 1);
  const int layers = static_cast<int>(spec.layers.size());
  const bool grouped = spec.kind == NetworkSpec::Kind::kGrouped;

  std::vector<std::vector<float>> seen(model.activation_count());
  std::vector<float> logits(spec.classes);
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const float> image = images.subspan(i * image_values, image_values);
    // All towers of a grouped network are in its widest width; a slimmable one differs at each.
    for (int width = grouped ? spec.widths - 1 : 0; width < spec.widths; ++width) {
      [[maybe_unused]] const InferStatus status =
          network.infer(workspace, width, Precision::kFloat32, image, logits);
      assert(status);
      for (int tower = 0; tower < spec.active_towers(width); ++tower)
        for (int l = 0; l < layers; ++l)
          seen[1 + (grouped ? tower : width) * layers + l].push_back(
              largest_magnitude(workspace.output(l, tower, width)));
    }
    seen[0].push_back(largest_magnitude(workspace.image()));
  }

  std::vector<float> ranges;
  for (std::vector<float>& maxima : seen) {
    const auto at = maxima.begin() +
                    static_cast<std::ptrdiff_t>(quantile * static_cast<double>(maxima.size() - 1));
    std::nth_element(maxima.begin(), at, maxima.end());
    // A layer that is always silent still needs a scale to divide by.
    ranges.push_back(std::max(*at, 1e-6f));
  }
  return ranges;
}

}  // namespace flyball
