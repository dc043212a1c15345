// Convolution in tiles of pixels x channels that stay in registers; see blocked.h.
#pragma once
#include "kernels/ops/blocked_tiles.h"

// Floats of weights that the sums of all tiles pass over before the next ones: 24 kB of the 32 kB
// that the smallest first-level caches have, so that the weights are read from there.
constexpr int kWeightBlock = 6144;

/// What happens to the sums. They wait in the output between two blocks of weights.
struct Finish {
  const float* scale;
  const float* bias;
  float lowest;  // 0 for ReLU, else -infinity
  bool first, last;
  int channels;  // of the output; less than the tile's only in the last one of a panel
};

/// One weight vector after the other for all pixels: sum(p) += weights * lane kLane of pixels[p].
/// For instruction sets that multiply by a lane, with kInputsAtOnce in a vector.
template <int kLane, int kPixels, int kChannels, class SumOf>
FLYBALL_INLINE void add_lane(SumOf&& sum, const float* weight, const Vector* pixels) {
  if constexpr (kChannels > 0) {
    const Vector weights = load<kLanes>(weight);
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p)
      sum(p).head = multiply_add_lane<kLane>(sum(p).head, weights, pixels[p]);
    add_lane<kLane, kPixels, kChannels - kLanes>(
        [&](int p) __attribute__((always_inline))->auto& { return sum(p).rest; }, weight + kLanes,
        pixels);
  }
}

/// Inputs [begin, end) of the pixels into their sums.
template <int kPixels, int kChannels>
FLYBALL_INLINE void add_run(Row<kChannels>* sum, const float* const* pixel, std::ptrdiff_t begin,
                            std::ptrdiff_t end, const float* weight, std::ptrdiff_t step) {
  std::ptrdiff_t i = begin;
  if constexpr (kInputsAtOnce == 4) {
    const auto sum_of = [&](int p) __attribute__((always_inline))->auto& { return sum[p]; };
    for (; i + 4 <= end; i += 4, weight += 4 * step) {
      Vector pixels[kPixels];
#pragma GCC unroll 16
      for (int p = 0; p < kPixels; ++p) pixels[p] = load<kLanes>(pixel[p] + i);
      add_lane<0, kPixels, kChannels>(sum_of, weight, pixels);
      add_lane<1, kPixels, kChannels>(sum_of, weight + step, pixels);
      add_lane<2, kPixels, kChannels>(sum_of, weight + 2 * step, pixels);
      add_lane<3, kPixels, kChannels>(sum_of, weight + 3 * step, pixels);
    }
  }
  for (; i < end; ++i, weight += step) {
    const Row<kChannels> weights = Row<kChannels>::load_from(weight);
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) sum[p].add(weights, pixel[p][i]);
  }
}

/// A function of its own, not inlined: among others, the compiler runs out of registers.
template <int kPixels, int kChannels>
[[gnu::noinline]] void convolve_tile(const float* const* in, float* const* out,
                                     const float* weights, const Runs& runs, const Finish& finish) {
  Row<kChannels> sum[kPixels];
  const float* pixel[kPixels];
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) {
    pixel[p] = in[p];
    sum[p] = finish.first ? Row<kChannels>::zero() : Row<kChannels>::load_from(out[p]);
  }
  const std::ptrdiff_t step = runs.weight_step;
  for (int r = 0; r < runs.rows; ++r)
    for (int q = 0; q < runs.runs; ++q) {
      const float* weight = weights + r * runs.weight_row_step + q * runs.weight_run_step;
      const std::ptrdiff_t begin = r * runs.row_step + q * runs.run_step;
      add_run<kPixels, kChannels>(sum, pixel, begin, begin + runs.length, weight, step);
    }
  if (finish.last) {
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) sum[p].finish(finish.scale, finish.bias, finish.lowest);
  }
  if (finish.channels == kChannels) {
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) sum[p].store_to(out[p]);
  } else {
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) {
      float all[kChannels];
      sum[p].store_to(all);
      for (int c = 0; c < finish.channels; ++c) out[p][c] = all[c];
    }
  }
}

