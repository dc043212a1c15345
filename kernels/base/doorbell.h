#pragma once

#include <atomic>
#include <cstdint>

namespace flyball {

/// A bell that one thread waits at and any thread, or a signal handler, rings. Rings between two
/// waits are one. A futex word: ringing costs a system call only while somebody waits.
///
///   for (;;) { seen = bell.mark(); ...look at everything...; bell.wait(seen, until_ns); }
class Doorbell {
 public:
  /// To be taken before looking at what the bell announces, so that no ring is lost.
  std::uint32_t mark() const { return count_.load(std::memory_order_acquire); }
  /// Async-signal-safe.
  void ring();
  /// Until the bell has rung after `seen` was taken, or the absolute monotonic time `until_ns`.
  /// Returns early, too, when a signal was handled.
  void wait(std::uint32_t seen, std::int64_t until_ns);

 private:
  std::atomic<std::uint32_t> count_{0};
  std::atomic<std::uint32_t> waiting_{0};
};

}  // namespace flyball
