#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

namespace flyball {

/// Calls `work(i)` for every i below `count`, on `threads` threads, in no particular order: results
/// belong into slots by index, so that they do not depend on the number of threads.
/// `done(finished)` is called on the calling thread. Stops early when `*stop`. Of the exceptions
/// thrown, the one with the lowest index is thrown again after all threads have ended.
void parallel_for(std::size_t count, unsigned threads, const std::atomic<bool>* stop,
                  const std::function<void(std::size_t)>& work,
                  const std::function<void(std::size_t)>& done);

}  // namespace flyball
