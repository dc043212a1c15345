#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <vector>

namespace flyball {

/// A bounded queue from one thread to one other. Wait-free; allocates when it is made only.
template <typename T>
class SpscRing {
 public:
  /// Holds at least `capacity` items.
  explicit SpscRing(std::size_t capacity) : slots_(std::bit_ceil(capacity + 1)) {}

  /// Producer. false when full.
  bool push(const T& item) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == slots_.size()) return false;
    slots_[tail & (slots_.size() - 1)] = item;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  /// Consumer: the oldest item, or nullptr when empty. Stays valid until pop().
  const T* front() const {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return nullptr;
    return &slots_[head & (slots_.size() - 1)];
  }
  /// Consumer, after a front() that was not nullptr.
  void pop() { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

 private:
  // A cache line each (64 bytes on x86-64 and ARMv8 application cores): the two threads do not
  // share one.
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
  alignas(64) std::vector<T> slots_;
};

}  // namespace flyball
