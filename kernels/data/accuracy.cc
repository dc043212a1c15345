#include "kernels/data/accuracy.h"

#include <algorithm>

namespace flyball {

std::vector<float> measure_top1(const Network& network, Precision precision, const Dataset& data,
                                const std::function<void()>& after_width) {
  Workspace workspace(network.spec());
  std::vector<float> image(data.image_values()), logits(network.spec().classes);
  std::vector<float> top1_pct;
  for (int width = 0; width < network.widths(); ++width) {
    std::size_t right = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
      normalise(data.image(i), image);
      if (!network.infer(workspace, width, precision, image, logits)) return {};
      right += std::ranges::max_element(logits) - logits.begin() == data.labels[i];
    }
    top1_pct.push_back(100.0f * static_cast<float>(right) / static_cast<float>(data.size()));
    if (after_width) after_width();
  }
  return top1_pct;
}

std::vector<float> normalised_images(const Dataset& data, std::size_t images) {
  images = std::min(images, data.size());
  std::vector<float> values(images * data.image_values());
  normalise(std::span(data.pixels).first(values.size()), values);
  return values;
}

}  // namespace flyball
