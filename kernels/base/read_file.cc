#include "kernels/base/read_file.h"

#include <cerrno>

#include "kernels/base/error.h"
#include "kernels/base/whole_file.h"

namespace flyball {

std::string read_file(const std::string& path, std::size_t max_bytes) {
  std::string bytes;
  const FileStatus status = read_whole_file(path, max_bytes, bytes);
  if (!status) {
    input_error(path, "cannot be read: " + status.why,
                status.error == 0        ? "check that it is the right file"
                : status.error == ENOENT ? "check the path"
                                         : "check the path and its permissions");
  }
  return bytes;
}

}  // namespace flyball
