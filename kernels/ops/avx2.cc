// Compiled with -mavx2 -mfma on x86; nothing here may run before avx2_operators() has looked at the
// CPU.
#include <cstddef>
#include <cstdint>

#include "kernels/ops/operators.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

namespace flyball {
namespace {

#include "kernels/ops/vectors.h"

constexpr int kLanes = 8;
constexpr int kInputsAtOnce = 1;
constexpr int kPairLanes = 8;

FLYBALL_INLINE __m256 maximum(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }
FLYBALL_INLINE __m256 minimum(__m256 a, __m256 b) { return _mm256_min_ps(a, b); }

template <>
struct Nearest<8> {
  FLYBALL_INLINE static Shorts<8> of(__m256 value) {
    const __m256i all = _mm256_cvtps_epi32(value);
    return reinterpret_cast<Shorts<8>>(
        _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
  }
};

// Pixels of a tile by its channels: twelve sums of eight lanes, which with the two or three vectors
// of weights and one pixel fill the sixteen registers, and hide the four or five cycles of an FMA
// on two pipes.
template <int kChannels>
constexpr int kTilePixels = kChannels == 24   ? 4
                            : kChannels == 16 ? 6
                                              : 8;
template <int kChannels>
constexpr int kPairTilePixels = kTilePixels<kChannels>;

using Pair = __m256i;  // eight copies
FLYBALL_INLINE Pair pair_at(const Quantized* from) {
  int both;
  __builtin_memcpy(&both, from, sizeof both);
  return _mm256_set1_epi32(both);
}

template <int kCount>
struct PairWeights {
  __m256i value;
  FLYBALL_INLINE static PairWeights load_from(const std::int8_t* from) {
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)))};
  }
  FLYBALL_INLINE static PairWeights load_from(const std::int16_t* from) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))};
  }
};

template <int kCount>
struct PairSums {
  __m256i value;
  FLYBALL_INLINE void clear() { value = _mm256_setzero_si256(); }
  FLYBALL_INLINE void add(PairWeights<kCount> weights, Pair pair) {
    value = _mm256_add_epi32(value, _mm256_madd_epi16(weights.value, pair));
  }
  FLYBALL_INLINE void store_to(int* to) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), value);
  }
};

#include "kernels/ops/blocked_convolution.h"
#include "kernels/ops/blocked_quantized.h"
#include "kernels/ops/blocked_quantized_winograd.h"
#include "kernels/ops/blocked_rest.h"
#include "kernels/ops/blocked_winograd.h"
#include "kernels/ops/table.h"

}  // namespace

extern constinit const Operators kAvx2Operators;
constinit const Operators kAvx2Operators = table_of("avx2");
}  // namespace flyball
#endif
