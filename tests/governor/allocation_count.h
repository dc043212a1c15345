#pragma once

#include <cstdint>

namespace flyball::test {

/// How often this thread has called operator new. Counted in allocation_count_test.cc.
std::uint64_t allocations();

}  // namespace flyball::test
