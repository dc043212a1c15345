// Convolution by minimal filtering, F(2 x 2, 3 x 3): see Operators::winograd, and blocked.h.
#pragma once
#include "kernels/ops/blocked_convolution.h"

constexpr int kPositions = 16;  // of a transformed 4 x 4 tile
// Tiles that are transformed together, so that their weights are read once for all of them. Of few
// inputs fewer, because then all of it stays in a first-level cache of 32 kB (measured: 4 % faster
// with 32 inputs, 7 % slower with 128).
constexpr int kTileBlock = 12;
constexpr int kShallowTileBlock = 8;
constexpr int kShallowInputs = 32;
constexpr int kMostInputs = 256;  // winograd_fits

/// The upper left corners of the tiles, in the output.
struct Tiles {
  int count = 0;
  int y[kTileBlock];
  int x[kTileBlock];
};

/// B^T d B of kCount channels of one tile; its positions lie `step` apart.
template <int kCount, class T>
FLYBALL_INLINE void transform_input(const T* tile, std::ptrdiff_t row, std::ptrdiff_t pixel, T* out,
                                    std::ptrdiff_t step) {
  using Values = typename VectorOf<T, kCount>::Type;
  const auto at = [&](int y, int x) __attribute__((always_inline)) {
    return load<kCount>(tile + y * row + x * pixel);
  };
  const auto put = [&](int y, Values a, Values b, Values c, Values d)
      __attribute__((always_inline)) {
    store<kCount>(out + (4 * y + 0) * step, a - c);
    store<kCount>(out + (4 * y + 1) * step, b + c);
    store<kCount>(out + (4 * y + 2) * step, c - b);
    store<kCount>(out + (4 * y + 3) * step, b - d);
  };
  put(0, at(0, 0) - at(2, 0), at(0, 1) - at(2, 1), at(0, 2) - at(2, 2), at(0, 3) - at(2, 3));
  put(1, at(1, 0) + at(2, 0), at(1, 1) + at(2, 1), at(1, 2) + at(2, 2), at(1, 3) + at(2, 3));
  put(2, at(2, 0) - at(1, 0), at(2, 1) - at(1, 1), at(2, 2) - at(1, 2), at(2, 3) - at(1, 3));
  put(3, at(1, 0) - at(3, 0), at(1, 1) - at(3, 1), at(1, 2) - at(3, 2), at(1, 3) - at(3, 3));
}

/// A^T sums A, the four pixels of kWidth channels of one tile, in `out`.
template <class T>
FLYBALL_INLINE void transform_output(const T* sums, std::ptrdiff_t step,
                                     typename VectorOf<T, kWidth>::Type* out) {
  typename VectorOf<T, kWidth>::Type upper[4], lower[4];
#pragma GCC unroll 4
  for (int x = 0; x < 4; ++x) {
    const auto a = load<kWidth>(sums + x * step), b = load<kWidth>(sums + (4 + x) * step);
    const auto c = load<kWidth>(sums + (8 + x) * step), d = load<kWidth>(sums + (12 + x) * step);
    upper[x] = a + b + c;
    lower[x] = b - c - d;
  }
  out[0] = upper[0] + upper[1] + upper[2];
  out[1] = upper[1] - upper[2] - upper[3];
  out[2] = lower[0] + lower[1] + lower[2];
  out[3] = lower[1] - lower[2] - lower[3];
}

/// Transforms the rows' tiles, some at a time, and calls compute(tiles, inputs), where the inputs
/// are [position][kTileBlock][channel].
template <int kCount, class T, class Op, class Compute>
FLYBALL_INLINE void for_tiles(const Op& op, int width, int row_begin, int row_end, T* inputs,
                              Compute&& compute) {
  const int depth = op.in.channels;
  const int together = depth <= kShallowInputs ? kShallowTileBlock : kTileBlock;
  for (int y = row_begin, x = 0; y < row_end;) {
    Tiles tiles;
    while (tiles.count < together && y < row_end) {
      const T* const from = op.in.at(y, x);
      T* const to = inputs + tiles.count * depth;
      for_vectors<kCount>(
          depth, [&]<int kVector>(int c) __attribute__((always_inline)) {
            transform_input<kVector>(from + c, op.in.row_stride, op.in.pixel_stride, to + c,
                                     std::ptrdiff_t{kTileBlock} * depth);
          });
      tiles.y[tiles.count] = y;
      tiles.x[tiles.count++] = x;
      if ((x += 2) >= width) {
        x = 0;
        y += 2;
      }
    }
    compute(tiles);
  }
}

