#include "governor/supervisor/process_watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "kernels/base/clock.h"

namespace flyball {
namespace {

constexpr std::int64_t kLookNs = 50'000'000, kMsNs = 1'000'000, kLongestNs = 3'600'000'000'000;

}  // namespace

ProcessWatch::ProcessWatch(const ProcessIdentity& process)
    : process_(process),
      pidfd_(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0))),
      // Asked after it was opened: what we hold is then that very process.
      had_ended_(!runs(process)) {}

bool ProcessWatch::wait_for_end(std::int64_t until_ns) const {
  if (had_ended_) return true;
  for (;;) {
    const std::int64_t left_ns = std::clamp<std::int64_t>(until_ns - monotonic_ns(), 0, kLongestNs);
    const std::int64_t wait_ns = pidfd_ ? left_ns : std::min(left_ns, kLookNs);
    pollfd end{pidfd_.get(), POLLIN, 0};
    // Rounded up: not to wake just before the time, and then again and again.
    const int ready = poll(&end, pidfd_ ? 1 : 0, static_cast<int>((wait_ns + kMsNs - 1) / kMsNs));
    if (ready > 0 || (!pidfd_ && !runs(process_))) return true;
    if (monotonic_ns() >= until_ns) return false;
  }
}

void ProcessWatch::kill() const {
  if (had_ended_) return;
  if (pidfd_) {
    syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  } else if (runs(process_)) {
    ::kill(process_.pid, SIGKILL);
  }
}

}  // namespace flyball
