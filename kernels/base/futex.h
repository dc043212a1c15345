#pragma once

#include <atomic>
#include <cstdint>

namespace flyball {

/// Sleeps while `word` holds `expected`. May return early for no reason: the caller looks again.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected);

/// The same, until the absolute monotonic time `until_ns` at the latest.
void futex_wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                      std::int64_t until_ns);

/// Wakes one thread that sleeps on `word`; about 2 us when there is one, 0.2 us when there is none.
void futex_wake(const std::atomic<std::uint32_t>& word);

}  // namespace flyball
