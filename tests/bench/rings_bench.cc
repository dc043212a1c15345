// Boost's rings, in the ways they are used here, beside those of our own that they replaced: Boost's
// are to be no slower.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <boost/circular_buffer.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <thread>
#include <vector>

#include "env/emulated/executor.h"
#include "env/spaces/limits.h"

namespace flyball {
namespace {

// From one thread to another: the executor's jobs and events.

template <typename T>
class OwnQueue {
 public:
  explicit OwnQueue(std::size_t capacity) : slots_(std::bit_ceil(capacity + 1)) {}
  bool push(const T& item) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == slots_.size()) return false;
    slots_[tail & (slots_.size() - 1)] = item;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  std::size_t read_available() const {
    return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_relaxed);
  }
  const T& front() const {
    return slots_[head_.load(std::memory_order_relaxed) & (slots_.size() - 1)];
  }
  void pop() { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

 private:
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
  alignas(64) std::vector<T> slots_;
};

template <class Queue, class Item>
void pass_alone(benchmark::State& state) {
  Queue queue(16);
  Item item{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(item);
    queue.push(item);
    if (queue.read_available() > 0) {
      benchmark::DoNotOptimize(queue.front());
      queue.pop();
    }
    benchmark::ClobberMemory();
  }
}
BENCHMARK(pass_alone<OwnQueue<ReadyJob>, ReadyJob>)->Name("jobs_one_thread/own");
BENCHMARK(pass_alone<boost::lockfree::spsc_queue<ReadyJob>, ReadyJob>)
    ->Name("jobs_one_thread/boost");
BENCHMARK(pass_alone<OwnQueue<JobEvent>, JobEvent>)->Name("events_one_thread/own");
BENCHMARK(pass_alone<boost::lockfree::spsc_queue<JobEvent>, JobEvent>)
    ->Name("events_one_thread/boost");

/// There and back between two threads, as a job and its event go.
template <template <class...> class Queue>
void pass_around(benchmark::State& state) {
  Queue<ReadyJob> there(16);
  Queue<JobEvent> back(16);
  std::atomic<bool> stop{false};
  std::thread other([&] {
    JobEvent event;
    while (!stop.load(std::memory_order_relaxed)) {
      if (there.read_available() == 0) {
        std::this_thread::yield();
        continue;
      }
      event.at_ns = there.front().release_ns;
      there.pop();
      back.push(event);
    }
  });
  ReadyJob job;
  for (auto _ : state) {
    ++job.release_ns;
    there.push(job);
    while (back.read_available() == 0) std::this_thread::yield();
    if (back.front().at_ns != job.release_ns) state.SkipWithError("another job came back");
    back.pop();
  }
  stop = true;
  other.join();
}
template <class T>
using BoostQueue = boost::lockfree::spsc_queue<T>;
BENCHMARK(pass_around<OwnQueue>)->Name("job_and_event_two_threads/own")->UseRealTime();
BENCHMARK(pass_around<BoostQueue>)->Name("job_and_event_two_threads/boost")->UseRealTime();

// Of one thread: the last 32 stretches of one operating point each, which the shield looks through
// for each job, newest first.

struct Stretch {
  std::int64_t from_ns = 0;
  std::array<std::uint8_t, kMaxClusters> opp{};
};
constexpr int kStretches = 32;

class OwnHistory {
 public:
  void push(const Stretch& one) {
    head_ = (head_ + 1) % kStretches;
    stretch_[static_cast<std::size_t>(head_)] = one;
    count_ = std::min(count_ + 1, kStretches);
  }
  template <class Visitor>
  void visit(Visitor&& visit_one) const {
    for (int back = 0; back < count_; ++back) {
      if (!visit_one(stretch_[static_cast<std::size_t>((head_ - back + kStretches) % kStretches)]))
        return;
    }
  }

 private:
  std::array<Stretch, kStretches> stretch_{};
  int head_ = 0, count_ = 0;
};

class BoostHistory {
 public:
  void push(const Stretch& one) { stretch_.push_front(one); }
  template <class Visitor>
  void visit(Visitor&& visit_one) const {
    for (const Stretch& one : stretch_) {
      if (!visit_one(one)) return;
    }
  }

 private:
  boost::circular_buffer<Stretch> stretch_{kStretches};
};

template <class History>
void note_and_visit(benchmark::State& state) {
  History history;
  Stretch one;
  const std::int64_t length_ns = state.range(0);
  for (auto _ : state) {
    ++one.from_ns;
    history.push(one);
    std::int64_t sum = 0;
    history.visit([&](const Stretch& stretch) {
      sum += stretch.opp[0];
      return stretch.from_ns > one.from_ns - length_ns;
    });
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(note_and_visit<OwnHistory>)->Name("stretches/own")->Arg(2)->Arg(24);
BENCHMARK(note_and_visit<BoostHistory>)->Name("stretches/boost")->Arg(2)->Arg(24);

}  // namespace
}  // namespace flyball
