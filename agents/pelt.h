#pragma once

#include <cstdint>

namespace flyball {

/// Per-entity load tracking as the Linux kernel does it (kernel/sched/pelt.c): a signal from 0 to
/// 1024 that sums running time with a half-life of 32 ms. The kernel counts whole periods of 1 ms and
/// the parts of those at both ends; here a period has 32 steps.
///
/// Since Linux 5.1 the signal's clock (update_rq_clock_pelt()) goes as fast as work is done: on a busy
/// CPU at half of the platform's speed, 32 ms count as 16 of running. Once the CPU idles it catches
/// up with the time, and the rest counts as sleep, unless the signal is full: nobody knows then how
/// much it would have slept at full speed.
class Pelt {
 public:
  static constexpr std::int64_t kStepNs = 31'250;

  /// `elapsed_ns` have passed on a CPU that was busy throughout, for the share `running` (0 to 1) with
  /// this, at `scale`: relative frequency times relative capacity, 0 to 1. What is left of a step is
  /// kept for the next call.
  void run(std::int64_t elapsed_ns, double running, double scale);
  /// The same where the CPU idled time and again between: its clock never fell behind.
  void run_in_parts(std::int64_t elapsed_ns, double running, double scale);
  /// The CPU idles, for `elapsed_ns` so far.
  void sleep(std::int64_t elapsed_ns) { run_in_parts(elapsed_ns, 0, 0); }
  double util() const { return util_; }
  void set(double util) { util_ = util; }

  /// What `steps` of 1/32 ms leave of a signal: half after 32 ms.
  static double decay(std::int64_t steps);

 private:
  void advance(std::int64_t elapsed_ns, double level);

  double util_ = 0;
  std::int64_t behind_ns_ = 0;  ///< the signal's clock, since the CPU idled last
  std::int64_t rest_ns_ = 0;
};

/// What a task will need once it runs again (struct util_est, util_est_update() in
/// kernel/sched/fair.c of Linux 6.1, with UTIL_EST_FASTUP): PELT forgets most of a task in a long
/// sleep, this does not.
struct UtilEst {
  double enqueued = 0;  ///< utilisation at the end of the last activation
  double ewma = 0;      ///< the same over activations: follows a rise at once, a fall by a quarter

  double value() const { return enqueued > ewma ? enqueued : ewma; }
  /// The task goes to sleep with `util`, on a CPU of `capacity`.
  void sleep(double util, double capacity);
};

}  // namespace flyball
