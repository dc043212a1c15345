#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace flyball::bench {

using Item = void (*)(void* context, std::size_t i);

/// Somebody's pool of two threads, the calling one included.
class PoolContender {
 public:
  virtual ~PoolContender() = default;
  virtual void parallel_for(std::size_t n, Item item, void* context) = 0;
};

struct PoolVariant {
  std::string name;
  std::unique_ptr<PoolContender> (*make)();
};

/// "flyball" first. "floor" is no pool: one thread that waits for one cache line, runs the second
/// item and answers in the same line. A fork and join in which both threads take part cannot be
/// faster than that.
std::vector<PoolVariant> pool_variants();

}  // namespace flyball::bench
