// Vectors, and what the blocked operators share. The blocked*.h are included once per instruction
// set, inside an unnamed namespace, by a file that is compiled for that set and has defined:
//   kLanes                    floats in its widest vector
//   kTilePixels<channels>     pixels of a tile for 24, 16 and 8 channels; kPairTilePixels in int8
//   kInputsAtOnce             4 where it multiplies by one lane of a vector, and then
//                             multiply_add_lane<lane>(sum, weights, inputs); else 1
//   maximum(a, b)             where it has an instruction for it
//   kPairLanes and more       for int8: see blocked_quantized.h
// They call no inline function of the standard library: the linker keeps one copy of those, and it
// could be the one that only this set's machines can run.
#pragma once
#include "kernels/ops/vectors.h"

using Vector = Floats<kLanes>;
constexpr int kWidth = kLanes < 8 ? kLanes : 8;  // of vectors that divide a panel

FLYBALL_INLINE int smaller(int a, int b) { return a < b ? a : b; }
FLYBALL_INLINE int larger(int a, int b) { return a > b ? a : b; }

/// The part [begin, end) of a window of `size` that lies inside [0, limit) when it starts at
/// `origin`.
struct Span {
  int begin;
  int end;
};
FLYBALL_INLINE Span clip(int origin, int size, int limit) {
  return {larger(0, -origin), smaller(size, limit - origin)};
}

/// Calls visit.operator()<lanes>(c) for vectors that together cover [0, channels). The last one may
/// overlap the one before it: what visit writes must not be what it reads.
template <int kMost, class Visit>
FLYBALL_INLINE void for_vectors(int channels, Visit&& visit) {
  if (channels >= kMost) {
    for (int c = 0; c + kMost <= channels; c += kMost) visit.template operator()<kMost>(c);
    if (channels % kMost != 0) visit.template operator()<kMost>(channels - kMost);
  } else if constexpr (kMost > 1) {
    for_vectors<(kMost > 4 ? kMost / 2 : 1)>(channels, visit);
  }
}

/// kChannels floats of one pixel in as few registers as hold them: with AVX-512, 24 are one of 16
/// and one of 8.
template <int kChannels>
struct Row {
  static constexpr int kHead = kChannels < kLanes ? kChannels : kLanes;
  Floats<kHead> head;
  Row<kChannels - kHead> rest;

  FLYBALL_INLINE static Row zero() { return {Floats<kHead>{}, Row<kChannels - kHead>::zero()}; }
  FLYBALL_INLINE static Row load_from(const float* from) {
    return {load<kHead>(from), Row<kChannels - kHead>::load_from(from + kHead)};
  }
  FLYBALL_INLINE void store_to(float* to) const {
    store<kHead>(to, head);
    rest.store_to(to + kHead);
  }
  FLYBALL_INLINE void add(const Row& weight, float pixel) {
    head += weight.head * pixel;
    rest.add(weight.rest, pixel);
  }
  /// max(this * scale + bias, lowest)
  FLYBALL_INLINE void finish(const float* scale, const float* bias, float lowest) {
    head = maximum(head * load<kHead>(scale) + load<kHead>(bias), Floats<kHead>{} + lowest);
    rest.finish(scale + kHead, bias + kHead, lowest);
  }
};
template <>
struct Row<0> {
  FLYBALL_INLINE static Row zero() { return {}; }
  FLYBALL_INLINE static Row load_from(const float*) { return {}; }
  FLYBALL_INLINE void store_to(float*) const {}
  FLYBALL_INLINE void add(const Row&, float) {}
  FLYBALL_INLINE void finish(const float*, const float*, float) {}
};
