#pragma once

#include <sched.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace flyball {

/// A value that one thread writes and any number read, also of other processes that have mapped the
/// memory read-only: a seqlock. Writing never waits. The words are atomic, since a reader may look
/// while they change; each is a release, so that a reader that has met a new one meets the changed
/// sequence, too. (Two fences would do the same, and ThreadSanitizer does not understand them.)
template <typename T>
class SeqSlot {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

 public:
  void put(const T& value) noexcept {
    const std::uint32_t before = sequence_.load(std::memory_order_relaxed);
    sequence_.store(before + 1, std::memory_order_relaxed);
    const auto* bytes = reinterpret_cast<const char*>(&value);
    for (std::size_t i = 0; i < kWords; ++i) {
      std::uint32_t word = 0;
      std::memcpy(&word, bytes + i * sizeof word, bytes_of(i));
      words_[i].store(word, std::memory_order_release);
    }
    sequence_.store(before + 2, std::memory_order_release);
  }
  /// False when nothing was put yet, or no whole value was to be had: its writer has died in the
  /// middle of one. Ends after so many tries.
  bool get(T& out, int tries = 200) const noexcept {
    for (int i = 0; i < tries; ++i) {
      const std::uint32_t before = sequence_.load(std::memory_order_acquire);
      if (before == 0) return false;
      if (before % 2 == 0) {
        copy(out);
        if (sequence_.load(std::memory_order_relaxed) == before) return true;
      }
      sched_yield();  // to a writer that has lost its CPU
    }
    return false;
  }

 private:
  static constexpr std::size_t kWords = (sizeof(T) + 3) / 4;
  static constexpr std::size_t bytes_of(std::size_t word) {
    return word + 1 < kWords ? 4 : sizeof(T) - 4 * (kWords - 1);
  }
  void copy(T& out) const noexcept {
    auto* bytes = reinterpret_cast<char*>(&out);
    for (std::size_t i = 0; i < kWords; ++i) {
      const std::uint32_t word = words_[i].load(std::memory_order_acquire);
      std::memcpy(bytes + i * sizeof word, &word, bytes_of(i));
    }
  }

  std::atomic<std::uint32_t> sequence_{0};
  std::array<std::atomic<std::uint32_t>, kWords> words_{};
};

}  // namespace flyball
