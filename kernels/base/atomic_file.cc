#include "kernels/base/atomic_file.h"

#include "kernels/base/error.h"
#include "kernels/base/whole_file.h"

namespace flyball {

void write_file_atomically(const std::string& path, std::string_view bytes) {
  const FileStatus status = replace_file(path, bytes);
  if (status) return;
  failure(path, "cannot be written: " + status.why,
          status.error != 0 ? "check the path, its permissions and the free space"
                            : "give another path");
}

}  // namespace flyball
