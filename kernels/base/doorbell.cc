#include "kernels/base/doorbell.h"

#include "kernels/base/futex.h"

namespace flyball {

void Doorbell::ring() {
  // Sequentially consistent, as is the waiter's pair: either it sees the new count or we see it
  // waiting.
  count_.fetch_add(1, std::memory_order_seq_cst);
  if (waiting_.load(std::memory_order_seq_cst) != 0) futex_wake(count_);
}

void Doorbell::wait(std::uint32_t seen, std::int64_t until_ns) {
  waiting_.store(1, std::memory_order_seq_cst);
  if (count_.load(std::memory_order_seq_cst) == seen) futex_wait_until(count_, seen, until_ns);
  waiting_.store(0, std::memory_order_seq_cst);
}

}  // namespace flyball
