#include "env/emulated/doorbell.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace flyball {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "a signal handler rings");
static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t), "a futex is 32 bits");

std::int64_t steady_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void Doorbell::ring() {
  // Sequentially consistent, as is the waiter's pair: either it sees the new count or we see it
  // waiting.
  count_.fetch_add(1, std::memory_order_seq_cst);
  if (waiting_.load(std::memory_order_seq_cst) == 0) return;
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&count_), FUTEX_WAKE_PRIVATE, 1, nullptr,
          nullptr, 0);
}

void Doorbell::wait(std::uint32_t seen, std::int64_t until_ns) {
  timespec until{};
  until.tv_sec = until_ns / 1'000'000'000;
  until.tv_nsec = until_ns % 1'000'000'000;
  waiting_.store(1, std::memory_order_seq_cst);
  // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, FUTEX_WAIT a relative one, which
  // drifts.
  if (count_.load(std::memory_order_seq_cst) == seen) {
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&count_),
            FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen, &until, nullptr, FUTEX_BITSET_MATCH_ANY);
  }
  waiting_.store(0, std::memory_order_seq_cst);
}

}  // namespace flyball
