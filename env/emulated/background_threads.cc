#include "env/emulated/background_threads.h"

#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <new>

#include "env/ledger/cpu_allocator.h"
#include "kernels/base/clock.h"
#include "kernels/base/quiet_thread.h"

namespace flyball {
namespace {

constexpr std::int64_t kPeriodNs =
    10'000'000;  // one duty cycle; shorter than the scheduler's view of a CPU hog
constexpr std::size_t kBufferBytes = 8u << 20;  // beyond the last-level cache share of a core
constexpr std::size_t kAllBuffersBytes = 64u << 20;
constexpr std::size_t kChunkWords = 4096;  // 32 KiB: some 10 us, so that a thread looks up often

// Keeps the arithmetic units busy for some 10 us.
std::uint64_t compute(std::uint64_t x) {
  for (int i = 0; i < 8192; ++i) x = x * 6364136223846793005u + 1442695040888963407u;
  return x;
}

// Reads and writes the next chunk of the buffer.
std::uint64_t stream(std::vector<std::uint64_t>& buffer, std::size_t& position) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kChunkWords; ++i) {
    sum += buffer[position + i];
    buffer[position + i] = sum;
  }
  position += kChunkWords;
  if (position + kChunkWords > buffer.size()) position = 0;
  return sum;
}

}  // namespace

double BackgroundThreads::start(int load, const CpuSet& available) {
  const BackgroundLoad& wanted = scenario_.background[static_cast<std::size_t>(load)];
  const CpuSet cpus = CpuAllocator(spec_, available).cluster(wanted.cluster);
  const int bound = std::max(1, available.count());
  const std::size_t buffer_bytes =
      std::min(kBufferBytes, kAllBuffersBytes / static_cast<std::size_t>(bound));
  double started = 0;
  for (double left = wanted.cores; left > 1e-6; left -= 1) {
    if (running() >= bound) {
      ++refused_;
      continue;
    }
    try {
      auto worker = std::make_unique<Worker>();
      worker->load = load;
      worker->cpu = least_loaded_cpu(cpus);
      worker->utilisation = std::min(1.0, left);
      worker->buffer_bytes = wanted.memory_slowdown > 0 ? buffer_bytes : 0;
      workers_.reserve(workers_.size() + 1);  // nothing may throw once the thread runs
      Worker& self = *worker;
      worker->thread = quiet_thread([this, &self] { body(self); });
      started += worker->utilisation;
      workers_.push_back(std::move(worker));
    } catch (const std::exception&) {  // no memory, or the limit of threads is reached
      ++refused_;
    }
  }
  return started;
}

void BackgroundThreads::stop(int load) {
  for (auto& worker : workers_) {
    if (worker->load != load) continue;
    ending_ = true;
    worker->stop.store(true, std::memory_order_release);
    worker->bell.ring();
  }
}

void BackgroundThreads::reap() {
  if (!ending_) return;
  std::erase_if(workers_, [](auto& worker) {
    if (!worker->done.load(std::memory_order_acquire)) return false;
    worker->thread.join();
    return true;
  });
  ending_ = std::any_of(workers_.begin(), workers_.end(),
                        [](const auto& worker) { return worker->stop.load(); });
}

void BackgroundThreads::stop_all() {
  for (auto& worker : workers_) {
    worker->stop.store(true, std::memory_order_release);
    worker->bell.ring();
  }
  for (auto& worker : workers_) worker->thread.join();
  workers_.clear();
  ending_ = false;
}

int BackgroundThreads::least_loaded_cpu(const CpuSet& cpus) const {
  int best = 0;
  std::ptrdiff_t fewest = -1;
  for (int i = cpus.count() - 1; i >= 0; --i) {
    const int cpu = cpus.nth(i);
    const auto here = std::count_if(workers_.begin(), workers_.end(),
                                    [cpu](const auto& worker) { return worker->cpu == cpu; });
    if (fewest < 0 || here < fewest) {
      fewest = here;
      best = cpu;
    }
  }
  return best;
}

void BackgroundThreads::body(Worker& self) {
  // Unpinned it is load all the same: go on, and say so in the end.
  if (set_thread_affinity(pthread_self(), CpuSet{self.cpu}) != 0) {
    unpinned_.fetch_add(1, std::memory_order_relaxed);
  }
  std::vector<std::uint64_t> buffer;
  try {
    buffer.resize(self.buffer_bytes / sizeof(std::uint64_t));
  } catch (const std::bad_alloc&) {  // then it computes
  }
  volatile std::uint64_t sink = 1;
  std::size_t position = 0;
  const auto busy_ns = static_cast<std::int64_t>(self.utilisation * static_cast<double>(kPeriodNs));
  std::int64_t period_start = monotonic_ns();
  while (!self.stop.load(std::memory_order_acquire)) {
    sink = buffer.empty() ? compute(sink) : stream(buffer, position);
    const std::int64_t now = monotonic_ns();
    if (now - period_start < busy_ns) continue;
    const std::uint32_t seen = self.bell.mark();
    if (busy_ns < kPeriodNs && !self.stop.load(std::memory_order_acquire)) {
      self.bell.wait(seen, period_start + kPeriodNs);
    }
    // From the plan and not from the clock, so that the share holds; anew when far behind.
    period_start += kPeriodNs;
    if (monotonic_ns() - period_start > kPeriodNs) period_start = monotonic_ns();
  }
  self.done.store(true, std::memory_order_release);
}

}  // namespace flyball
