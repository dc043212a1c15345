#pragma once

#include <cstdint>

namespace flyball {

/// splitmix64 (Steele, Lea, Flood, OOPSLA 2014): one addition and three multiplications a number,
/// the same on every machine, and its whole state is one number that a policy file can hold.
class AgentRng {
 public:
  explicit AgentRng(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Uniform in 0 .. n - 1 (the bias of the multiplication is below n / 2^32).
  int below(int n) {
    return static_cast<int>(((next() >> 32) * static_cast<std::uint64_t>(n)) >> 32);
  }

 private:
  std::uint64_t state_;
};

}  // namespace flyball
