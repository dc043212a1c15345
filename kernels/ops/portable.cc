// Vectors of four floats, as every x86-64 and aarch64 machine has them, made by the compiler alone.
#include <cstddef>
#include <cstdint>

#include "kernels/ops/operators.h"

namespace flyball {
namespace {

#include "kernels/ops/vectors.h"

constexpr int kLanes = 4;
constexpr int kInputsAtOnce = 1;
constexpr int kPairLanes = 8;

// Pixels of a tile by its channels: up to twelve sums.
template <int kChannels>
constexpr int kTilePixels = kChannels == 24   ? 2
                            : kChannels == 16 ? 3
                                              : 6;
template <int kChannels>
constexpr int kPairTilePixels = 1;

using Pair = const Quantized*;
FLYBALL_INLINE Pair pair_at(const Quantized* from) { return from; }

template <int kCount>
struct PairWeights {
  Quantized value[2 * kCount];
  template <class Weight>
  FLYBALL_INLINE static PairWeights load_from(const Weight* from) {
    PairWeights weights;
    for (int i = 0; i < 2 * kCount; ++i) weights.value[i] = from[i];
    return weights;
  }
};

template <int kCount>
struct PairSums {
  int value[kCount];
  FLYBALL_INLINE void clear() {
    for (int& sum : value) sum = 0;
  }
  FLYBALL_INLINE void add(const PairWeights<kCount>& weights, Pair pair) {
    for (int o = 0; o < kCount; ++o)
      value[o] += pair[0] * weights.value[2 * o] + pair[1] * weights.value[2 * o + 1];
  }
  FLYBALL_INLINE void store_to(int* to) const {
    for (int o = 0; o < kCount; ++o) to[o] = value[o];
  }
};

#include "kernels/ops/blocked_convolution.h"
#include "kernels/ops/blocked_quantized.h"
#include "kernels/ops/blocked_quantized_winograd.h"
#include "kernels/ops/blocked_rest.h"
#include "kernels/ops/blocked_winograd.h"
#include "kernels/ops/table.h"

}  // namespace

const Operators& portable_operators() {
  static constexpr Operators kOperators = table_of("portable");
  return kOperators;
}

}  // namespace flyball
