#include "governor/supervisor/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "governor/supervisor/give_back.h"
#include "governor/supervisor/process_watch.h"
#include "kernels/base/clock.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kLongestPeriodNs = 600 * kSecondNs;
constexpr std::int64_t kNothingOwedLimitNs = 10 * kSecondNs;
constexpr std::int64_t kKilledLimitNs = kSecondNs / 2;  // a thread in the Linux kernel ends later
constexpr std::int64_t kPatienceNs = 3 * kSecondNs;
constexpr std::int64_t kStuckLimitNs = 30 * kSecondNs;

/// Signals of the terminal and of whoever stops the governor reach us as well, and it is not done.
void heed_no_signal() {
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2,
                           SIGTSTP, SIGTTIN, SIGTTOU, SIGXFSZ}) {
    ::signal(signal, SIG_IGN);
  }
  ::signal(SIGCHLD, SIG_DFL);  // ignored, our own children could not be waited for
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// When memory runs out, others go first, and what we need then is in memory already. Both are root's
/// to have; without them it works as well as it can.
void stay_when_memory_runs_out() {
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file >= 0) {
    [[maybe_unused]] const ssize_t written = write(file, "-1000", 5);
    close(file);
  }
  mlockall(MCL_CURRENT | MCL_FUTURE);
}

/// Standard error may be a pipe that nobody empties.
void say(const std::string& line) {
  pollfd out{STDERR_FILENO, POLLOUT, 0};
  if (poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

bool owes(const SettingsFile& file) {
  for (int setting = 0; setting < file.count(); ++setting) {
    const SettingState state = file.state(setting);
    if (state == SettingState::kTaken || state == SettingState::kGivingBack) return true;
  }
  return false;
}

/// When it hangs if nothing is heard of it till then.
std::int64_t silent_until_ns(const SettingsFile& file, std::int64_t grace_ns) {
  return std::max(file.beat_ns() + hang_limit_ns(file.phase(), file.period_ns(), owes(file)),
                  grace_ns);
}

enum class End { kDone, kDied, kHung };

End wait_for_end(const SettingsFile& file, const ProcessWatch& governor) {
  std::int64_t grace_ns = 0;
  for (;;) {
    // A second at most: what is allowed changes when the governor has started, or naps no more.
    const std::int64_t look_ns =
        std::min(silent_until_ns(file, grace_ns), monotonic_ns() + kSecondNs);
    if (governor.wait_for_end(look_ns)) {
      return file.phase() == GovernorPhase::kDone ? End::kDone : End::kDied;
    }
    if (file.phase() == GovernorPhase::kDone) return End::kDone;
    const std::int64_t now_ns = monotonic_ns();
    // Late ourselves: the machine had no time for either of us (or a debugger held all).
    if (now_ns - look_ns > kSecondNs / 4) grace_ns = now_ns + kSecondNs;
    if (now_ns >= silent_until_ns(file, grace_ns)) return End::kHung;
  }
}

int give_back_all(SettingsFile& file, const StateDir& dir, const ProcessWatch& governor, End end) {
  const std::string who =
      "flyball: supervisor: the governor (process " + std::to_string(file.governor().pid) + ")";
  bool ended = true;
  if (end == End::kHung) {
    governor.kill();
    ended = governor.wait_for_end(monotonic_ns() + kKilledLimitNs);
  }
  GiveBackResult result = give_back_patiently(file, kPatienceNs);
  if (!ended) {
    // Its last write may come through yet, and undo ours.
    governor.wait_for_end(monotonic_ns() + kStuckLimitNs);
    GiveBackOptions again;
    again.again = true;
    result = give_back_patiently(file, kPatienceNs, again);
  }
  if (result.missing() == 0) file.remove(dir);
  say(who + (end == End::kHung ? " hung and was stopped" : " ended without giving back") + "; " +
      result.sum() + "\n" + (result.missing() == 0 ? "" : report_text(result)));
  return result.missing() == 0 ? 0 : 1;
}

}  // namespace

std::int64_t hang_limit_ns(GovernorPhase phase, std::int64_t period_ns, bool owes) {
  if (phase == GovernorPhase::kStarting || (phase == GovernorPhase::kGivingBack && !owes))
    return kNothingOwedLimitNs;
  return std::max(3 * std::clamp<std::int64_t>(period_ns, 0, kLongestPeriodNs), kSecondNs);
}

int supervise(const std::string& state_dir) {
  heed_no_signal();
  const StateDir dir = StateDir::adopt(FileDescriptor(kStateDirDescriptor), state_dir);
  SettingsFile file =
      SettingsFile::adopt(FileDescriptor(kSettingsDescriptor), dir.path_of(SettingsFile::kName));
  const FileDescriptor lock(kLockDescriptor);
  FileDescriptor ready(kReadyDescriptor);
  const ProcessWatch governor(file.governor());
  stay_when_memory_runs_out();
  file.set_supervisor(identify(getpid()).value_or(ProcessIdentity{}));
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = write(ready.get(), &byte, 1);
  ready = FileDescriptor();
  const End end = wait_for_end(file, governor);
  return end == End::kDone ? 0 : give_back_all(file, dir, governor, end);
}

}  // namespace flyball
