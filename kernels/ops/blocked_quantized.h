// The int8 operators; see blocked.h. The instruction set's file has defined
//   kPairLanes      sums in its widest PairSums, 8 or 16
//   PairWeights<n>  of n outputs for a pair of inputs: load_from(const std::int8_t*), and the same
//                   of std::int16_t
//   PairSums<n>     n sums: clear(), add(PairWeights<n>, Pair), store_to(int*)
//   Pair            two inputs, as add() takes them: pair_at(const Quantized*)
// for n = kPairLanes and 8.
#pragma once
#include "kernels/ops/blocked_tiles.h"

/// kChannels sums of one pixel, as Row.
template <int kChannels>
struct PairRow {
  static constexpr int kHead = kChannels < kPairLanes ? kChannels : kPairLanes;
  PairSums<kHead> head;
  PairRow<kChannels - kHead> rest;

  FLYBALL_INLINE void clear() {
    head.clear();
    rest.clear();
  }
  FLYBALL_INLINE void store_to(int* to) const {
    head.store_to(to);
    rest.store_to(to + kHead);
  }
};
template <>
struct PairRow<0> {
  FLYBALL_INLINE void clear() {}
  FLYBALL_INLINE void store_to(int*) const {}
};

/// One pair of inputs of each pixel into kChannels of its sums, sum(p). Two vectors at a time share
/// a pixel's pair: for three, AVX2 has a register too few.
template <int kPixels, int kChannels, class SumOf, class Weight>
FLYBALL_INLINE void add_pairs(SumOf&& sum, const Quantized* const* pixel, std::ptrdiff_t i,
                              const Weight* weight) {
  if constexpr (kChannels >= 2 * kPairLanes) {
    const auto first = PairWeights<kPairLanes>::load_from(weight);
    const auto second = PairWeights<kPairLanes>::load_from(weight + 2 * kPairLanes);
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) {
      const Pair pair = pair_at(pixel[p] + i);
      sum(p).head.add(first, pair);
      sum(p).rest.head.add(second, pair);
    }
    // Else the compiler keeps the pairs for what follows, and sums in memory instead.
    asm("" : : : "memory");
    add_pairs<kPixels, kChannels - 2 * kPairLanes>(
        [&](int p) __attribute__((always_inline))->auto& { return sum(p).rest.rest; }, pixel, i,
        weight + 4 * kPairLanes);
  } else if constexpr (kChannels > 0) {
    constexpr int kHead = kChannels < kPairLanes ? kChannels : kPairLanes;
    const auto weights = PairWeights<kHead>::load_from(weight);
#pragma GCC unroll 16
    for (int p = 0; p < kPixels; ++p) sum(p).head.add(weights, pair_at(pixel[p] + i));
    add_pairs<kPixels, kChannels - kHead>(
        [&](int p) __attribute__((always_inline))->auto& { return sum(p).rest; }, pixel, i,
        weight + 2 * kHead);
  }
}

/// Not inlined, as convolve_tile. Leaves the sums in memory: what follows is the same for all
/// tiles.
template <int kPixels, int kChannels>
[[gnu::noinline]] void quantized_tile(const Quantized* const* in, const std::int8_t* weights,
                                      const Runs& runs, int* sums) {
  PairRow<kChannels> sum[kPixels];
  const Quantized* pixel[kPixels];
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) {
    pixel[p] = in[p];
    sum[p].clear();
  }
  const std::ptrdiff_t step = runs.weight_step;
  for (int r = 0; r < runs.rows; ++r)
    for (int q = 0; q < runs.runs; ++q) {
      const std::int8_t* weight = weights + r * runs.weight_row_step + q * runs.weight_run_step;
      const std::ptrdiff_t begin = r * runs.row_step + q * runs.run_step;
      const std::ptrdiff_t end = begin + runs.length;
      for (std::ptrdiff_t i = begin; i < end; i += 2, weight += step)
        add_pairs<kPixels, kChannels>(
            [&](int p) __attribute__((always_inline))->auto& { return sum[p]; }, pixel, i, weight);
    }
#pragma GCC unroll 16
  for (int p = 0; p < kPixels; ++p) sum[p].store_to(sums + p * kChannels);
}

