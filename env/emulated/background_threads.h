#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "kernels/base/cpu_set.h"
#include "kernels/base/doorbell.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"

namespace flyball {

/// The background load of a scenario as real threads: each is pinned to one CPU and busy for its
/// share of every 10 ms. A load with a memory_slowdown streams through a buffer larger than most
/// caches; how much that slows jobs is up to the machine. Bounded: never more threads than
/// available CPUs, 64 MB of buffers. The threads run at nice 0, the weight of any other program:
/// they are the disturbance to be governed, not something to be kept out of the way.
///
/// Used by one thread. The destructor stops and joins everything.
class BackgroundThreads {
 public:
  BackgroundThreads(const PlatformSpec& spec, const Scenario& scenario)
      : spec_(spec), scenario_(scenario) {}
  ~BackgroundThreads() { stop_all(); }
  BackgroundThreads(const BackgroundThreads&) = delete;
  BackgroundThreads& operator=(const BackgroundThreads&) = delete;

  /// Starts a load on the cluster's CPUs, the last ones first because jobs take the first ones.
  /// Returns how many cores it really keeps busy: fewer than asked for when the bound or the system
  /// stands in the way.
  double start(int load, const CpuSet& available);
  /// Asks its threads to end, which they do within 0.1 ms of running; reap() joins them.
  void stop(int load);
  void reap();
  void stop_all();

  bool ending() const { return ending_; }  ///< some were stopped and not yet joined
  int running() const { return static_cast<int>(workers_.size()); }
  int refused() const { return refused_; }  ///< threads that could not be started
  int unpinned() const { return unpinned_.load(std::memory_order_relaxed); }

 private:
  struct Worker {
    int load = 0;
    int cpu = 0;
    double utilisation = 1;
    std::size_t buffer_bytes = 0;
    std::atomic<bool> stop{false};
    std::atomic<bool> done{false};
    Doorbell bell;
    std::thread thread;
  };
  void body(Worker& self);
  int least_loaded_cpu(const CpuSet& cpus) const;

  const PlatformSpec& spec_;
  const Scenario& scenario_;
  std::vector<std::unique_ptr<Worker>> workers_;
  int refused_ = 0;
  bool ending_ = false;
  std::atomic<int> unpinned_{0};
};

}  // namespace flyball
