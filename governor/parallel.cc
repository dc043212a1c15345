#include "governor/parallel.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
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

  std::vector<std::thread> pool;
  for (unsigned t = running; t > 0; --t) pool.emplace_back(worker);
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
  for (std::thread& thread : pool) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace flyball