/// Calls multiply.operator()<tiles at a time>(first tile, groups of as many) until all are done.
template <int kMost, class Multiply>
FLYBALL_INLINE void for_groups(int tiles, Multiply&& multiply) {
  for (int t = 0; t < tiles;) {
    const int count = next_tile(tiles - t, kMost);
    int groups = 1;
    while (t + groups * count < tiles && next_tile(tiles - t - groups * count, kMost) == count)
      ++groups;
    with_count<kMost>(count,
                      [&]<int kCount>() { multiply.template operator()<kCount>(t, groups); });
    t += groups * count;
  }
}

/// sums[tile][kChannels] = inputs[tile][depth] x weights[depth][panel], for kTiles tiles at a time,
/// `groups` times.
template <int kTiles, int kChannels>
[[gnu::noinline]] void multiply_tiles(const float* inputs, int groups, int depth,
                                      const float* weights, std::ptrdiff_t panel, float* sums) {
  for (int g = 0; g < groups; ++g) {
    Row<kChannels> sum[kTiles];
    const float* tile[kTiles];
#pragma GCC unroll 16
    for (int t = 0; t < kTiles; ++t, inputs += depth) {
      sum[t] = Row<kChannels>::zero();
      tile[t] = inputs;
    }
    add_run<kTiles, kChannels>(sum, tile, 0, depth, weights, panel);
#pragma GCC unroll 16
    for (int t = 0; t < kTiles; ++t, sums += kChannels) sum[t].store_to(sums);
  }
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
    for_groups<kTilePixels<kChannels>>(tiles.count, [&]<int kCount>(int t, int groups) {
      multiply_tiles<kCount, kChannels>(inputs + std::ptrdiff_t{p * kTileBlock + t} * depth, groups,
                                        depth,
                                        weights + std::ptrdiff_t{p} * op.weight_inputs * panel,
                                        panel, sums + p * kStep + t * kChannels);
    });

  const ScaleBias after(op.scale, op.bias, first, wanted);
  const Floats<kWidth> lowest = Floats<kWidth>{} + (op.relu ? 0.0f : -__builtin_inff());
  const std::ptrdiff_t right = op.out.pixel_stride, down = op.out.row_stride;
  for (int t = 0; t < tiles.count; ++t) {
    float* const out = op.out.at(tiles.y[t], tiles.x[t]) + first;
    float values[4 * kChannels];
    // Where the channels are fewer than the registers hold, by way of a copy.
    const bool whole = wanted == kChannels;
    float* const to = whole ? out : values;
    const std::ptrdiff_t to_right = whole ? right : kChannels;
    const std::ptrdiff_t to_down = whole ? down : 2 * kChannels;
#pragma GCC unroll 6
    for (int c = 0; c < kChannels; c += kWidth) {
      Floats<kWidth> pixels[4];
      transform_output(sums + t * kChannels + c, kStep, pixels);
      const Floats<kWidth> scale = load<kWidth>(after.scale + c);
      const Floats<kWidth> bias = load<kWidth>(after.bias + c);
      store<kWidth>(to + c, maximum(pixels[0] * scale + bias, lowest));
      store<kWidth>(to + to_right + c, maximum(pixels[1] * scale + bias, lowest));
      store<kWidth>(to + to_down + c, maximum(pixels[2] * scale + bias, lowest));
      store<kWidth>(to + to_down + to_right + c, maximum(pixels[3] * scale + bias, lowest));
    }
    for (int i = 0; !whole && i < 4; ++i)
      for (int c = 0; c < wanted; ++c)
        out[i / 2 * down + i % 2 * right + c] = values[i * kChannels + c];
  }
}

void winograd(const Convolution& op, int row_begin, int row_end) {
  alignas(64) float inputs[kPositions * kTileBlock * kMostInputs];
  const int panel = panel_channels(op.weight_outputs);
  for_tiles<kWidth>(op, op.out.width, row_begin, row_end, inputs, [&](const Tiles& tiles) {
    for_panels(op.out.channels, panel, [&]<int kChannels>(int first, int wanted) {
      winograd_channels<kChannels>(op, tiles, inputs, first, wanted, panel);
    });
  });
}
