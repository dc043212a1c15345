#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/base/clock.h"

namespace flyball::testing {

/// Empty where times can be measured and kept to within percents; else why not. Reading the clock
/// takes 25 to 80 ns where that needs no system call. Under QEMU's user-mode emulation (210 to 300
/// ns) it does, and code takes different times from one run to the next besides.
inline std::string no_exact_time() {
  std::int64_t best_ns = 1'000'000;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t from = monotonic_ns();
    best_ns = std::min(best_ns, monotonic_ns() - from);
  }
  if (best_ns <= 120) return {};
  return fmt::format("times are not exact here: reading the clock takes {} ns", best_ns);
}

}  // namespace flyball::testing

/// At the beginning of a test that measures times to within percents.
#define FLYBALL_NEEDS_EXACT_TIME()                                 \
  do {                                                             \
    const std::string why_not = flyball::testing::no_exact_time(); \
    if (!why_not.empty()) GTEST_SKIP() << why_not;                 \
  } while (false)
