#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace flyball {

/// FNV-1a, 64 bits (Fowler, Noll, Vo): stable over machines and versions, which std::hash is not.
class Fnv1a {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<std::uint8_t>(c));
    add_byte(0);
  }
  void add(std::int64_t number) {
    for (int i = 0; i < 8; ++i) add_byte(static_cast<std::uint8_t>(number >> (8 * i)));
  }
  void add(int number) { add(std::int64_t{number}); }
  void add(std::uint64_t number) { add(static_cast<std::int64_t>(number)); }
  void add(double number) { add(std::bit_cast<std::int64_t>(number)); }
  template <typename... Parts>
  void add_all(const Parts&... parts) {
    (add(parts), ...);
  }
  std::uint64_t value() const { return value_; }

 private:
  void add_byte(std::uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace flyball
