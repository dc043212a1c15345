#include "env/config/read_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "env/config/error.h"
#include "env/config/file_descriptor.h"

namespace flyball {

std::string read_file(const std::string& path, std::size_t max_bytes) {
  // O_NONBLOCK: opening a pipe that nobody writes to would otherwise wait for ever.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    const int reason = errno;
    input_error(path, "cannot be read: " + std::generic_category().message(reason),
                reason == ENOENT ? "check the path" : "check the path and its permissions");
  }
  struct stat info {};
  if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    input_error(path, "is not a regular file", "give the path of a file");
  }
  // Read one byte more than allowed: the size in `info` may be old, or 0 as in /proc.
  std::string bytes(max_bytes + 1, '\0');
  std::size_t length = 0;
  while (length < bytes.size()) {
    const ssize_t got = read(file.get(), bytes.data() + length, bytes.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      input_error(path, "cannot be read: " + std::generic_category().message(errno),
                  "check the disk");
    }
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length > max_bytes) {
    input_error(path, fmt::format("is larger than {} kB", max_bytes / 1024),
                "check that it is the right file");
  }
  bytes.resize(length);
  return bytes;
}

}  // namespace flyball
