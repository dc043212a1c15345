#pragma once

#include <cstdint>
#include <tuple>

namespace flyball {

/// Of the jobs that wait for one pool of workers, the least rank runs first: earliest deadline, then
/// higher priority, then earlier release.
inline auto pool_rank(std::int64_t deadline_ns, int priority, std::int64_t release_ns) {
  return std::tuple(deadline_ns, -priority, release_ns);
}

}  // namespace flyball
