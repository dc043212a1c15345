#pragma once

#include <cstdint>

namespace flyball {

/// How often the calling thread has allocated from the heap by operator new since it began.
/// The counting operator new is in allocation_counter_test.cc, one for the whole test program.
std::uint64_t thread_allocations();

}  // namespace flyball
