#include "governor/supervisor/takeover.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "governor/supervisor/close_descriptors.h"
#include "governor/supervisor/supervise.h"
#include "kernels/base/clock.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr int kStartLimitMs = 5000;
constexpr std::int64_t kOwnPatienceNs = 1'000'000'000, kSlowDriverNs = 10'000'000'000;
constexpr timespec kBetweenLooks = {0, 1'000'000};

std::string program_beside_us() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  const std::string self(path, static_cast<std::size_t>(size < 0 ? 0 : size));
  return self.substr(0, self.rfind('/') + 1) + "flyball-supervisor";
}

/// Between fork and exec in a process of many threads: system calls only.
[[noreturn]] void become_supervisor(const char* program, const char* state_dir,
                                    const int (&descriptors)[kSupervisorDescriptors]) {
  setsid();  // the terminal's signals are for the governor
  [[maybe_unused]] const int moved = chdir("/");
  constexpr int kAbove = kLockDescriptor + kSupervisorDescriptors;
  int high[kSupervisorDescriptors];
  for (int i = 0; i < kSupervisorDescriptors; ++i) high[i] = fcntl(descriptors[i], F_DUPFD, kAbove);
  for (int i = 0; i < kSupervisorDescriptors; ++i) {
    if (dup2(high[i], kLockDescriptor + i) < 0) close(kLockDescriptor + i);
  }
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  fcntl(kReadyDescriptor, F_SETFD, FD_CLOEXEC);
  close_descriptors(kAbove, ~0U);
  fcntl(kReadyDescriptor, F_SETFD, 0);
  char* const arguments[] = {const_cast<char*>(program), const_cast<char*>(state_dir), nullptr};
  char* const environment[] = {nullptr};
  execve(program, arguments, environment);
  const char error = static_cast<char>(errno);
  [[maybe_unused]] const ssize_t written = write(kReadyDescriptor, &error, 1);
  _exit(127);
}

}  // namespace

Takeover Takeover::begin(const TakeoverOptions& options, RestoreReport& remains) {
  StateDir dir = StateDir::make(options.state_dir);
  GovernorLock lock = lock_when_free(dir, RestoreOptions{}.lock_limit_ns);
  MachineLock machine = machine_when_free(options.sysfs_root, RestoreOptions{}.lock_limit_ns);
  remains = restore_all(dir, machine, options.sysfs_root);
  if (dir.is_new() && machine.last_folder() == dir.whole_path())
    remains.elsewhere_removed = printable(dir.path());
  if (remains.result.missing() > 0) {
    const std::string folder = remains.elsewhere.empty() ? dir.path() : remains.elsewhere;
    failure(folder + "/" + SettingsFile::kName,
            "a governor before has left settings that cannot be given back (" +
                remains.result.sum() + ")",
            "see 'flyball restore'");
  }
  if (!remains.elsewhere_problem.empty()) {
    // What stands there now may not be the user's, and would be forgotten.
    failure(options.sysfs_root + kDefaultStateDir + "/machine.lock", remains.elsewhere_problem,
            "give back what is there with 'flyball restore --state-dir', or remove this file if "
            "that is "
            "nobody's");
  }
  machine.name_folder(dir);
  SettingsFile file = SettingsFile::create(dir, options.sysfs_root, options.capacity);
  Takeover takeover(std::move(dir), std::move(lock), std::move(machine), std::move(file));
  takeover.start_supervisor(options);
  return takeover;
}

Takeover::Takeover(Takeover&& other) noexcept
    : dir_(std::move(other.dir_)),
      lock_(std::exchange(other.lock_, std::nullopt)),
      machine_(std::exchange(other.machine_, std::nullopt)),
      file_(std::exchange(other.file_, std::nullopt)),
      supervisor_(std::exchange(other.supervisor_, -1)) {}

Takeover::~Takeover() {
  if (file_) give_back();
}

void Takeover::start_supervisor(const TakeoverOptions& options) {
  const std::string program =
      options.supervisor_program.empty() ? program_beside_us() : options.supervisor_program;
  const auto refuse = [&](const std::string& why) {
    failure("supervisor " + program, why, "nothing was changed; install flyball completely");
  };
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) refuse(std::generic_category().message(errno));
  const FileDescriptor ready(ends[0]);
  FileDescriptor told(ends[1]);
  const int descriptors[kSupervisorDescriptors] = {lock_->descriptor(), file_->descriptor(),
                                                   dir_.descriptor(), told.get(),
                                                   machine_->descriptor()};
  supervisor_ = fork();
  if (supervisor_ == 0) become_supervisor(program.c_str(), dir_.path().c_str(), descriptors);
  if (supervisor_ < 0) refuse("cannot be started: " + std::generic_category().message(errno));
  told = FileDescriptor();
  pollfd answer{ready.get(), POLLIN, 0};
  int answers;
  do {
    answers = poll(&answer, 1, kStartLimitMs);
  } while (answers < 0 && errno == EINTR);
  char error = 0;
  const ssize_t got = answers == 1 ? read(ready.get(), &error, 1) : -1;
  if (got == 1 && error == 0) return;
  end_supervisor();
  refuse(got == 1   ? "cannot be started: " + std::generic_category().message(error)
         : got == 0 ? "ended at once"
                    : "does not answer");
}

void Takeover::end_supervisor() {
  if (supervisor_ <= 0) return;
  kill(supervisor_, SIGKILL);  // it heeds nothing less
  while (waitpid(supervisor_, nullptr, 0) < 0 && errno == EINTR) {
  }
  supervisor_ = -1;
}

bool Takeover::beat(std::int64_t period_ns) noexcept {
  file_->beat(monotonic_ns(), period_ns);
  siginfo_t ended{};
  // Left to be waited for: end_supervisor() must not kill another process of its number.
  return waitid(P_PID, static_cast<id_t>(supervisor_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == 0;
}

void Takeover::begin_to_end() noexcept {
  file_->beat(monotonic_ns(), 0);
  file_->set_phase(GovernorPhase::kGivingBack);
}

void Takeover::wait_while(const std::function<bool()>& busy) {
  const std::int64_t until_ns = monotonic_ns() + kSlowDriverNs;
  for (; busy() && monotonic_ns() < until_ns; nanosleep(&kBetweenLooks, nullptr))
    file_->gives_back();
}

GiveBackResult Takeover::give_back() {
  if (!file_) return {};
  begin_to_end();
  GiveBackResult result = give_back_patiently(*file_, kOwnPatienceNs);
  file_->set_phase(GovernorPhase::kDone);
  if (result.missing() == 0) {
    file_->remove(dir_);
    machine_->name_none();
  }
  end_supervisor();
  file_.reset();
  lock_.reset();
  machine_.reset();
  return result;
}

}  // namespace flyball
