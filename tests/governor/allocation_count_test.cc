#include "allocation_count.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>

namespace {
thread_local std::uint64_t allocation_count = 0;
}  // namespace

// Not inlined: the compiler would see malloc and delete, or new and free, and take them for a
// mismatch. All forms but the aligned ones are replaced: a sanitizer's own would not come by here,
// and what they give must not be freed here.
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocation_count;
  return std::malloc(bytes > 0 ? bytes : 1);
}
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return operator new(bytes, std::nothrow);
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
