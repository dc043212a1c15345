#pragma once

#include <cstdint>

#include "kernels/base/random.h"

namespace flyball {

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): one counter, integers only, so the same numbers
/// on every machine. Keys mixed into the seed give independent streams: image 7 does not depend on
/// whether image 6 was made.
class DataRandom {
 public:
  explicit DataRandom(std::uint64_t seed) : state_(seed) {}
  template <class... Keys>
  DataRandom(std::uint64_t seed, std::uint64_t key, Keys... keys)
      : DataRandom(DataRandom(seed ^ (key * kSplitmixStep + 0x632be59bd9b4e019u)).next(),
                   keys...) {}

  std::uint64_t next() {
    return splitmix64(state_ += kSplitmixStep);
  }
  /// In [0, n); n up to 2^32. The bias of at most n / 2^32 does not matter for pictures.
  std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>((next() >> 32) * n >> 32);
  }
  /// In [0, 1), a multiple of 2^-24, so exact in a float.
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24f; }
  float uniform(float low, float high) { return low + (high - low) * uniform(); }
  bool chance(float probability) { return uniform() < probability; }

 private:
  std::uint64_t state_;
};

}  // namespace flyball
