// Minimal filtering in integers: see Operators::quantized_winograd, and blocked.h.
#pragma once
#include "kernels/ops/blocked_quantized.h"
#include "kernels/ops/blocked_winograd.h"

/// As multiply_tiles, in pairs of inputs.
template <int kTiles, int kChannels>
[[gnu::noinline]] void multiply_pair_tiles(const Quantized* inputs, int groups, int depth,
                                           const std::int16_t* weights, std::ptrdiff_t step,
                                           int* sums) {
  for (int g = 0; g < groups; ++g) {
    PairRow<kChannels> sum[kTiles];
    const Quantized* tile[kTiles];
#pragma GCC unroll 16
    for (int t = 0; t < kTiles; ++t, inputs += depth) {
      sum[t].clear();
      tile[t] = inputs;
    }
    const std::int16_t* weight = weights;
    for (std::ptrdiff_t i = 0; i < depth; i += 2, weight += step)
      add_pairs<kTiles, kChannels>(
          [&](int t) __attribute__((always_inline))->auto& { return sum[t]; }, tile, i, weight);
#pragma GCC unroll 16
    for (int t = 0; t < kTiles; ++t, sums += kChannels) sum[t].store_to(sums);
  }
}

/// Up to kChannels channels of the tiles, from `first` on.
template <int kChannels, class T>
void quantized_winograd_channels(const QuantizedConvolution& op, const BasicImage<T>& out,
                                 const Tiles& tiles, const Quantized* inputs, int first, int wanted,
                                 int panel) {
  alignas(64) int sums[kPositions * kTileBlock * kChannels];
  constexpr std::ptrdiff_t kStep = kTileBlock * kChannels;
  const int depth = op.in.channels;
  const std::ptrdiff_t packed = std::ptrdiff_t{op.weight_inputs + op.weight_inputs % 2} * panel;
  const std::int16_t* const weights = op.transformed + first / panel * kPositions * packed;
  for (int p = 0; p < kPositions; ++p)
    for_groups<kPairTilePixels<kChannels>>(tiles.count, [&]<int kCount>(int t, int groups) {
      multiply_pair_tiles<kCount, kChannels>(
          inputs + std::ptrdiff_t{p * kTileBlock + t} * depth, groups, depth, weights + p * packed,
          2 * std::ptrdiff_t{panel}, sums + p * kStep + t * kChannels);
    });

  const ScaleBias after(op.scale, op.bias, first, wanted);
  const float lowest = op.relu ? 0.0f : lowest_of(out.data);
  const std::ptrdiff_t right = out.pixel_stride, down = out.row_stride;
  for (int t = 0; t < tiles.count; ++t) {
    T* const pixels = out.at(tiles.y[t], tiles.x[t]) + first;
    T values[4 * kChannels];
    const bool whole = wanted == kChannels;
    T* const to = whole ? pixels : values;
    const std::ptrdiff_t to_right = whole ? right : kChannels;
    const std::ptrdiff_t to_down = whole ? down : 2 * kChannels;
#pragma GCC unroll 6
    for (int c = 0; c < kChannels; c += kWidth) {
      Ints<kWidth> four_times[4];
      transform_output(sums + t * kChannels + c, kStep, four_times);
      finish_vector(four_times[0] >> 2, after, c, lowest, to + c);
      finish_vector(four_times[1] >> 2, after, c, lowest, to + to_right + c);
      finish_vector(four_times[2] >> 2, after, c, lowest, to + to_down + c);
      finish_vector(four_times[3] >> 2, after, c, lowest, to + to_down + to_right + c);
    }
    for (int i = 0; !whole && i < 4; ++i)
      for (int c = 0; c < wanted; ++c)
        pixels[i / 2 * down + i % 2 * right + c] = values[i * kChannels + c];
  }
}

template <class T>
void quantized_winograd_rows(const QuantizedConvolution& op, const BasicImage<T>& out,
                             int row_begin, int row_end) {
  alignas(64) Quantized inputs[kPositions * kTileBlock * kMostInputs];
  const int panel = panel_channels(op.weight_outputs);
  for_tiles<2 * kWidth>(op, out.width, row_begin, row_end, inputs, [&](const Tiles& tiles) {
    for_panels(out.channels, panel, [&]<int kChannels>(int first, int wanted) {
      quantized_winograd_channels<kChannels>(op, out, tiles, inputs, first, wanted, panel);
    });
  });
}

void quantized_winograd(const QuantizedConvolution& op, int row_begin, int row_end) {
  if (op.out.data)
    quantized_winograd_rows(op, op.out, row_begin, row_end);
  else
    quantized_winograd_rows(op, op.out_float, row_begin, row_end);
}
