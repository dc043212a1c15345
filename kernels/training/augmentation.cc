#include "kernels/training/augmentation.h"

#include <algorithm>

#include "kernels/data/dataset.h"

namespace flyball {

void augment(const Augmentation& how, std::span<const std::uint8_t> image, int size, int channels,
             DataRandom random, std::span<float> out) {
  const bool flip = how.flip && random.chance(0.5f);
  const auto offset = [&] { return static_cast<int>(random.below(2 * how.shift + 1)) - how.shift; };
  const int dy = offset(), dx = offset();
  const float gain = how.light ? random.uniform(0.8f, 1.2f) : 1;
  const float level = how.light ? random.uniform(-0.2f, 0.2f) : 0;
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x) {
      const int from_y = y + dy, from_x = (flip ? size - 1 - x : x) + dx;
      float* const to = &out[(std::size_t(y) * size + x) * channels];
      if (from_y < 0 || from_y >= size || from_x < 0 || from_x >= size) {
        std::fill_n(to, channels, 0.0f);
        continue;
      }
      const std::uint8_t* const from = &image[(std::size_t(from_y) * size + from_x) * channels];
      for (int c = 0; c < channels; ++c) to[c] = normalised(from[c]) * gain + level;
    }
  if (how.cutout <= 0 || !random.chance(0.5f)) return;
  // Its centre is anywhere, so that part of it may lie outside.
  const int top = static_cast<int>(random.below(size)) - how.cutout / 2;
  const int left = static_cast<int>(random.below(size)) - how.cutout / 2;
  for (int y = std::max(top, 0); y < std::min(top + how.cutout, size); ++y) {
    const int begin = std::max(left, 0), end = std::min(left + how.cutout, size);
    if (begin < end)
      std::fill_n(&out[(std::size_t(y) * size + begin) * channels],
                  std::size_t(end - begin) * channels, 0.0f);
  }
}

}  // namespace flyball
