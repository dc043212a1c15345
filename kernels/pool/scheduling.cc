#include "kernels/pool/scheduling.h"

#include <sched.h>

#include <cerrno>
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
  bool returned = false;
  try {
    std::thread([&] {
      const auto enter = [](const Scheduling& s) {
        return set_thread_scheduling(pthread_self(), s) == 0;
      };
      returned = enter(from) && enter(to) && enter(from);
    }).join();
  } catch (const std::system_error&) {  // no room for a thread
  }
  return returned;
}

}  // namespace flyball
