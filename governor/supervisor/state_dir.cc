#include "governor/supervisor/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "kernels/base/clock.h"
#include "kernels/base/error.h"

namespace flyball {
namespace {

constexpr timespec kBetweenTries = {0, 20'000'000};
constexpr const char *kLock = "lock", *kMachineLock = "machine.lock";

/// The file that a holder's folder is named in; none where there is no /run below the root, or, unless
/// `make`, no such file yet.
FileDescriptor open_note(const std::string& sysfs_root, bool make) {
  const std::string folder = sysfs_root + kDefaultStateDir;
  std::error_code absent;
  if (!std::filesystem::is_directory(folder, absent) &&
      (!make || !std::filesystem::is_directory(sysfs_root + "/run", absent)))
    return FileDescriptor();
  const StateDir dir = make ? StateDir::make(folder) : StateDir::open_existing(folder);
  if (!dir) return FileDescriptor();
  return open_state_file(dir, kMachineLock, make ? O_CREAT : 0, S_IWGRP | S_IWOTH);
}

std::string folder_in(const FileDescriptor& note) {
  char text[PATH_MAX];
  const ssize_t size = note ? pread(note.get(), text, sizeof text, 0) : 0;
  const std::string_view all(text, static_cast<std::size_t>(std::max<ssize_t>(0, size)));
  // One that was being written when its writer died has no end: that writer had changed nothing yet.
  const std::size_t end = all.find('\n');
  return std::string(all.substr(0, end == all.npos || !all.starts_with('/') ? 0 : end));
}

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

std::string StateDir::whole_path() const {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor());
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  return {path, static_cast<std::size_t>(size < 0 || size == sizeof path ? 0 : size)};
}

StateDir StateDir::make(const std::string& path) {
  const bool made = mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) refuse_folder(path, "cannot be made: " + error_text(errno));
  StateDir dir = open_existing(path);
  if (!dir) refuse_folder(path, "it was removed just now");
  dir.new_ = made;
  // Everybody may ask for the status, whatever the umask of who starts us. One that was there stays as
  // its owner wants it.
  if (made && fchmod(dir.descriptor(), 0755) != 0)
    refuse_folder(path, "cannot be opened to its readers: " + error_text(errno));
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

std::optional<GovernorLock> GovernorLock::try_lock_if_there(const StateDir& dir) {
  if (faccessat(dir.descriptor(), kLock, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
    return {};
  return try_lock(dir, 0);
}

GovernorLock GovernorLock::try_lock(const StateDir& dir, int flags) {
  FileDescriptor file = open_state_file(dir, kLock, flags, S_IWGRP | S_IWOTH);
  if (!file) {
    failure(dir.path_of(kLock), "cannot be made: " + error_text(errno),
            "free space there, or give another folder with --state-dir");
  }
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) return GovernorLock(FileDescriptor());
  return GovernorLock(std::move(file));
}

MachineLock MachineLock::take(const std::string& sysfs_root, std::int64_t limit_ns,
                              const std::function<void(const std::string&)>& held) {
  const std::string policies = sysfs_root + "/sys/devices/system/cpu/cpufreq";
  std::error_code absent;
  if (std::filesystem::is_empty(policies, absent) || absent)
    return MachineLock(FileDescriptor(), FileDescriptor());
  FileDescriptor file, note;
  if (!sysfs_root.empty()) {
    file = FileDescriptor(open(policies.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  } else if (geteuid() == 0) {  // nobody else turns a clock
    // Of a folder of sysfs anybody may have the lock, and keep root out by it.
    const StateDir dir = StateDir::make(kDefaultStateDir);
    file = open_state_file(dir, kMachineLock, O_CREAT, S_IWGRP | S_IWOTH);
    if (!file)
      failure(dir.path_of(kMachineLock), "cannot be made: " + error_text(errno),
              "free space there: it keeps two from governing at once");
  }
  const std::int64_t until_ns = monotonic_ns() + limit_ns;
  while (file && flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      failure(sysfs_root.empty() ? "this machine" : sysfs_root,
              "cannot be locked: " + error_text(errno), "keep its files where locks are kept");
    if (held) held(folder_in(open_note(sysfs_root, /*make=*/false)));
    if (monotonic_ns() > until_ns) {
      failure(sysfs_root.empty() ? "this machine" : sysfs_root,
              "another flyball governs it, with another state folder",
              "end that one first; its folder is the --state-dir that it was started with");
    }
    nanosleep(&kBetweenTries, nullptr);
  }
  if (file) note = open_note(sysfs_root, /*make=*/true);
  return MachineLock(std::move(file), std::move(note));
}

bool MachineLock::names_folder(const std::string& sysfs_root) {
  if (sysfs_root.empty() && geteuid() != 0) return false;  // as take()
  struct stat info {};
  const FileDescriptor note = open_note(sysfs_root, /*make=*/false);
  return note && fstat(note.get(), &info) == 0 && info.st_size > 0;
}

std::string MachineLock::last_folder() const { return folder_in(note_); }

void MachineLock::name_none() const noexcept {
  // One that stays is looked into by the next one, and nothing is found there.
  if (!note_) return;
  [[maybe_unused]] const int ignored = ftruncate(note_.get(), 0);
}

void MachineLock::name_folder(const StateDir& dir) const {
  if (!note_) return;
  const std::string line = dir.whole_path() + "\n";
  const bool named =
      ftruncate(note_.get(), 0) == 0 &&
      pwrite(note_.get(), line.data(), line.size(), 0) == static_cast<ssize_t>(line.size());
  if (!named)
    failure(std::string(kDefaultStateDir) + "/" + kMachineLock,
            "cannot be written: " + error_text(errno), "free space there");
}

}  // namespace flyball