/// The smallest value that is written, where the operator has no ReLU.
FLYBALL_INLINE float lowest_of(const float*) { return -__builtin_inff(); }
FLYBALL_INLINE float lowest_of(const Quantized*) { return -127.0f; }

template <int kCount>
FLYBALL_INLINE void write(Floats<kCount> value, float* to) {
  store<kCount>(to, value);
}
template <int kCount>
FLYBALL_INLINE void write(Floats<kCount> value, Quantized* to) {
  store<kCount>(to, Nearest<kCount>::of(minimum(value, Floats<kCount>{} + 127.0f)));
}

/// kWidth sums from channel `c` of the panel on into `to`.
template <class T>
FLYBALL_INLINE void finish_vector(Ints<kWidth> sums, const ScaleBias& after, int c, float lowest,
                                  T* to) {
  const Floats<kWidth> sum = __builtin_convertvector(sums, Floats<kWidth>);
  const Floats<kWidth> scaled = rounded(sum * load<kWidth>(after.scale + c));
  write<kWidth>(maximum(scaled + load<kWidth>(after.bias + c), Floats<kWidth>{} + lowest), to);
}

/// One pixel's sums into `wanted` values of the output.
template <int kChannels, class T>
FLYBALL_INLINE void finish_sums(const int* sums, const ScaleBias& after, float lowest, int wanted,
                                T* out) {
  T values[kChannels];
  T* const to = wanted == kChannels ? out : values;
#pragma GCC unroll 8
  for (int c = 0; c < kChannels; c += kWidth)
    finish_vector(load<kWidth>(sums + c), after, c, lowest, to + c);
  if (wanted != kChannels)
    for (int c = 0; c < wanted; ++c) out[c] = values[c];
}

template <int kChannels, class T>
void quantized_channels(const QuantizedConvolution& op, const BasicImage<T>& out,
                        const Block& block, int first, int wanted, int panel) {
  constexpr int kPixels = kPairTilePixels<kChannels>;
  const Runs runs = runs_of(op, block, 2 * panel, 2);
  const std::int8_t* const weights = op.weights + first / panel * op.window * runs.weight_row_step +
                                     block.ky.begin * runs.weight_row_step +
                                     block.kx.begin * runs.weight_run_step;
  const ScaleBias after(op.scale, op.bias, first, wanted);
  const float lowest = op.relu ? 0.0f : lowest_of(out.data);
  Walk from(first_input(op, block, 0), block, op.stride * op.in.pixel_stride,
            op.stride * op.in.row_stride);
  Walk to(out.at(block.y_begin, block.x_begin) + first, block, out.pixel_stride, out.row_stride);
  for (int left = (block.y_end - block.y_begin) * (block.x_end - block.x_begin); left > 0;) {
    const int count = next_tile(left, kPixels);
    const Quantized* in[kPixels];
    int sums[kPixels * kChannels];
    for (int p = 0; p < count; ++p) in[p] = from.next();
    with_count<kPixels>(
        count, [&]<int kCount>() { quantized_tile<kCount, kChannels>(in, weights, runs, sums); });
    for (int p = 0; p < count; ++p)
      finish_sums<kChannels>(sums + p * kChannels, after, lowest, wanted, to.next());
    left -= count;
  }
}

template <class T>
void quantized_rows(const QuantizedConvolution& op, const BasicImage<T>& out, int row_begin,
                    int row_end) {
  const int panel = panel_channels(op.weight_outputs);
  for_blocks(op, out.width, row_begin, row_end, [&](const Block& block) {
    for_panels(out.channels, panel, [&]<int kChannels>(int first, int wanted) {
      quantized_channels<kChannels>(op, out, block, first, wanted, panel);
    });
  });
}

void quantized_convolution(const QuantizedConvolution& op, int row_begin, int row_end) {
  if (op.out.data)
    quantized_rows(op, op.out, row_begin, row_end);
  else
    quantized_rows(op, op.out_float, row_begin, row_end);
}

void quantize(const float* in, int count, float scale, Quantized* out) {
  for_vectors<kLanes>(
      count, [&]<int kCount>(int c) __attribute__((always_inline)) {
        const Floats<kCount> least = Floats<kCount>{} + lowest_of(out);
        write<kCount>(maximum(load<kCount>(in + c) * scale, least), out + c);
      });
}
