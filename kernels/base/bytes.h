#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/base/error.h"

namespace flyball {

/// Appends little-endian numbers, whatever the machine.
class ByteWriter {
 public:
  void u8(std::uint8_t v) { bytes_.push_back(v); }
  void u16(std::uint16_t v) { put(v, 2); }
  void u32(std::uint32_t v) { put(v, 4); }
  void u64(std::uint64_t v) { put(v, 8); }
  void f32(float v) { put(std::bit_cast<std::uint32_t>(v), 4); }
  void f64(double v) { put(std::bit_cast<std::uint64_t>(v), 8); }
  void bytes(const std::vector<std::uint8_t>& v) {
    bytes_.insert(bytes_.end(), v.begin(), v.end());
  }
  /// Many 32-bit words of plain data at once.
  void words(std::span<const std::byte> v) {
    const std::size_t at = bytes_.size();
    const auto* from = reinterpret_cast<const std::uint8_t*>(v.data());
    bytes_.insert(bytes_.end(), from, from + v.size());
    if constexpr (std::endian::native != std::endian::little) {
      for (std::size_t i = at; i < bytes_.size(); i += 4)
        std::reverse(bytes_.begin() + static_cast<std::ptrdiff_t>(i),
                     bytes_.begin() + static_cast<std::ptrdiff_t>(i) + 4);
    }
  }
  void text(std::string_view v) {
    u32(static_cast<std::uint32_t>(v.size()));
    bytes_.insert(bytes_.end(), v.begin(), v.end());
  }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }
  const std::vector<std::uint8_t>& view() const { return bytes_; }
  /// Up to so many bytes in all, the next calls allocate nothing.
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  /// Empties it and keeps its room.
  void clear() { bytes_.clear(); }

 private:
  void put(std::uint64_t v, int size) {
    for (int i = 0; i < size; ++i) bytes_.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
  }
  std::vector<std::uint8_t> bytes_;
};

/// Reads them back. Throws Error (kInput) on a payload that ends early, goes on too long or holds a
/// number that is not finite.
class ByteReader {
 public:
  ByteReader(const std::vector<std::uint8_t>& bytes, std::string what)
      : bytes_(bytes), what_(std::move(what)) {}
  std::uint8_t u8() { return static_cast<std::uint8_t>(get(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(get(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(get(4)); }
  std::uint64_t u64() { return get(8); }
  float f32() { return finite(std::bit_cast<float>(u32())); }
  double f64() { return finite(std::bit_cast<double>(u64())); }
  /// Of at most `max` bytes.
  std::string text(std::size_t max) {
    const std::size_t size = u32();
    if (size > max || bytes_.size() - at_ < size) reject("it has a name that is cut off");
    std::string v(bytes_.begin() + static_cast<std::ptrdiff_t>(at_),
                  bytes_.begin() + static_cast<std::ptrdiff_t>(at_ + size));
    at_ += size;
    return v;
  }
  /// Passes over `size` bytes.
  void skip(std::size_t size) {
    if (bytes_.size() - at_ < size) reject("it ends within its tables");
    at_ += size;
  }
  std::size_t at() const { return at_; }
  /// A number that must have this value: versions and shapes.
  void expect(std::uint32_t expected, const char* name) {
    const std::uint32_t found = u32();
    if (found != expected) {
      reject(std::string(name) + " is " + std::to_string(found) + " where this program needs " +
             std::to_string(expected));
    }
  }
  void end() const {
    if (at_ != bytes_.size()) reject("it is longer than its tables");
  }
  [[noreturn]] void reject(const std::string& why) const {
    input_error(what_, why, "train the policy again for this platform and scenario");
  }

 private:
  std::uint64_t get(std::size_t size) {
    if (bytes_.size() - at_ < size) reject("it ends within its tables");
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < size; ++i) v |= std::uint64_t{bytes_[at_ + i]} << (8 * i);
    at_ += size;
    return v;
  }
  template <typename T>
  T finite(T v) const {
    if (!std::isfinite(v)) reject("a table holds a number that is not finite");
    return v;
  }
  const std::vector<std::uint8_t>& bytes_;
  std::string what_;
  std::size_t at_ = 0;
};

}  // namespace flyball
