#include "env/config/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "env/config/error.h"
#include "env/config/file_descriptor.h"

namespace flyball {
namespace {

[[noreturn]] void refused(const std::string& path, const char* step, int reason) {
  failure(path,
          fmt::format("cannot be written: {}: {}", step, std::generic_category().message(reason)),
          "check the path, its permissions and the free space");
}

/// Removes the temporary file unless it was renamed.
struct TemporaryFile {
  std::string path;
  bool renamed = false;
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

void write_file_atomically(const std::string& path, std::string_view bytes) {
  // Through a symbolic link to its target: rename would replace the link itself.
  std::error_code error;
  std::filesystem::path target = path;
  if (std::filesystem::is_symlink(target, error)) {
    target = std::filesystem::weakly_canonical(target, error);
    if (error) refused(path, "follow link", error.value());
  }
  const std::string directory =
      target.has_parent_path() ? target.parent_path().string() : std::string(".");

  struct stat old {};
  const bool replaces = stat(target.c_str(), &old) == 0;
  if (replaces && !S_ISREG(old.st_mode)) {
    failure(path, "cannot be written: it exists and is not a regular file", "give another path");
  }

  // O_EXCL: never through a link or over a file that somebody else has put there. Another number
  // when the name is taken, by another thread or by a process that was killed at this point.
  TemporaryFile temporary{.path = "", .renamed = true};
  FileDescriptor file;
  for (int attempt = 0; attempt < 100 && !file; ++attempt) {
    temporary.path = fmt::format("{}.{}-{}.tmp", target.string(), getpid(), attempt);
    file = FileDescriptor(
        open(temporary.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file && errno != EEXIST) refused(path, "create a file beside it", errno);
  }
  if (!file) refused(path, "create a file beside it", EEXIST);
  temporary.renamed = false;

  if (replaces && fchmod(file.get(), old.st_mode & 07777) != 0) refused(path, "chmod", errno);
  if (!write_all(file.get(), bytes)) refused(path, "write", errno);
  if (fsync(file.get()) != 0) refused(path, "fsync", errno);
  if (!file.close_now()) refused(path, "close", errno);
  if (std::rename(temporary.path.c_str(), target.c_str()) != 0) refused(path, "rename", errno);
  temporary.renamed = true;

  // The rename itself must reach the disk. Some file systems refuse to sync a directory (EINVAL);
  // the file is in place, so that is no failure.
  const FileDescriptor folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder && fsync(folder.get()) != 0 && errno != EINVAL) refused(path, "fsync folder", errno);
}

}  // namespace flyball
