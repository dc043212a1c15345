#pragma once

#include <atomic>
#include <cstdint>

namespace flyball {

/// The items that are still to be claimed from one worker's share, as one word: 24 bits of job tag,
/// 20 bits of begin, 20 bits of end. The owner claims from the front, thieves from the back; each
/// claim is one compare-and-swap, so an item is claimed once whatever happens. The tag keeps a
/// thread that overslept a job out of the next one: its claims fail. (A thread would have to be
/// suspended inside a claim for exactly a multiple of 2^24 jobs to pass for a member of the new
/// job, and even then it would take a valid item of that job, once.)
class ItemRange {
 public:
  static constexpr std::uint32_t kMaxItems = (1u << 20) - 1;
  static constexpr std::uint32_t kTagMask = (1u << 24) - 1;

  /// Between jobs only. Publishes everything written before it to whoever claims.
  void fill(std::uint32_t tag, std::uint32_t begin, std::uint32_t end) {
    word_.store(pack(tag, begin, end), std::memory_order_release);
  }

  bool claim_front(std::uint32_t tag, std::uint32_t& item) {
    std::uint64_t seen = word_.load(std::memory_order_acquire);
    while (has_items(seen, tag)) {
      item = begin_of(seen);
      if (word_.compare_exchange_weak(seen, seen + (std::uint64_t{1} << 20),
                                      std::memory_order_acq_rel, std::memory_order_acquire))
        return true;
    }
    return false;
  }

  bool claim_back(std::uint32_t tag, std::uint32_t& item) {
    std::uint64_t seen = word_.load(std::memory_order_acquire);
    while (has_items(seen, tag)) {
      item = end_of(seen) - 1;
      if (word_.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
        return true;
    }
    return false;
  }

 private:
  static std::uint64_t pack(std::uint32_t tag, std::uint32_t begin, std::uint32_t end) {
    return (std::uint64_t{tag} << 40) | (std::uint64_t{begin} << 20) | end;
  }
  static std::uint32_t begin_of(std::uint64_t word) { return (word >> 20) & kMaxItems; }
  static std::uint32_t end_of(std::uint64_t word) { return word & kMaxItems; }
  static bool has_items(std::uint64_t word, std::uint32_t tag) {
    return (word >> 40) == tag && begin_of(word) < end_of(word);
  }

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace flyball
