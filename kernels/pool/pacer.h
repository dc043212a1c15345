#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/pool/clock.h"

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
/// Settling costs two clock reads, so it waits until about 50 us of work have come together (a
/// number of items, learned from the last time, so that no clock is needed in between), and always
/// happens at the end of a worker's share, so that workers pay side by side and not one after the
/// other behind the join. The clock reads are taken out of the work that they measure. At ratio 1
/// all this is one relaxed load per item.
class Pacer {
 public:
  Pacer();

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

  bool paced_ = false;
  int items_ = 0;  // since work_from_ns_
  int items_per_quantum_ = 1;
  double debt_ns_ = 0;             // negative: a credit
  std::int64_t work_from_ns_ = 0;  // thread CPU time
  double clock_cost_ns_ = 0;       // of reading the thread CPU time
};

}  // namespace flyball
