// Pooling, fully connected and the operators on single values; see blocked.h.
#pragma once
#include "kernels/ops/blocked.h"

/// Any pooling, as start, combined with each pixel of the window that is inside, then finished.
template <int kMost, class Op, class Start, class Combine, class End>
FLYBALL_INLINE void pool_windows(const Op& op, int row_begin, int row_end, Start&& start,
                                 Combine&& combine, End&& end) {
  for (int y = row_begin; y < row_end; ++y) {
    const int in_y = y * op.stride - op.pad;
    const Span ky = clip(in_y, op.window, op.in.height);
    for (int x = 0; x < op.out.width; ++x) {
      const int in_x = x * op.stride - op.pad;
      const Span kx = clip(in_x, op.window, op.in.width);
      for_vectors<kMost>(
          op.out.channels, [&]<int kCount>(int c) __attribute__((always_inline)) {
            auto result = start.template operator()<kCount>();
            for (int k = ky.begin; k < ky.end; ++k)
              for (int l = kx.begin; l < kx.end; ++l)
                result = combine(result, load<kCount>(op.in.at(in_y + k, in_x + l) + c));
            store<kCount>(op.out.at(y, x) + c, end(result));
          });
    }
  }
}

/// Maxima of 3 x 3 windows, two apart. Windows share a column, whose maximum is passed on. Where a
/// window leaves the image, the row or column nearest to it counts twice instead.
template <int kMost, class Op>
FLYBALL_INLINE void max_three_by_two(const Op& op, int row_begin, int row_end) {
  const int last = op.in.width - 1;
  for (int y = row_begin; y < row_end; ++y) {
    const int middle = y * 2 - op.pad + 1;
    const auto* const above = op.in.at(larger(middle - 1, 0), 0);
    const auto* const here = op.in.at(middle, 0);
    const auto* const below = op.in.at(smaller(middle + 1, op.in.height - 1), 0);
    for_vectors<kMost>(
        op.out.channels, [&]<int kCount>(int c) __attribute__((always_inline)) {
          const auto column = [&](int x) __attribute__((always_inline)) {
            const std::ptrdiff_t at = x * op.in.pixel_stride + c;
            return maximum(maximum(load<kCount>(above + at), load<kCount>(here + at)),
                           load<kCount>(below + at));
          };
          auto left = column(0);  // with a pad of 1 in place of column -1
          for (int x = 0; x < op.out.width; ++x) {
            const int in_x = x * 2 - op.pad;
            const auto right = column(smaller(in_x + 2, last));
            store<kCount>(op.out.at(y, x) + c, maximum(maximum(left, column(in_x + 1)), right));
            left = right;
          }
        });
  }
}

template <int kMost, class Op, class T>
FLYBALL_INLINE void max_of(const Op& op, int row_begin, int row_end, T lowest) {
  if (op.window == 3 && op.stride == 2 && op.pad <= 1 && op.in.width > 1 && op.in.height > 1) {
    max_three_by_two<kMost>(op, row_begin, row_end);
    return;
  }
  pool_windows<kMost>(
      op, row_begin, row_end,
      [&]<int kCount>()
          __attribute__((always_inline)) { return typename VectorOf<T, kCount>::Type{} + lowest; },
      [](auto a, auto b) __attribute__((always_inline)) { return maximum(a, b); },
      [](auto a) __attribute__((always_inline)) { return a; });
}

void max_pooling(const Pooling& op, int row_begin, int row_end) {
  max_of<kLanes>(op, row_begin, row_end, -__FLT_MAX__);
}

void quantized_max_pooling(const QuantizedPooling& op, int row_begin, int row_end) {
  max_of<2 * kLanes>(op, row_begin, row_end, static_cast<Quantized>(-32768));
}

void average_pooling(const Pooling& op, int row_begin, int row_end) {
  const float share = 1.0f / static_cast<float>(op.window * op.window);
  pool_windows<kLanes>(
      op, row_begin, row_end,
      []<int kCount>() __attribute__((always_inline)) { return Floats<kCount>{}; },
      [](auto a, auto b) __attribute__((always_inline)) { return a + b; },
      [&](auto a) __attribute__((always_inline)) { return a * share; });
}

void fully_connected(const float* in, int inputs, const float* weights, const float* bias,
                     float* out, int outputs) {
  for_vectors<kLanes>(
      outputs, [&]<int kCount>(int o) __attribute__((always_inline)) {
        const auto weight = [&](int i) __attribute__((always_inline)) {
          return load<kCount>(weights + std::ptrdiff_t{i} * outputs + o);
        };
        // Four sums, because one has to wait four cycles for itself.
        Floats<kCount> sum[4] = {};
        int i = 0;
        for (; i + 4 <= inputs; i += 4) {
#pragma GCC unroll 4
          for (int s = 0; s < 4; ++s) sum[s] += weight(i + s) * in[i + s];
        }
        for (; i < inputs; ++i) sum[0] += weight(i) * in[i];
        const Floats<kCount> start = bias ? load<kCount>(bias + o) : Floats<kCount>{};
        store<kCount>(out + o, start + ((sum[0] + sum[1]) + (sum[2] + sum[3])));
      });
}

void relu(float* values, int count) {
  for (int i = 0; i < count; ++i) values[i] = values[i] > 0 ? values[i] : 0.0f;
}

void scale_bias(const Image& image, const float* scale, const float* bias) {
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      float* const pixel = image.at(y, x);
      for (int c = 0; c < image.channels; ++c) pixel[c] = pixel[c] * scale[c] + bias[c];
    }
}

// Ten classes: nothing to gain from vectors.
void softmax(const float* in, float* out, int count) {
  reference_operators().softmax(in, out, count);
}
