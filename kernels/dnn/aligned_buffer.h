#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

namespace flyball {

inline constexpr std::size_t kCacheLine = 64;  // bytes; a vector that straddles two is loaded twice

/// `count` rounded up to whole cache lines of T.
template <class T>
std::size_t whole_lines(std::size_t count) {
  constexpr std::size_t kPerLine = kCacheLine / sizeof(T);
  return (count + kPerLine - 1) / kPerLine * kPerLine;
}

struct FreeAligned {
  void operator()(void* data) const { ::operator delete[](data, std::align_val_t(kCacheLine)); }
};
template <class T>
using AlignedBuffer = std::unique_ptr<T[], FreeAligned>;

/// At least `count` zeros at the start of a cache line.
template <class T>
AlignedBuffer<T> aligned_zeros(std::size_t count) {
  static_assert(std::is_trivial_v<T>);
  const std::size_t bytes = whole_lines<T>(count) * sizeof(T);
  auto* const data = static_cast<T*>(::operator new[](bytes, std::align_val_t(kCacheLine)));
  std::memset(data, 0, bytes);
  return AlignedBuffer<T>(data);
}

}  // namespace flyball
