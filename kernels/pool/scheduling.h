#pragma once

#include <pthread.h>

#include <cstdint>
#include <string>

namespace flyball {

/// The scheduling classes of Linux that a thread can be given beside pinning (SCHED_DEADLINE
/// excludes that).
enum class SchedClass : std::uint8_t {
  kInherited,  ///< what the thread had before: the pool leaves it alone
  kNormal,     ///< SCHED_OTHER
  kBatch,      ///< SCHED_BATCH: does not preempt others when it wakes up
  kIdle,       ///< SCHED_IDLE: runs where nothing else wants to
  kFifo,       ///< SCHED_FIFO: needs CAP_SYS_NICE, or RLIMIT_RTPRIO
  kRoundRobin  ///< SCHED_RR: likewise
};

struct Scheduling {
  SchedClass sched_class = SchedClass::kInherited;
  int priority = 0;  ///< 1 to 99 in kFifo and kRoundRobin, otherwise 0
  bool operator==(const Scheduling&) const = default;

  bool real_time() const {
    return sched_class == SchedClass::kFifo || sched_class == SchedClass::kRoundRobin;
  }
  bool sound() const { return real_time() ? priority >= 1 && priority <= 99 : priority == 0; }
};

/// Of the calling thread; kInherited when it is in a class that Scheduling cannot name.
Scheduling thread_scheduling();

/// 0, or the errno value of the refusal: EPERM when the process may not.
int set_thread_scheduling(pthread_t thread, const Scheduling& scheduling);

/// Whether a thread of this process in the class `from` may enter `to` and come back, tried on a
/// sleeping thread that is made for it (some 50 us). Without CAP_SYS_NICE or RLIMIT_NICE Linux lets
/// no thread leave SCHED_IDLE, and none return to a real-time class that a privileged parent gave
/// it.
bool scheduling_can_return(const Scheduling& from, const Scheduling& to);

}  // namespace flyball
