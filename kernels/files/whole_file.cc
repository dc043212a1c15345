#include "kernels/files/whole_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "kernels/files/file_descriptor.h"

namespace flyball {
namespace {

FileStatus refused(int error) { return {std::generic_category().message(error), error}; }
FileStatus refused(const char* step, int error) {
  return {fmt::format("{}: {}", step, std::generic_category().message(error)), error};
}

/// Removes the temporary file unless it was renamed.
struct TemporaryFile {
  std::string path;
  bool renamed = true;
  ~TemporaryFile() {
    if (!renamed) unlink(path.c_str());
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
  // Through a symbolic link to its target: rename would replace the link itself.
  std::error_code error;
  std::filesystem::path target = path;
  if (std::filesystem::is_symlink(target, error)) {
    target = std::filesystem::weakly_canonical(target, error);
    if (error) return refused("follow link", error.value());
  }
  const std::string directory =
      target.has_parent_path() ? target.parent_path().string() : std::string(".");

  struct stat old {};
  const bool replaces = stat(target.c_str(), &old) == 0;
  if (replaces && !S_ISREG(old.st_mode)) return {"it exists and is not a regular file"};

  // O_EXCL: never through a link or over a file that somebody else has put there. Another number
  // when the name is taken, by another thread or by a process that was killed at this point.
  TemporaryFile temporary;
  FileDescriptor file;
  for (int attempt = 0; attempt < 100 && !file; ++attempt) {
    temporary.path = fmt::format("{}.{}-{}.tmp", target.string(), getpid(), attempt);
    file = FileDescriptor(
        open(temporary.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file && errno != EEXIST) return refused("create a file beside it", errno);
  }
  if (!file) return refused("create a file beside it", EEXIST);
  temporary.renamed = false;

  if (replaces && fchmod(file.get(), old.st_mode & 07777) != 0) return refused("chmod", errno);
  if (!write_all(file.get(), bytes)) return refused("write", errno);
  if (fsync(file.get()) != 0) return refused("fsync", errno);
  if (!file.close_now()) return refused("close", errno);
  if (std::rename(temporary.path.c_str(), target.c_str()) != 0) return refused("rename", errno);
  temporary.renamed = true;

  // The rename itself must reach the disk. Some file systems refuse to sync a directory (EINVAL);
  // the file is in place, so that is no failure.
  const FileDescriptor folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && fsync(folder.get()) != 0 && errno != EINVAL) return refused("fsync folder", errno);
  return {};
}

}  // namespace flyball
