#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include <type_traits>

#include "kernels/pool/item_range.h"
#include "kernels/pool/pacer.h"
#include "kernels/pool/placement.h"
#include "kernels/pool/pool_config.h"

namespace flyball {

/// A fixed set of pinned threads that run the items of one job at a time, reconfigured while in
/// use.
///
/// All threads are made once, in the constructor; the calling thread is worker 0, so a pool of n
/// has n - 1 threads. `configure` may be called from any thread at any moment. It leaves a snapshot
/// behind, which the next `parallel_for` takes over before it hands out the first item: within a
/// job the number of workers and their CPUs never change.
///
/// Each item is run exactly once. A job's items are divided evenly among the active workers; who is
/// done with his own share takes the last items of the others'. Nobody waits for a worker that has
/// not begun: when a worker is kept from its CPU by other load, the others finish its share, and
/// its claims on that job fail from then on (ItemRange).
///
/// A waiting worker spins for the configured budget, then parks on a futex. Two threads that spin
/// on one CPU cost a time slice of 9 ms, so nobody spins while there are more active workers than
/// CPUs, and an inactive worker never does.
///
/// The calling thread is pinned as worker 0 for as long as it uses the pool and not only during a
/// job: moving it in and out would cost two system calls (2 us, and 40 to 140 us when it really
/// moves) for each of the sub-microsecond joins. `release_caller` gives its own mask and scheduling
/// class back. Threads that it starts before that inherit the pin.
///
/// An item must not throw. A `parallel_for` from inside an item runs its items there and then, one
/// after the other, on that worker. Calls from several threads take turns. So an item may use
/// another pool, but the items of that one must not use the first: they would wait for themselves.
class Pool {
 public:
  /// Throws std::system_error when the threads cannot be made. `max_workers` is at least 1.
  explicit Pool(int max_workers, PoolOptions options = {});
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Takes effect with the next `parallel_for`. A refused one changes nothing. CPUs that go
  /// offline later are done without until they return, see Placement.
  PoolStatus configure(const PoolConfig& config);

  /// Runs `item(worker, i)` for every i in [0, n), with worker in [0, active). Returns when all are
  /// done.
  template <class Item>
  void parallel_for(std::size_t n, Item&& item) {
    using Plain = std::remove_reference_t<Item>;
    run(
        n,
        [](void* context, int worker, std::size_t i) {
          (*static_cast<Plain*>(context))(worker, i);
        },
        const_cast<void*>(static_cast<const void*>(std::addressof(item))));
  }

  /// Slows all workers to `ratio` (0 < ratio <= 1) of their full speed, at once and from any
  /// thread: see Pacer. False, and nothing changes, for any other ratio.
  bool set_speed_ratio(double ratio);
  double speed_ratio() const { return pace_.ratio.load(std::memory_order_relaxed); }
  void set_pace_mode(PaceMode mode) { pace_.mode.store(mode, std::memory_order_relaxed); }

  /// Gives the thread that used the pool last its own CPU mask back. Does nothing for any other
  /// thread: who hands the pool over calls this first. The destructor calls it too.
  void release_caller();

  int max_workers() const { return max_workers_; }
  /// Workers that the last job had, or will have; from any thread.
  int active() const { return active_.load(std::memory_order_relaxed); }
  const CpuTopology& topology() const { return placement_.topology(); }
  /// The configuration that the last `parallel_for` ran with. For the thread that calls
  /// `parallel_for`.
  const PoolConfig& applied() const { return applied_; }
  PinReport pinning() const { return placement_.pinning(); }               ///< likewise
  SchedulingReport scheduling() const { return placement_.scheduling(); }  ///< likewise

  /// The Linux ids of its own threads, the caller's not among them. Waits until all have started.
  std::vector<int> thread_ids() const;

 private:
  using Task = void (*)(void* context, int worker, std::size_t i);

  struct Job {
    Task task = nullptr;
    void* context = nullptr;
    std::size_t items = 0;
    std::size_t chunk_size = 1;  // items that are claimed at once: 1 up to a million items
  };

  // A job travels to a worker on one cache line and its end travels back on another; nothing else
  // that changes is shared. (Both on one line: a join is 25 % slower, because the caller that waits
  // for `done` takes the line away from the worker that claims from it.)
  struct alignas(64) Slot {
    std::atomic<std::uint64_t> ticket{0};  // job sequence number << 16 | workers in the job
    ItemRange range;
    // Written before the ticket; read by the worker only while it holds an item that is not yet
    // counted in `done`.
    Job job;
    alignas(64) std::atomic<std::uint64_t> done{0};  // chunks run by this worker, ever
    // Hardly ever written.
    alignas(64) std::atomic<std::int64_t> spin_ns{0};
    std::atomic<std::uint32_t> parked{0};
    alignas(64) Pacer pacer;
    alignas(64) std::uint64_t counted = 0;  // `done` when the last job was over; of the caller
  };
  static_assert(offsetof(Slot, job) + sizeof(Job) <= 64);

  void run(std::size_t n, Task task, void* context);
  void run_here(int worker, const Job& job);
  void fork_join(const Job& job, std::uint32_t chunks, int workers);
  std::uint64_t run_caller_share(std::uint32_t tag, const Job& job, int workers);
  std::uint64_t run_worker_share(int worker, std::uint32_t tag, const Job& job);
  std::uint64_t steal(int worker, std::uint32_t tag, const Job& job, int workers);
  static void run_chunk(const Job& job, int worker, std::uint32_t chunk);
  void wait_finished(std::uint64_t expected, int workers);
  void worker_main(int worker);
  std::uint64_t wait_ticket(Slot& slot, std::uint64_t last);
  void publish_done(Slot& slot, std::uint64_t chunks);
  void apply();
  void set_spin_budgets();
  void adopt_caller();
  void stop();

  const int max_workers_;
  std::atomic<int> active_;  // of applied_
  Placement placement_;
  PoolConfigCell config_;
  PaceControl pace_;
  std::unique_ptr<Slot[]> slots_;
  std::unique_ptr<std::atomic<int>[]> thread_ids_;
  std::unique_ptr<std::thread[]> threads_;  // [0] stays empty: the caller

  // Of the caller alone, and away from the lines that the workers read.
  alignas(64) std::mutex caller_mutex_;
  std::uint64_t applied_version_ = 0;
  PoolConfig applied_;
  std::uint64_t sequence_ = 0;
  std::uint64_t caller_number_ = 0;  // 0: nobody

  alignas(64) std::atomic<std::uint32_t> caller_parked_{0};
};

}  // namespace flyball