/// A block's pixels, across its rows, x up to kChannels channels from `first` on.
template <int kChannels>
void convolve_channels(const Convolution& op, const Block& block, int first, int wanted,
                       int panel) {
  constexpr int kPixels = kTilePixels<kChannels>;
  const Runs all = runs_of(op, block, panel, 1);
  const float* const weights =
      op.weights + std::ptrdiff_t{first} * op.weight_inputs * op.window * op.window +
      block.ky.begin * all.weight_row_step + block.kx.begin * all.weight_run_step;
  const ScaleBias after(op.scale, op.bias, first, wanted);
  const float lowest = op.relu ? 0.0f : -__builtin_inff();
  const int pixels = (block.y_end - block.y_begin) * (block.x_end - block.x_begin);

  const int row_weights = all.runs * all.length * panel;
  const bool split =
      wanted == kChannels && pixels > kPixels && all.rows * row_weights > kWeightBlock;
  const int rows_at_once = split ? larger(1, kWeightBlock / row_weights) : all.rows;
  for (int row = 0; row < all.rows; row += rows_at_once) {
    Runs runs = all;
    runs.rows = smaller(rows_at_once, all.rows - row);
    const Finish finish = {after.scale, after.bias, lowest, row == 0, row + runs.rows == all.rows,
                           wanted};
    const float* const row_start = weights + row * all.weight_row_step;
    Walk from(first_input(op, block, row), block, op.stride * op.in.pixel_stride,
              op.stride * op.in.row_stride);
    Walk to(op.out.at(block.y_begin, block.x_begin) + first, block, op.out.pixel_stride,
            op.out.row_stride);
    for (int left = pixels; left > 0;) {
      const int count = next_tile(left, kPixels);
      const float* in[kPixels];
      float* out[kPixels];
      for (int p = 0; p < count; ++p) {
        in[p] = from.next();
        out[p] = to.next();
      }
      with_count<kPixels>(count, [&]<int kCount>() {
        convolve_tile<kCount, kChannels>(in, out, row_start, runs, finish);
      });
      left -= count;
    }
  }
}

void convolution(const Convolution& op, int row_begin, int row_end) {
  const int panel = panel_channels(op.weight_outputs);
  for_blocks(op, op.out.width, row_begin, row_end, [&](const Block& block) {
    for_panels(op.out.channels, panel, [&]<int kChannels>(int first, int wanted) {
      convolve_channels<kChannels>(op, block, first, wanted, panel);
    });
  });
}

/// kPixels neighbouring pixels x kCount channels.
template <int kPixels, int kCount>
FLYBALL_INLINE void depthwise_tile(const DepthwiseConvolution& op, int y, int x, int c, Span ky,
                                   Span kx) {
  Floats<kCount> sum[kPixels] = {};
  const std::ptrdiff_t step = op.stride * op.in.pixel_stride;
  for (int k = ky.begin; k < ky.end; ++k) {
    const float* pixel =
        op.in.at(y * op.stride - op.pad + k, x * op.stride - op.pad + kx.begin) + c;
    const float* weight =
        op.weights + (std::ptrdiff_t{k} * op.window + kx.begin) * op.weight_channels + c;
    for (int l = kx.begin; l < kx.end; ++l) {
      const Floats<kCount> w = load<kCount>(weight);
#pragma GCC unroll 4
      for (int p = 0; p < kPixels; ++p) sum[p] += load<kCount>(pixel + p * step) * w;
      pixel += op.in.pixel_stride;
      weight += op.weight_channels;
    }
  }
  const Floats<kCount> zero = {};
  const Floats<kCount> scale = op.scale ? load<kCount>(op.scale + c) : zero + 1.0f;
  const Floats<kCount> bias = op.bias ? load<kCount>(op.bias + c) : zero;
#pragma GCC unroll 4
  for (int p = 0; p < kPixels; ++p)
    store<kCount>(op.out.at(y, x + p) + c,
                  maximum(sum[p] * scale + bias, zero + (op.relu ? 0.0f : -__builtin_inff())));
}

void depthwise(const DepthwiseConvolution& op, int row_begin, int row_end) {
  for_blocks(op, op.out.width, row_begin, row_end, [&](const Block& block) {
    for_vectors<kLanes>(
        op.out.channels, [&]<int kCount>(int c) __attribute__((always_inline)) {
          for (int y = block.y_begin; y < block.y_end; ++y) {
            int x = block.x_begin;
            for (; x + 4 <= block.x_end; x += 4)
              depthwise_tile<4, kCount>(op, y, x, c, block.ky, block.kx);
            for (; x < block.x_end; ++x) depthwise_tile<1, kCount>(op, y, x, c, block.ky, block.kx);
          }
        });
  });
}
