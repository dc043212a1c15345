#include "kernels/pool/scheduling.h"

#include <sched.h>

#include <cerrno>
#include <memory>
#include <semaphore>
#include <system_error>
#include <thread>

namespace flyball {

Scheduling thread_scheduling() {
  sched_param parameters{};
  if (sched_getparam(0, &parameters) != 0) return {};
  // Without the flag that resets the class of child processes.
  switch (sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) {
    case SCHED_OTHER:
      return {SchedClass::kNormal, 0};
    case SCHED_BATCH:
      return {SchedClass::kBatch, 0};
    case SCHED_IDLE:
      return {SchedClass::kIdle, 0};
    case SCHED_FIFO:
      return {SchedClass::kFifo, parameters.sched_priority};
    case SCHED_RR:
      return {SchedClass::kRoundRobin, parameters.sched_priority};
    default:
      return {};
  }
}

int set_thread_scheduling(pthread_t thread, const Scheduling& scheduling) {
  sched_param parameters{};
  parameters.sched_priority = scheduling.priority;
  switch (scheduling.sched_class) {
    case SchedClass::kInherited:
      return 0;
    case SchedClass::kNormal:
      return pthread_setschedparam(thread, SCHED_OTHER, &parameters);
    case SchedClass::kBatch:
      return pthread_setschedparam(thread, SCHED_BATCH, &parameters);
    case SchedClass::kIdle:
      return pthread_setschedparam(thread, SCHED_IDLE, &parameters);
    case SchedClass::kFifo:
      return pthread_setschedparam(thread, SCHED_FIFO, &parameters);
    case SchedClass::kRoundRobin:
      return pthread_setschedparam(thread, SCHED_RR, &parameters);
  }
  return EINVAL;
}

bool scheduling_can_return(const Scheduling& from, const Scheduling& to) {
  if (from.sched_class == SchedClass::kInherited) return false;  // one that we cannot name
  // The thread sleeps meanwhile, and nobody waits for its end: one that is left in SCHED_IDLE may
  // not run for long.
  const auto over = std::make_shared<std::binary_semaphore>(0);
  std::thread sleeper;
  try {
    sleeper = std::thread([over] { over->acquire(); });
  } catch (const std::system_error&) {  // no room for a thread
    return false;
  }
  const auto enter = [&](const Scheduling& scheduling) {
    return set_thread_scheduling(sleeper.native_handle(), scheduling) == 0;
  };
  const bool returned = enter(from) && enter(to) && enter(from);
  over->release();
  sleeper.detach();
  return returned;
}

}  // namespace flyball
