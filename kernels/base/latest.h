#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace flyball {

/// A mailbox from one thread to one other in which a new value replaces one that was not fetched.
/// Wait-free: three slots, of which the writer owns one, the reader one, and the third changes
/// hands.
template <typename T>
class Latest {
 public:
  void put(const T& value) {
    slots_[writing_] = value;
    writing_ = shared_.exchange(writing_ | kFresh, std::memory_order_acq_rel) & kIndex;
  }
  /// The newest value not fetched before; nullptr when there is none. Valid until the next call.
  const T* fetch() {
    if ((shared_.load(std::memory_order_relaxed) & kFresh) == 0) return nullptr;
    reading_ = shared_.exchange(reading_, std::memory_order_acq_rel) & kIndex;
    return &slots_[reading_];
  }

 private:
  static constexpr std::uint32_t kIndex = 3;
  static constexpr std::uint32_t kFresh = 4;
  std::array<T, 3> slots_{};
  std::uint32_t writing_ = 0;
  std::uint32_t reading_ = 1;
  std::atomic<std::uint32_t> shared_{2};
};

}  // namespace flyball
