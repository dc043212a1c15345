// Convolution by minimal filtering, F(2 x 2, 3 x 3): see Operators::winograd, and blocked.h.
#pragma once
#include "kernels/ops/blocked_tiles.h"

constexpr int kPositions = 16;  // of a transformed 4 x 4 tile
// Tiles that are transformed together. Their weights are read once for all of them, from the
// second-level cache as a rule; with 24 channels the 16 tiles are 24 kB before and after.
constexpr int kTileBlock = 16;
constexpr int kMostInputs = 256;  // winograd_fits

/// The upper left corners of the tiles, in the output.
struct Tiles {
  int count = 0;
  int y[kTileBlock];
  int x[kTileBlock];
};

/// B^T d B of eight channels of one tile; its positions lie `step` apart.
FLYBALL_INLINE void transform_input(const float* tile, std::ptrdiff_t row, std::ptrdiff_t pixel,
                                    float* out, std::ptrdiff_t step) {
  const auto at = [&](int y, int x) __attribute__((always_inline)) {
    return load<8>(tile + y * row + x * pixel);
  };
  const auto put = [&](int y, Floats<8> a, Floats<8> b, Floats<8> c, Floats<8> d)
      __attribute__((always_inline)) {
    store<8>(out + (4 * y + 0) * step, a - c);
    store<8>(out + (4 * y + 1) * step, b + c);
    store<8>(out + (4 * y + 2) * step, c - b);
    store<8>(out + (4 * y + 3) * step, b - d);
  };
  put(0, at(0, 0) - at(2, 0), at(0, 1) - at(2, 1), at(0, 2) - at(2, 2), at(0, 3) - at(2, 3));
  put(1, at(1, 0) + at(2, 0), at(1, 1) + at(2, 1), at(1, 2) + at(2, 2), at(1, 3) + at(2, 3));
  put(2, at(2, 0) - at(1, 0), at(2, 1) - at(1, 1), at(2, 2) - at(1, 2), at(2, 3) - at(1, 3));
  put(3, at(1, 0) - at(3, 0), at(1, 1) - at(3, 1), at(1, 2) - at(3, 2), at(1, 3) - at(3, 3));
}

/// A^T sums A, the four pixels of eight channels of one tile, in `out`.
FLYBALL_INLINE void transform_output(const float* sums, std::ptrdiff_t step, Floats<8>* out) {
  Floats<8> upper[4], lower[4];
#pragma GCC unroll 4
  for (int x = 0; x < 4; ++x) {
    const Floats<8> a = load<8>(sums + x * step), b = load<8>(sums + (4 + x) * step);
    const Floats<8> c = load<8>(sums + (8 + x) * step), d = load<8>(sums + (12 + x) * step);
    upper[x] = a + b + c;
    lower[x] = b - c - d;
  }
  out[0] = upper[0] + upper[1] + upper[2];
  out[1] = upper[1] - upper[2] - upper[3];
  out[2] = lower[0] + lower[1] + lower[2];
  out[3] = lower[1] - lower[2] - lower[3];
}

/// sums[tile][kChannels] = inputs[tile][depth] x weights[depth][panel].
template <int kTiles, int kChannels>
[[gnu::noinline]] void multiply_tiles(const float* inputs, int depth, const float* weights,
                                      std::ptrdiff_t panel, float* sums) {
  Row<kChannels> sum[kTiles];
#pragma GCC unroll 16
  for (int t = 0; t < kTiles; ++t) sum[t] = Row<kChannels>::zero();
  for (int i = 0; i < depth; ++i, weights += panel) {
    const Row<kChannels> row = Row<kChannels>::load_from(weights);
#pragma GCC unroll 16
    for (int t = 0; t < kTiles; ++t) sum[t].add(row, inputs[t * depth + i]);
  }
#pragma GCC unroll 16
  for (int t = 0; t < kTiles; ++t) sum[t].store_to(sums + t * kChannels);
}

/// Up to kChannels channels of the tiles, from `first` on.
template <int kChannels>
void winograd_channels(const Convolution& op, const Tiles& tiles, const float* inputs, int first,
                       int wanted, int panel) {
  alignas(64) float sums[kPositions * kTileBlock * kChannels];
  constexpr std::ptrdiff_t kStep = kTileBlock * kChannels;
  const int depth = op.in.channels;
  const float* const weights = op.weights + std::ptrdiff_t{first} * op.weight_inputs * kPositions;
  for (int p = 0; p < kPositions; ++p)
    for (int t = 0; t < tiles.count;) {
      const int count = next_tile(tiles.count - t, kTilePixels<kChannels>);
      with_count<kTilePixels<kChannels>>(count, [&]<int kCount>() {
        multiply_tiles<kCount, kChannels>(inputs + std::ptrdiff_t{p * kTileBlock + t} * depth,
                                          depth,
                                          weights + std::ptrdiff_t{p} * op.weight_inputs * panel,
                                          panel, sums + p * kStep + t * kChannels);
      });
      t += count;
    }

  const ScaleBias after(op.scale, op.bias, first, wanted);
  const Floats<8> lowest = Floats<8>{} + (op.relu ? 0.0f : -__builtin_inff());
  for (int t = 0; t < tiles.count; ++t)
    for (int c = 0; c < wanted; c += 8) {
      Floats<8> pixels[4];
      transform_output(sums + t * kChannels + c, kStep, pixels);
      const Floats<8> scale = load<8>(after.scale + c), bias = load<8>(after.bias + c);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const Floats<8> scaled = pixels[i] * scale + bias;
        const Floats<8> value = scaled > lowest ? scaled : lowest;
        float* const to = op.out.at(tiles.y[t] + i / 2, tiles.x[t] + i % 2) + first + c;
        if (c + 8 <= wanted)
          store<8>(to, value);
        else
          for (int o = 0; c + o < wanted; ++o) to[o] = value[o];
      }
    }
}

void winograd(const Convolution& op, int row_begin, int row_end) {
  alignas(64) float inputs[kPositions * kTileBlock * kMostInputs];
  const int depth = op.in.channels;
  const int panel = panel_channels(op.weight_outputs);
  for (int y = row_begin, x = 0; y < row_end;) {
    Tiles tiles;
    while (tiles.count < kTileBlock && y < row_end) {
      float* const to = inputs + tiles.count * depth;
      for (int c = 0; c < depth; c += 8)
        transform_input(op.in.at(y, x) + c, op.in.row_stride, op.in.pixel_stride, to + c,
                        std::ptrdiff_t{kTileBlock} * depth);
      tiles.y[tiles.count] = y;
      tiles.x[tiles.count++] = x;
      if ((x += 2) >= op.out.width) {
        x = 0;
        y += 2;
      }
    }
    for_panels(op.out.channels, panel, [&]<int kChannels>(int first, int wanted) {
      winograd_channels<kChannels>(op, tiles, inputs, first, wanted, panel);
    });
  }
}
