#include "tests/env/allocation_counter.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <thread>

namespace {
thread_local std::uint64_t allocations = 0;
}  // namespace

// Not inlined: the compiler would see malloc and delete, or new and free, and take them for a
// mismatch. All forms are replaced: a sanitizer's own would neither be counted nor be freed here.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size > 0 ? size : 1);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
[[gnu::noinline]] void* operator new[](std::size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto step = static_cast<std::size_t>(alignment);
  void* memory = std::aligned_alloc(step, (size + step) / step * step);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace flyball {

std::uint64_t thread_allocations() { return allocations; }

namespace {

// Through a volatile pointer: the compiler may drop a pair of new and delete that it sees through.
void allocate_once() {
  void* volatile memory = ::operator new(16);
  ::operator delete(memory);
}

TEST(AllocationCounter, CountsThisThreadOnly) {
  std::uint64_t in_other = 0;
  std::thread other([&] {
    const std::uint64_t before = thread_allocations();
    for (int i = 0; i < 5; ++i) allocate_once();
    in_other = thread_allocations() - before;
  });
  const std::uint64_t before = thread_allocations();  // making the thread allocated before this
  other.join();
  EXPECT_EQ(in_other, 5u);
  EXPECT_EQ(thread_allocations(), before);
  allocate_once();
  EXPECT_EQ(thread_allocations(), before + 1);
}

}  // namespace
}  // namespace flyball
