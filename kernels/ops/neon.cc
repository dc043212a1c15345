// For aarch64, where every machine has NEON with fused multiply-add.
#include <cstddef>
#include <cstdint>

#include "kernels/ops/operators.h"

#if defined(__aarch64__)
#include <arm_neon.h>

namespace flyball {
namespace {

#include "kernels/ops/vectors.h"

constexpr int kLanes = 4;
constexpr int kInputsAtOnce = 4;
constexpr int kPairLanes = 8;

FLYBALL_INLINE float32x4_t maximum(float32x4_t a, float32x4_t b) { return vmaxq_f32(a, b); }
FLYBALL_INLINE float32x4_t minimum(float32x4_t a, float32x4_t b) { return vminq_f32(a, b); }

template <>
struct Nearest<4> {
  FLYBALL_INLINE static Shorts<4> of(float32x4_t value) { return vmovn_s32(vcvtnq_s32_f32(value)); }
};

template <int kLane>
FLYBALL_INLINE float32x4_t multiply_add_lane(float32x4_t sum, float32x4_t weights,
                                             float32x4_t inputs) {
  return vfmaq_laneq_f32(sum, weights, inputs, kLane);
}

// Pixels of a tile by its channels: 24 sums of four lanes, which with a vector of four inputs for
// each pixel and one or two of weights fill the 32 registers.
template <int kChannels>
constexpr int kTilePixels = kChannels == 24   ? 4
                            : kChannels == 16 ? 6
                                              : 8;
template <int kChannels>
constexpr int kPairTilePixels = kTilePixels<kChannels>;

using Pair = int16x4_t;  // the first two lanes
FLYBALL_INLINE Pair pair_at(const Quantized* from) {
  int both;
  __builtin_memcpy(&both, from, sizeof both);
  return vreinterpret_s16_s32(vdup_n_s32(both));
}

template <int kCount>
struct PairWeights {
  int16x8_t first, second;
  FLYBALL_INLINE static PairWeights load_from(const std::int8_t* from) {
    const int8x8x2_t pairs = vld2_s8(from);
    return {vmovl_s8(pairs.val[0]), vmovl_s8(pairs.val[1])};
  }
  FLYBALL_INLINE static PairWeights load_from(const std::int16_t* from) {
    const int16x8x2_t pairs = vld2q_s16(from);
    return {pairs.val[0], pairs.val[1]};
  }
};

template <int kCount>
struct PairSums {
  int32x4_t low, high;
  FLYBALL_INLINE void clear() { low = high = vdupq_n_s32(0); }
  FLYBALL_INLINE void add(const PairWeights<kCount>& weights, Pair pair) {
    low = vmlal_lane_s16(low, vget_low_s16(weights.first), pair, 0);
    high = vmlal_high_lane_s16(high, weights.first, pair, 0);
    low = vmlal_lane_s16(low, vget_low_s16(weights.second), pair, 1);
    high = vmlal_high_lane_s16(high, weights.second, pair, 1);
  }
  FLYBALL_INLINE void store_to(int* to) const {
    vst1q_s32(to, low);
    vst1q_s32(to + 4, high);
  }
};

#include "kernels/ops/blocked_convolution.h"
#include "kernels/ops/blocked_quantized.h"
#include "kernels/ops/blocked_quantized_winograd.h"
#include "kernels/ops/blocked_rest.h"
#include "kernels/ops/blocked_winograd.h"
#include "kernels/ops/table.h"

}  // namespace

extern constinit const Operators kNeonOperators;
constinit const Operators kNeonOperators = table_of("neon");
}  // namespace flyball
#endif
