#pragma once

#include "kernels/base/clock.h"

namespace flyball {

/// Time that the machine has been suspended since it started: what CLOCK_MONOTONIC leaves out.
inline std::int64_t suspended_ns() { return read_clock_ns(CLOCK_BOOTTIME) - monotonic_ns(); }

}  // namespace flyball
