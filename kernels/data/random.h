#pragma once

#include <cstdint>

namespace flyball {

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): one counter, integers only, so the same numbers
/// on every machine. Keys mixed into the seed give independent streams: image 7 does not depend on
/// whether image 6 was made.
class DataRandom {
 public:
  explicit DataRandom(std::uint64_t seed) : state_(seed) {}
  template <class... Keys>
  DataRandom(std::uint64_t seed, std::uint64_t key, Keys... keys)
      : DataRandom(DataRandom(seed ^ (key * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u)).next(),
                   keys...) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
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
