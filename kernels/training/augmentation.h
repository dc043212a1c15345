#pragma once

#include <cstdint>
#include <span>

#include "kernels/data/random.h"

namespace flyball {

/// What is done to a training image so that the same one is never seen twice.
struct Augmentation {
  bool flip = true;   ///< left to right, half of the time
  int shift = 2;      ///< up to so many pixels each way; what comes in is grey
  int cutout = 8;     ///< side of a patch that is blanked, half of the time; 0: none
  bool light = true;  ///< contrast times 0.8 to 1.2, brightness plus -0.2 to 0.2
};

/// Writes `image` ([row][column][channel], square) normalised and changed into `out`.
void augment(const Augmentation& how, std::span<const std::uint8_t> image, int size, int channels,
             DataRandom random, std::span<float> out);

}  // namespace flyball
