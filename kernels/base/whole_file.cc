#include "kernels/base/whole_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "kernels/base/file_descriptor.h"

namespace flyball {
namespace {

FileStatus refused(int error) { return {std::generic_category().message(error), error}; }
FileStatus refused(const char* step, int error) {
  return {fmt::format("{}: {}", step, std::generic_category().message(error)), error};
}

/// A file beside the one that it is to replace. Removed unless it was renamed.
struct Replacement {
  std::filesystem::path target;
  bool replaces = false;
  mode_t mode = 0;  // of what it replaces
  std::string temporary;
  FileDescriptor file;
  bool pending = false;  // it was made, and not renamed
  Replacement() = default;
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  ~Replacement() {
    if (pending) unlink(temporary.c_str());
  }
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

FileStatus begin(const std::string& path, Replacement& to) {
  // Through a symbolic link to its target: rename would replace the link itself.
  std::error_code error;
  to.target = path;
  if (std::filesystem::is_symlink(to.target, error)) {
    to.target = std::filesystem::weakly_canonical(to.target, error);
    if (error) return refused("follow link", error.value());
    if (std::filesystem::is_symlink(to.target, error)) return {"it is a link to nothing"};
  }
  struct stat old {};
  to.replaces = stat(to.target.c_str(), &old) == 0;
  to.mode = old.st_mode & 07777;
  if (to.replaces && !S_ISREG(old.st_mode)) return {"it exists and is not a regular file"};

  // O_EXCL: never through a link or over a file that somebody else has put there. Another number
  // when the name is taken, by another thread or by a process that was killed at this point.
  for (int attempt = 0; attempt < 100 && !to.file; ++attempt) {
    to.temporary = fmt::format("{}.{}-{}.tmp", to.target.string(), getpid(), attempt);
    to.file = FileDescriptor(
        open(to.temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!to.file && errno != EEXIST) return refused("create a file beside it", errno);
  }
  if (!to.file) return refused("create a file beside it", EEXIST);
  to.pending = true;
  return {};
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

FileStatus replace_file(const std::string& path, std::string_view bytes) {
  Replacement to;
  if (FileStatus status = begin(path, to); !status) return status;
  if (to.replaces && fchmod(to.file.get(), to.mode) != 0) return refused("chmod", errno);
  if (!write_all(to.file.get(), bytes)) return refused("write", errno);
  if (fsync(to.file.get()) != 0) return refused("fsync", errno);
  if (!to.file.close_now()) return refused("close", errno);
  if (std::rename(to.temporary.c_str(), to.target.c_str()) != 0) return refused("rename", errno);
  to.pending = false;

  // The rename itself must reach the disk. Some file systems refuse to sync a directory (EINVAL);
  // the file is in place, so that is no failure.
  const std::filesystem::path directory =
      to.target.has_parent_path() ? to.target.parent_path() : ".";
  const FileDescriptor folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && fsync(folder.get()) != 0 && errno != EINVAL) return refused("fsync folder", errno);
  return {};
}

FileStatus can_replace_file(const std::string& path) {
  Replacement to;
  return begin(path, to);
}

}  // namespace flyball
