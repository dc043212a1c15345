#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/base/clock.h"

namespace flyball {

/// How a slowed worker passes the time that it owes.
enum class PaceMode : std::uint8_t {
  /// Keeps the CPU busy until its thread has had the CPU time that a slower core would have needed.
  /// Other load on that CPU
  /// then competes as it would with a slower core that is busy all the time, and loses or wins the
  /// same share of it.
  kOccupy,
  /// Sleeps, and spins for the last part. Saves power and leaves the CPU to others, who therefore
  /// see an emptier CPU than a
  /// slower core would be: a job that shares it finishes too early. For a machine that runs nothing
  /// else.
  kYield,
};

/// The speed that all workers of a pool are to keep, changed from any thread at any time.
struct PaceControl {
  std::atomic<double> ratio{1};  ///< to the full speed of the core, 0 < ratio <= 1
  std::atomic<PaceMode> mode{PaceMode::kOccupy};
};

/// Slows one worker down to a ratio of its full speed: work that consumed t of thread CPU time is
/// stretched to t / ratio.
///
/// The base is CPU time, not elapsed time: a preempted worker must not be punished for the
/// preemption too. In kOccupy the stretching itself is measured in CPU time, so the ratio holds
/// however much else runs. In kYield it is elapsed time; what a sleep overshoots is credited to the
/// next one, up to 1 ms (a timer is never that late: beyond it other load held the CPU, and making
/// up for that would hide the contention).
///
/// Reading the thread CPU time is a system call (0.6 us in a virtual machine), more than 5 % of a
/// share of 10 us. A stretch of up to 60 us is therefore taken from the monotonic clock (27 ns):
/// a preemption lasts longer than that, and whatever is longer is looked up. The two are brought
/// together every millisecond.
///
/// A worker settles after about 30 us of work (a number of items, learned from the last time) and
/// always at the end of its share, so that workers pay side by side and not one after the other
/// behind the join. At ratio 1 all this is one relaxed load per item.
class Pacer {
 public:
  Pacer();

  /// The worker is another thread from now on.
  void forget() {
    mark_ns_ = 0;
    debt_ns_ = 0;
  }
  /// Before the first item of a share.
  void begin(const PaceControl& control) {
    paced_ = control.ratio.load(std::memory_order_relaxed) != 1.0;
    if (paced_) start();
  }
  /// After each item.
  void item_done(const PaceControl& control) {
    if (!paced_) {
      if (control.ratio.load(std::memory_order_relaxed) == 1.0) return;
      paced_ = true;  // slowed in the middle of a share: from here on
      start();
      return;
    }
    if (++items_ >= items_per_quantum_) settle(control, false);
  }
  /// After the last item of a share.
  void end(const PaceControl& control) {
    if (paced_) settle(control, true);
  }

 private:
  void start();
  void settle(const PaceControl& control, bool share_ends);
  void occupy();
  void yield();
  double lap();
  double look_up(double elapsed_ns);

  bool paced_ = false;
  int items_ = 0;  // since the last settling
  int items_per_quantum_ = 1;
  double debt_ns_ = 0;         // negative: a credit
  std::int64_t mark_ns_ = 0;   // monotonic
  double cpu_at_mark_ns_ = 0;  // of the thread; up to a millisecond old and carried on since
  double carried_ns_ = 0;
  double look_up_cost_ns_ = 0;
};

}  // namespace flyball
