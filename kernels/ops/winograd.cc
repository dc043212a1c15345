#include <vector>

#include "kernels/ops/operators.h"

namespace flyball {

bool winograd_fits(int window, int stride, int output_size, int inputs) {
  return window == 3 && stride == 1 && output_size % 2 == 0 && inputs % 8 == 0 && inputs <= 256;
}

// A 4 x 4 window has the 16 positions.
std::size_t transformed_size(int inputs, int outputs) { return packed_size(4, inputs, outputs); }

void transform_weights(const float* plain, int inputs, int outputs, float* transformed) {
  // Halves and quarters: every product here is exact, only the sums round.
  constexpr float kG[4][3] = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
  const std::size_t taps = std::size_t(inputs) * outputs;
  std::vector<float> positions(16 * taps, 0.0f);
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j)
      for (int k = 0; k < 3; ++k)
        for (int l = 0; l < 3; ++l) {
          const float factor = kG[i][k] * kG[j][l];
          if (factor == 0) continue;
          for (std::size_t at = 0; at < taps; ++at)
            positions[(4 * i + j) * taps + at] += factor * plain[(3 * k + l) * taps + at];
        }
  pack_weights(positions.data(), 4, inputs, outputs, transformed);
}

}  // namespace flyball
