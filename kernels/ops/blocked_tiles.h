// How a convolution is cut into tiles of pixels; see blocked.h.
#pragma once
#include "kernels/ops/blocked.h"

/// What one tile multiplies: `rows` x `runs` runs of `length` inputs that lie side by side.
struct Runs {
  int rows, runs, length;
  std::ptrdiff_t row_step, run_step;                // in the image
  std::ptrdiff_t weight_row_step, weight_run_step;  // in the weights
  std::ptrdiff_t weight_step;                       // from one step along a run to the next
};

/// A block of outputs whose windows are clipped alike.
struct Block {
  int y_begin, y_end, x_begin, x_end;
  Span ky, kx;
};

/// Calls compute(block) for blocks that make up the rows. Where the window never leaves the image
/// there is one; otherwise a row is up to three or so: its middle, and the pixels left and right of
/// it.
template <class Op, class Compute>
FLYBALL_INLINE void for_blocks(const Op& op, int width, int row_begin, int row_end,
                               Compute&& compute) {
  if (op.pad == 0) {
    if (row_begin < row_end)
      compute(Block{row_begin, row_end, 0, width, {0, op.window}, {0, op.window}});
    return;
  }
  for (int y = row_begin; y < row_end; ++y) {
    const Span ky = clip(y * op.stride - op.pad, op.window, op.in.height);
    for (int x = 0; x < width;) {
      const Span kx = clip(x * op.stride - op.pad, op.window, op.in.width);
      int end = x + 1;
      for (; end < width; ++end) {
        const Span next = clip(end * op.stride - op.pad, op.window, op.in.width);
        if (next.begin != kx.begin || next.end != kx.end) break;
      }
      compute(Block{y, y + 1, x, end, ky, kx});
      x = end;
    }
  }
}

/// The runs of a block for weights that take weight_step per `depth` inputs.
template <class Op>
FLYBALL_INLINE Runs runs_of(const Op& op, const Block& block, int weight_step, int depth) {
  const int columns = block.kx.end - block.kx.begin;
  const int inputs = (op.weight_inputs + depth - 1) / depth * depth;
  // Where pixels follow each other without a gap, a row of the window is one run.
  const bool dense = op.in.pixel_stride == op.in.channels && op.in.channels == inputs;
  Runs runs;
  runs.rows = block.ky.end - block.ky.begin;
  runs.runs = dense ? 1 : columns;
  runs.length = dense ? columns * op.in.channels : op.in.channels;
  runs.row_step = op.in.row_stride;
  runs.run_step = op.in.pixel_stride;
  runs.weight_run_step = std::ptrdiff_t{inputs / depth} * weight_step;
  runs.weight_row_step = runs.weight_run_step * op.window;
  runs.weight_step = weight_step;
  return runs;
}

/// Pixels of the next tile when `left` of them are to be done: the last two tiles share what there
/// is, because a tile of less than eight sums leaves the multipliers waiting for their own results.
FLYBALL_INLINE int next_tile(int left, int most) {
  if (left >= 2 * most || left == most) return most;
  return left < most ? left : (left + 1) / 2;
}

/// Walks along the pixels of a block, from the end of one row to the beginning of the next.
template <class T>
struct Walk {
  T* at;
  std::ptrdiff_t step, turn;
  int width, in_row;

  FLYBALL_INLINE Walk(T* start, const Block& block, std::ptrdiff_t pixel_step,
                      std::ptrdiff_t row_step)
      : at(start),
        step(pixel_step),
        turn(row_step - (block.x_end - block.x_begin - 1) * pixel_step),
        width(block.x_end - block.x_begin),
        in_row(width) {}
  FLYBALL_INLINE T* next() {
    T* const here = at;
    const bool last = --in_row == 0;
    at += last ? turn : step;
    in_row = last ? width : in_row;
    return here;
  }
};

/// Where the window of a block's first pixel begins, rows `skip` further down.
template <class Op>
FLYBALL_INLINE auto* first_input(const Op& op, const Block& block, int skip) {
  return op.in.at(block.y_begin * op.stride - op.pad + block.ky.begin + skip,
                  block.x_begin * op.stride - op.pad + block.kx.begin);
}

/// Calls tile.operator()<n>() for the n == count in [1, kMost].
template <int kMost, class Tile>
FLYBALL_INLINE void with_count(int count, Tile&& tile) {
  if (count == kMost)
    tile.template operator()<kMost>();
  else if constexpr (kMost > 1)
    with_count<kMost - 1>(count, tile);
}

/// What follows the sums of a panel's channels, where the operator may have none.
struct ScaleBias {
  float scale[24], bias[24];

  FLYBALL_INLINE ScaleBias(const float* scales, const float* biases, int first, int count) {
    for (int c = 0; c < 24; ++c) {
      scale[c] = 1;
      bias[c] = 0;
    }
    if (scales) __builtin_memcpy(scale, scales + first, count * sizeof(float));
    if (biases) __builtin_memcpy(bias, biases + first, count * sizeof(float));
  }
};

/// Calls compute.operator()<channels>(first) for the panels, or the parts of them, that make
/// `outputs` channels: 24, 16 or 8 at a time.
template <class Compute>
FLYBALL_INLINE void for_panels(int outputs, int panel, Compute&& compute) {
  for (int first = 0; first < outputs; first += panel) {
    const int wanted = smaller(panel, outputs - first);
    if (wanted > 16)
      compute.template operator()<24>(first, wanted);
    else if (wanted > 8)
      compute.template operator()<16>(first, wanted);
    else
      compute.template operator()<8>(first, wanted);
  }
}
