#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace flyball {

/// Small magnitudes of both signs as small numbers: 0, -1, 1, -2, ... -> 0, 1, 2, 3, ...
inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

/// Appends bits, lowest first, to bytes that have room for them.
class BitWriter {
 public:
  explicit BitWriter(std::uint8_t* at) : at_(at) {}
  /// The lowest `count` bits (at most 64) of `value`.
  void put(std::uint64_t value, int count) {
    if (count > 32) {
      put(value & 0xffff'ffffu, 32);
      value >>= 32;
      count -= 32;
    }
    held_ |= (value & ((std::uint64_t{1} << count) - 1)) << used_;
    used_ += count;
    for (; used_ >= 8; used_ -= 8, held_ >>= 8) *at_++ = static_cast<std::uint8_t>(held_);
  }
  /// Fills up the last byte; where the next one goes.
  std::uint8_t* finish() {
    if (used_ > 0) *at_++ = static_cast<std::uint8_t>(held_);
    used_ = 0;
    held_ = 0;
    return at_;
  }

 private:
  std::uint8_t* at_;
  std::uint64_t held_ = 0;
  int used_ = 0;
};

/// Reads them back. Past the end it reads zeros, and says so.
class BitReader {
 public:
  BitReader(const std::uint8_t* at, const std::uint8_t* stop) : at_(at), stop_(stop) {}
  std::uint64_t get(int count) {
    if (count > 32) {
      const std::uint64_t low = get(32);
      return low | get(count - 32) << 32;
    }
    for (; used_ < count; used_ += 8) {
      if (at_ < stop_)
        held_ |= std::uint64_t{*at_++} << used_;
      else
        overrun_ = true;
    }
    const std::uint64_t value = held_ & ((std::uint64_t{1} << count) - 1);
    held_ >>= count;
    used_ -= count;
    return value;
  }
  bool overrun() const { return overrun_; }
  const std::uint8_t* finish() const { return at_; }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* stop_;
  std::uint64_t held_ = 0;
  int used_ = 0;
  bool overrun_ = false;
};

/// Codes the numbers (1 or more) of one row of a table in a Rice code whose parameter follows their
/// size, so that a number takes about as many bits as the ones before it had.
class RiceRow {
 public:
  void put(BitWriter& out, std::uint64_t value) {
    const int low = low_bits();
    const std::uint64_t high = (value - 1) >> low;
    if (!seen_ || high >= kEscape) {
      if (seen_) out.put((1u << kEscape) - 1, kEscape);
      put_long(out, value);
    } else {
      out.put((std::uint64_t{1} << high) - 1, static_cast<int>(high) + 1);
      out.put(value - 1, low);
    }
    follow(value);
  }
  std::uint64_t get(BitReader& in) {
    std::uint64_t value, high = 0;
    if (seen_)
      while (high < kEscape && in.get(1) == 1) ++high;
    if (!seen_ || high == kEscape) {
      value = get_long(in);
    } else {
      const int low = low_bits();
      value = (high << low | in.get(low)) + 1;
    }
    follow(value);
    return value;
  }

  /// A number that tells nothing of those to come: its length, then its bits.
  static void put_long(BitWriter& out, std::uint64_t value) {
    const int more = static_cast<int>(std::bit_width(value)) - 1;
    out.put(static_cast<std::uint64_t>(more), 6);
    out.put(value, more);
  }
  static std::uint64_t get_long(BitReader& in) {
    const int more = static_cast<int>(in.get(6));
    return in.get(more) | std::uint64_t{1} << more;
  }
  static constexpr std::size_t kMaxBits = 12 + 6 + 63;

 private:
  static constexpr std::uint64_t kEscape = 12;
  int low_bits() const { return static_cast<int>(std::bit_width(mean_ >> 5)); }
  void follow(std::uint64_t value) {
    const std::uint64_t scaled = std::min(value, std::uint64_t{1} << 40) << 4;
    mean_ = seen_ ? mean_ - (mean_ >> 2) + (scaled >> 2) : scaled;
    seen_ = true;
  }
  std::uint64_t mean_ = 0;  ///< in 16ths
  bool seen_ = false;
};

}  // namespace flyball
