#include "governor/supervisor/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "kernels/base/clock.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr timespec kBetweenTries = {0, 20'000'000};

/// A privilege that is missing is the usual cause, and sudo the cure.
[[noreturn]] void refuse_folder(const std::string& path, const std::string& why) {
  failure("state folder " + path, why,
          geteuid() == 0 ? "give another one with --state-dir"
                         : "run as root (sudo), or give a folder of your own with --state-dir");
}

std::string owner_problem(const struct stat& info, mode_t forbidden) {
  if (info.st_uid != geteuid()) {
    return "it belongs to user " + std::to_string(info.st_uid) + ", not to user " +
           std::to_string(geteuid()) + " who runs this";
  }
  if ((info.st_mode & forbidden) != 0) return "others may write to it";
  return {};
}

}  // namespace

std::string error_text(int error) { return std::generic_category().message(error); }

StateDir StateDir::open_existing(const std::string& path) {
  StateDir dir(path);
  dir.directory_ =
      FileDescriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) {
    if (errno == ENOENT) return dir;
    if (errno == ENOTDIR || errno == ELOOP)
      input_error("state folder " + path, "it is a link or no folder",
                  "give another one with --state-dir");
    refuse_folder(path, "cannot be opened: " + error_text(errno));
  }
  struct stat info {};
  if (fstat(dir.descriptor(), &info) != 0)
    refuse_folder(path, "cannot be looked at: " + error_text(errno));
  const std::string problem = owner_problem(info, S_IWGRP | S_IWOTH);
  if (!problem.empty()) refuse_folder(path, problem);
  return dir;
}

StateDir StateDir::make(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    refuse_folder(path, "cannot be made: " + error_text(errno));
  }
  StateDir dir = open_existing(path);
  if (!dir) refuse_folder(path, "it was removed just now");
  return dir;
}

StateDir StateDir::adopt(FileDescriptor directory, const std::string& path) {
  StateDir dir(path);
  dir.directory_ = std::move(directory);
  return dir;
}

FileDescriptor open_state_file(const StateDir& dir, const char* name, int flags, mode_t others) {
  // O_NONBLOCK: a pipe of that name would keep us waiting.
  FileDescriptor file(
      openat(dir.descriptor(), name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600));
  if (!file && errno != ELOOP && errno != EISDIR && errno != ENXIO) return file;
  struct stat info {};
  std::string problem;
  if (!file || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    problem = "it is a link or no regular file";
  } else if (info.st_nlink != 1) {
    problem = "it has another name besides";
  } else {
    problem = owner_problem(info, others);
  }
  if (problem.empty()) return file;
  failure(dir.path_of(name), problem + ", so it is not trusted",
          "remove it when you know where it comes from");
}

GovernorLock GovernorLock::try_lock(const StateDir& dir) {
  FileDescriptor file = open_state_file(dir, "lock", O_CREAT, S_IWGRP | S_IWOTH);
  if (!file) {
    failure(dir.path_of("lock"), "cannot be made: " + error_text(errno),
            "free space there, or give another folder with --state-dir");
  }
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return GovernorLock(FileDescriptor());
  return GovernorLock(std::move(file));
}

MachineLock MachineLock::take(const std::string& sysfs_root, std::int64_t limit_ns) {
  const std::string policies = sysfs_root + "/sys/devices/system/cpu/cpufreq";
  std::error_code absent;
  if (std::filesystem::is_empty(policies, absent) || absent) return MachineLock(FileDescriptor());
  FileDescriptor file;
  if (!sysfs_root.empty()) {
    file = FileDescriptor(open(policies.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  } else if (geteuid() == 0) {  // nobody else turns a clock
    // Of a folder of sysfs anybody may have the lock, and keep root out by it.
    const StateDir dir = StateDir::make(kDefaultStateDir);
    file = open_state_file(dir, "machine.lock", O_CREAT, S_IWGRP | S_IWOTH);
    if (!file)
      failure(dir.path_of("machine.lock"), "cannot be made: " + error_text(errno),
              "free space there: it keeps two from governing at once");
  }
  const std::int64_t until_ns = monotonic_ns() + limit_ns;
  while (file && flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      failure(sysfs_root.empty() ? "this machine" : sysfs_root,
              "cannot be locked: " + error_text(errno), "keep its files where locks are kept");
    if (monotonic_ns() > until_ns) {
      failure(sysfs_root.empty() ? "this machine" : sysfs_root,
              "another flyball governs it, with another state folder",
              "end that one first; its folder is the --state-dir that it was started with");
    }
    nanosleep(&kBetweenTries, nullptr);
  }
  return MachineLock(std::move(file));
}

}  // namespace flyball
