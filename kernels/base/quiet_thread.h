#pragma once

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace flyball {

/// Starts a thread with all signals blocked: the handlers of the program run on the program's own
/// threads. Throws std::system_error as std::thread does.
template <typename F>
std::thread quiet_thread(F&& body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  struct Restore {
    const sigset_t& mask;
    ~Restore() { pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
  } restore{before};
  return std::thread(std::forward<F>(body));
}

}  // namespace flyball
