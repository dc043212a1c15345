#include "allocation_count.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>

namespace {
thread_local std::uint64_t allocation_count = 0;
}  // namespace

// Not inlined: the compiler would see malloc and delete, or new and free, and take them for a
// mismatch. The forms for arrays are replaced too: under a sanitizer they would not come by here.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocation_count;
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](std::size_t bytes) { return operator new(bytes); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace flyball::test {

std::uint64_t allocations() { return allocation_count; }

TEST(AllocationCountTest, Counts) {
  const std::uint64_t before = allocations();
  const auto one = std::make_unique<int>(1);
  const auto two = std::make_unique<int[]>(3);
  two[2] = *one;
  EXPECT_EQ(allocations() - before, 2u) << two[2];
}

}  // namespace flyball::test
