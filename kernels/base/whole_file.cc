#include "kernels/base/whole_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <system_error>

namespace flyball {
namespace {

FileStatus refused(int error) { return {std::generic_category().message(error), error}; }
FileStatus refused(const char* step, int error) {
  return {fmt::format("{}: {}", step, std::generic_category().message(error)), error};
}

constexpr std::string_view kSuffix = ".tmp";
constexpr std::time_t kStaleS = 60;  // nobody takes that long from making the file to locking it

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string temporary_name(const std::string& target, pid_t pid, int attempt) {
  return fmt::format("{}.{}-{}{}", target, pid, attempt, kSuffix);
}

/// Whether `name` is "TARGET.PID-ATTEMPT.tmp".
bool is_temporary_of(std::string_view name, std::string_view target) {
  if (name.size() <= target.size() + 1 + kSuffix.size() || !name.starts_with(target)) return false;
  name.remove_prefix(target.size());
  if (name[0] != '.' || !name.ends_with(kSuffix)) return false;
  name = name.substr(1, name.size() - 1 - kSuffix.size());
  const std::size_t dash = name.find('-');
  const auto number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dash != std::string_view::npos && number(name.substr(0, dash)) &&
         number(name.substr(dash + 1));
}

std::filesystem::path folder_of(const std::filesystem::path& target) {
  return target.has_parent_path() ? target.parent_path() : ".";
}

/// What killed writers of the same target have left.
void remove_stale(const std::filesystem::path& target) {
  std::error_code ignored;
  const std::string name = target.filename().string();
  for (std::filesystem::directory_iterator entry(folder_of(target), ignored), end;
       !ignored && entry != end; entry.increment(ignored)) {
    if (!is_temporary_of(entry->path().filename().string(), name)) continue;
    const FileDescriptor file(
        open(entry->path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
    struct stat info {};
    if (!file || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (std::time(nullptr) - info.st_mtime < kStaleS) continue;
    if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) unlink(entry->path().c_str());
  }
}

}  // namespace

FileStatus read_whole_file(const std::string& path, std::size_t max_bytes, std::string& bytes) {
  // O_NONBLOCK: opening a pipe that nobody writes to would otherwise wait for ever.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return refused(errno);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return refused(errno);
  if (!S_ISREG(info.st_mode)) return {"it is not a regular file"};
  // The size in `info` may be old, or 0 as in /proc; one byte more shows the end.
  bytes.resize(std::min(max_bytes, static_cast<std::size_t>(info.st_size)) + 1);
  std::size_t length = 0;
  for (;;) {
    if (length > max_bytes) return {fmt::format("it is larger than {} kB", max_bytes / 1024)};
    if (length == bytes.size()) bytes.resize(std::min(max_bytes, 2 * length) + 1);
    const ssize_t got = read(file.get(), bytes.data() + length, bytes.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refused(errno);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  bytes.resize(length);
  return {};
}

FileReplacement::~FileReplacement() {
  if (pending_) unlink(temporary_.c_str());
}

FileStatus FileReplacement::begin(const std::string& path) {
  // Through a symbolic link to its target: rename would replace the link itself.
  std::error_code error;
  target_ = path;
  struct stat old {};
  const bool replaces = stat(target_.c_str(), &old) == 0;
  if (replaces && !S_ISREG(old.st_mode)) return {"it exists and is not a regular file"};
  // Not before that: /dev/stdout links to what has no path.
  if (std::filesystem::is_symlink(target_, error)) {
    target_ = std::filesystem::weakly_canonical(target_, error);
    if (error) return refused("follow link", error.value());
    if (std::filesystem::is_symlink(target_, error)) return {"it is a link to nothing"};
  }
  if (!target_.has_filename()) return {"it ends in a slash, as a folder does"};
  remove_stale(target_);

  // O_EXCL: never through a link or over a file that somebody else has put there. Another number
  // when the name is taken, by another thread or by a process that was killed at this point.
  for (int attempt = 0; attempt < 100 && !file_; ++attempt) {
    temporary_ = temporary_name(target_.string(), getpid(), attempt);
    file_ = FileDescriptor(
        open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file_ && errno != EEXIST) return refused("create a file beside it", errno);
  }
  if (!file_) return refused("create a file beside it", EEXIST);
  pending_ = true;
  flock(file_.get(), LOCK_EX | LOCK_NB);  // where locks are not kept, the age alone protects it
  if (replaces && fchmod(file_.get(), old.st_mode & 07777) != 0) return refused("chmod", errno);
  return {};
}

FileStatus FileReplacement::write(std::string_view bytes) {
  return write_all(file_.get(), bytes) ? FileStatus{} : refused("write", errno);
}

FileStatus FileReplacement::put_in_place(bool durable, const struct stat* of) {
  if (durable && fsync(file_.get()) != 0) return refused("fsync", errno);
  struct stat there {};
  if (of && (stat(target_.c_str(), &there) != 0 || there.st_ino != of->st_ino ||
             there.st_dev != of->st_dev))
    return {"another file has taken its place"};
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) return refused("rename", errno);
  pending_ = false;
  if (!durable) return {};

  // The rename itself must reach the disk. Some file systems refuse to sync a directory (EINVAL);
  // the file is in place, so that is no failure.
  const FileDescriptor folder(open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && fsync(folder.get()) != 0 && errno != EINVAL) return refused("fsync folder", errno);
  return {};
}

FileStatus replace_file(const std::string& path, std::string_view bytes) {
  FileReplacement to;
  if (FileStatus status = to.begin(path); !status) return status;
  if (FileStatus status = to.write(bytes); !status) return status;
  return to.put_in_place();
}

FileStatus can_replace_file(const std::string& path) {
  FileReplacement to;
  return to.begin(path);
}

}  // namespace flyball
