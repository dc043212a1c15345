#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/cpu_set.h"

namespace flyball {

/// Runs real jobs for the emulated platform. The platform does not know what a job is; the governor
/// gives it an engine made of the worker pool and the network. All calls come from one thread.
class JobEngine {
 public:
  virtual ~JobEngine() = default;
  /// Takes effect with the next job: the CPUs its workers are pinned to (one worker each), the
  /// width and its precision, and the speed ratio (0 < ratio <= 1, to the full speed of the core)
  /// that a duty cycle emulates.
  struct Setting {
    CpuSet cpus;
    int active = 1;
    int width = 0;      ///< index into the network's widths
    bool int8 = false;  ///< 8-bit integers; false: fp32
    double speed_ratio = 1;
  };
  /// Runs one job of `inferences` inferences, unless it is cut short, and returns its execution
  /// time, ns.
  virtual std::int64_t run(const Setting& setting, int inferences) = 0;
  /// Whether jobs end after the inference that runs, and later ones before their first; safe from
  /// any thread.
  void cut_short(bool on) { cut_short_.store(on, std::memory_order_relaxed); }
  /// Changes the duty cycle of a job that is running; safe from any thread.
  virtual void set_speed_ratio(double ratio) = 0;
  virtual int max_active() const = 0;
  /// The Linux ids of the threads that jobs run on, beside the one that calls run().
  virtual std::vector<int> thread_ids() const { return {}; }
  /// The last call of a thread that called run(), from that thread: it ends now, and another one
  /// may come. An engine that pinned it or remembers it lets go.
  virtual void release_thread() {}
  /// What did not go as asked in the last run, which was carried out all the same (a CPU that
  /// could not be pinned to); empty otherwise. For the thread that calls run().
  virtual const std::string& problem() const {
    static const std::string none;
    return none;
  }

 protected:
  bool is_cut_short() const { return cut_short_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cut_short_{false};
};

}  // namespace flyball
