// Compiled for AVX-512 F, BW, DQ and VL on x86; nothing here may run before avx512_operators() has
// looked at the CPU.
#include <cstddef>
#include <cstdint>

#include "kernels/ops/operators.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include <immintrin.h>

namespace flyball {
namespace {

#include "kernels/ops/vectors.h"

constexpr int kLanes = 16;
constexpr int kInputsAtOnce = 1;
constexpr int kPairLanes = 16;

FLYBALL_INLINE __m512 maximum(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
FLYBALL_INLINE __m256 maximum(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }
FLYBALL_INLINE __m256 minimum(__m256 a, __m256 b) { return _mm256_min_ps(a, b); }
FLYBALL_INLINE __m512 minimum(__m512 a, __m512 b) { return _mm512_min_ps(a, b); }

template <>
struct Nearest<8> {
  FLYBALL_INLINE static Shorts<8> of(__m256 value) {
    const __m256i all = _mm256_cvtps_epi32(value);
    return reinterpret_cast<Shorts<8>>(
        _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
  }
};
template <>
struct Nearest<16> {
  FLYBALL_INLINE static Shorts<16> of(__m512 value) {
    return reinterpret_cast<Shorts<16>>(_mm512_cvtepi32_epi16(_mm512_cvtps_epi32(value)));
  }
};

// Pixels of a tile by its channels. Two pipes of four cycles want eight sums; what limits it to
// these is that each pixel has a pointer, and there are fifteen registers for those.
template <int kChannels>
constexpr int kTilePixels = kChannels == 16 ? 10 : 8;
template <int kChannels>
constexpr int kPairTilePixels = kTilePixels<kChannels>;

using Pair = __m512i;  // sixteen copies
FLYBALL_INLINE Pair pair_at(const Quantized* from) {
  int both;
  __builtin_memcpy(&both, from, sizeof both);
  return _mm512_set1_epi32(both);
}

template <int kCount>
struct PairWeights;
template <int kCount>
struct PairSums;

template <>
struct PairWeights<16> {
  __m512i value;
  FLYBALL_INLINE static PairWeights load_from(const std::int8_t* from) {
    return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)))};
  }
  FLYBALL_INLINE static PairWeights load_from(const std::int16_t* from) {
    return {_mm512_loadu_si512(from)};
  }
};
template <>
struct PairSums<16> {
  __m512i value;
  FLYBALL_INLINE void clear() { value = _mm512_setzero_si512(); }
  FLYBALL_INLINE void add(PairWeights<16> weights, Pair pair) {
    value = _mm512_add_epi32(value, _mm512_madd_epi16(weights.value, pair));
  }
  FLYBALL_INLINE void store_to(int* to) const { _mm512_storeu_si512(to, value); }
};

template <>
struct PairWeights<8> {
  __m256i value;
  FLYBALL_INLINE static PairWeights load_from(const std::int8_t* from) {
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)))};
  }
  FLYBALL_INLINE static PairWeights load_from(const std::int16_t* from) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))};
  }
};
template <>
struct PairSums<8> {
  __m256i value;
  FLYBALL_INLINE void clear() { value = _mm256_setzero_si256(); }
  FLYBALL_INLINE void add(PairWeights<8> weights, Pair pair) {
    value = _mm256_add_epi32(value, _mm256_madd_epi16(weights.value, _mm512_castsi512_si256(pair)));
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

extern constinit const Operators kAvx512Operators;
constinit const Operators kAvx512Operators = table_of("avx512");
}  // namespace flyball
#endif
