#include "tests/env/allocation_counter.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <thread>

namespace {
thread_local std::uint64_t allocations = 0;

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  if (size == 0) size = 1;
  void* memory =
      alignment <= alignof(std::max_align_t)
          ? std::malloc(size)
          : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

// The array, nothrow and sized forms call these.
void* operator new(std::size_t size) { return counted(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

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
