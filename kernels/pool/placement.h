#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "kernels/pool/pool_config.h"
#include "kernels/pool/scheduling.h"
#include "kernels/pool/topology.h"

namespace flyball {

/// The outside world of a pool; only tests change it.
struct PoolOptions {
  std::string topology_root = "/sys/devices/system/cpu";
  int (*set_affinity)(pthread_t, const CpuSet&) = set_thread_affinity;          ///< 0 or errno
  int (*set_scheduling)(pthread_t, const Scheduling&) = set_thread_scheduling;  ///< 0 or errno
  int (*current_cpu)() = sched_getcpu;
  bool (*scheduling_can_return)(const Scheduling& from,
                                const Scheduling& to) = flyball::scheduling_can_return;
};

/// Whether the workers are where they should be. Not being able to pin is reported, and nothing
/// worse.
struct PinReport {
  int failures = 0;  ///< workers that could not be pinned for the configuration in force
  int cpu = -1;      ///< of the last failure
  int error = 0;     ///< its errno value
  int offline = 0;   ///< CPUs of the set that are switched off at present
};

/// Likewise for the scheduling class. A calling thread that could not get its own class back keeps
/// it, which counts as EPERM.
struct SchedulingReport {
  int failures = 0;  ///< workers that kept the class they had
  int error = 0;     ///< errno value of the last failure: EPERM without CAP_SYS_NICE
};

/// Where the threads of a pool run, and in which scheduling class. Of the pool's caller alone,
/// except for `look`.
///
/// Linux widens the mask of a thread whose last CPU goes offline to all CPUs, and does not restore
/// it when the CPU returns. Nothing tells the process, so each worker compares the CPU it is on
/// with its own when it begins a job: 1.5 ns, a load from the memory that glibc shares with the
/// kernel (rseq), where reading the online mask costs 1 us. It notices as soon as it matters,
/// however short the CPU was gone, and it notices other programs' sched_setaffinity too. Then
/// `mend` reads the online mask and pins anew: to the CPUs of the set that are left, to none when
/// none is. While some are missing it looks again every 10 ms, until they are back.
class Placement {
 public:
  /// Takes down the mask and the class that the calling thread has: the workers, which it is about
  /// to make, inherit both.
  Placement(int max_workers, const PoolOptions& options);

  void adopt_caller();
  void release_caller();  ///< gives the caller its own mask and class back
  /// `threads[worker]` for worker 1 to active - 1; [0] is the caller's and not used.
  void apply(const PoolConfig& config, const std::thread* threads);

  /// By every worker at the begin of a job, on its own thread.
  void look(int worker) {
    const int cpu = places_[worker].cpu.load(std::memory_order_relaxed);
    if (cpu >= 0 && options_.current_cpu() != cpu) strayed_.store(true, std::memory_order_relaxed);
  }
  /// Somebody strayed, or a CPU is missing: time to call `mend`.
  bool unsettled() const { return strayed_.load(std::memory_order_relaxed) || degraded_; }
  /// Does nothing within 10 ms of the last time. True when the CPUs in force have changed.
  bool mend(const std::thread* threads);

  /// CPUs that the active workers share.
  int cpu_count() const { return in_force_.empty() ? base_cpus_.count() : in_force_.count(); }
  const CpuTopology& topology() const { return topology_; }
  const PinReport& pinning() const { return pins_; }
  const SchedulingReport& scheduling() const { return scheduling_; }

 private:
  // A line of its own, which every job reads and hardly anything writes.
  struct alignas(64) Place {
    std::atomic<int> cpu{-1};  // where the worker is known to be pinned; -1: nowhere
    bool pinned = false;       // has a mask of ours
    Scheduling scheduling;     // that the worker has
  };

  pthread_t thread_of(int worker, const std::thread* threads) const;
  void pin_all(const std::thread* threads, bool anew);
  void pin(int worker, pthread_t thread);
  void schedule(int worker, pthread_t thread);
  bool caller_can_return(const Scheduling& scheduling);
  bool set_in_force(const CpuSet& cpus);

  const PoolOptions options_;
  const CpuTopology topology_;
  const CpuSet base_cpus_;  // where a thread may run that is not pinned
  const Scheduling base_scheduling_;
  std::unique_ptr<Place[]> places_;
  PoolConfig wanted_;
  CpuSet in_force_;  // of wanted_.cpus those that are online
  bool degraded_ = false;
  std::atomic<bool> strayed_{false};
  std::int64_t mended_ns_ = 0;
  PinReport pins_;
  SchedulingReport scheduling_;

  pthread_t caller_{};
  CpuSet caller_mask_;
  Scheduling caller_scheduling_;
  Scheduling tried_;  // the class that `can_return_` is about
  bool can_return_ = false;
};

}  // namespace flyball
