#include "governor/compare/parallel.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace flyball {

void parallel_for(std::size_t count, unsigned threads, const std::atomic<bool>* stop,
                  const std::function<void(std::size_t)>& work,
                  const std::function<void(std::size_t)>& done) {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t next = 0, finished = 0, failed_index = count;
  unsigned running = static_cast<unsigned>(std::min<std::size_t>(std::max(1u, threads), count));
  std::exception_ptr failure;

  const auto worker = [&] {
    std::unique_lock lock(mutex);
    while (next < count && !failure && !(stop != nullptr && stop->load())) {
      const std::size_t i = next++;
      lock.unlock();
      std::exception_ptr thrown;
      try {
        work(i);
      } catch (...) {
        thrown = std::current_exception();
      }
      lock.lock();
      ++finished;
      if (thrown && i < failed_index) {
        failure = thrown;
        failed_index = i;
      }
      changed.notify_one();
    }
    --running;
    changed.notify_one();
  };

  std::vector<std::jthread> pool;  // joined however this ends
  const unsigned wanted = running;
  try {
    for (unsigned t = 0; t < wanted; ++t) pool.emplace_back(worker);
  } catch (const std::system_error&) {
    // The limit of threads: those that there are do it all; without any, this one does.
    const std::lock_guard lock(mutex);
    running -= wanted - static_cast<unsigned>(pool.size());
    if (pool.empty()) running = 1;
  }
  if (pool.empty() && count > 0) worker();
  {
    std::unique_lock lock(mutex);
    std::size_t told = 0;
    while (running > 0) {
      changed.wait(lock);
      if (!done || told == finished) continue;
      told = finished;
      lock.unlock();
      done(told);
      lock.lock();
    }
    if (done && told != finished) {
      lock.unlock();
      done(finished);
    }
  }
  pool.clear();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace flyball
