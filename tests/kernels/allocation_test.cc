// An inference and a reconfiguration must not allocate. Counts every operator new of the program.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "kernels/dnn/network.h"
#include "kernels/pool/pool.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FLYBALL_COUNTS_ALLOCATIONS 0  // the sanitizers bring their own operator new
#else
#define FLYBALL_COUNTS_ALLOCATIONS 1
#endif

#if FLYBALL_COUNTS_ALLOCATIONS
namespace {
std::atomic<std::size_t> allocations{0};
}

// The other forms of operator new end in these two.
void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const auto align = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(align, (size + align - 1) / align * align)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#endif

namespace flyball {
namespace {

TEST(Allocation, NeitherInferenceNorReconfigurationAllocates) {
#if FLYBALL_COUNTS_ALLOCATIONS
  const Network network(seeded_model(modified_alexnet(), 1));
  Workspace workspace(network.spec());
  Pool pool(2);
  const std::vector<float> image(network.image_values(), 0.5f);
  std::vector<float> logits(network.spec().classes);
  PoolConfig config;
  const std::size_t before = allocations.load();
  bool good = true;
  for (int i = 0; i < 40; ++i) {
    config.active = i % 2 + 1;
    good = good && pool.configure(config);
    good = good && pool.set_speed_ratio(i % 3 == 0 ? 0.5 : 1.0);
    good =
        good && network.infer(pool, workspace, i % 4,
                              i % 3 == 0 ? Precision::kInt8 : Precision::kFloat32, image, logits);
  }
  EXPECT_EQ(allocations.load() - before, 0u);
  EXPECT_TRUE(good);
  ::operator delete(::operator new(8));
  EXPECT_GT(allocations.load(), before) << "the counter works";
#else
  GTEST_SKIP() << "the sanitizer has its own operator new";
#endif
}

}  // namespace
}  // namespace flyball
