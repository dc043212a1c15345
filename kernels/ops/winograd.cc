#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/ops/operators.h"
#include "kernels/ops/packing.h"

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

std::size_t transformed_size_int8(int inputs, int outputs) {
  return packed_size_int8(4, inputs, outputs);
}

void transform_weights_int8(const std::int8_t* plain, int inputs, int outputs,
                            std::int16_t* transformed) {
  // Twice the G above. A sum is at most 9 * 127; what comes out is four times the convolution.
  constexpr int kG[4][3] = {{2, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 2}};
  const std::size_t taps = std::size_t(inputs) * outputs;
  std::vector<std::int16_t> positions(16 * taps, 0);
  for (int p = 0; p < 16; ++p)
    for (int k = 0; k < 9; ++k)
      for (std::size_t at = 0; at < taps; ++at)
        positions[p * taps + at] = static_cast<std::int16_t>(
            positions[p * taps + at] + kG[p / 4][k / 3] * kG[p % 4][k % 3] * plain[k * taps + at]);
  pack_pairs(positions.data(), 4, inputs, outputs, transformed);
}

}  // namespace flyball
