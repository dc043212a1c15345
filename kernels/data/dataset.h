#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace flyball {

/// Labelled images of one size, in memory.
struct Dataset {
  std::string name;    ///< what it is, for people: "CIFAR-10 test set"
  int image_size = 0;  ///< rows and columns
  int channels = 0;
  int classes = 0;
  std::vector<std::uint8_t> pixels;  ///< [image][row][column][channel]
  std::vector<std::uint8_t> labels;  ///< [image], each below `classes`

  std::size_t size() const { return labels.size(); }
  std::size_t image_values() const { return std::size_t(image_size) * image_size * channels; }
  std::span<const std::uint8_t> image(std::size_t index) const {
    return std::span(pixels).subspan(index * image_values(), image_values());
  }
};

/// What a network sees of a pixel: (pixel - 128) / 64, from -2 to 1.984. Exact, about one standard
/// deviation wide, and symmetric enough for int8.
inline float normalised(std::uint8_t pixel) {
  return static_cast<float>(static_cast<int>(pixel) - 128) * (1.0f / 64);
}

/// Of a whole image; `out` is as long.
inline void normalise(std::span<const std::uint8_t> image, std::span<float> out) {
  std::transform(image.begin(), image.end(), out.begin(), normalised);
}

/// Where training and test images come from.
struct TrainingData {
  Dataset train;
  Dataset test;
};

}  // namespace flyball
