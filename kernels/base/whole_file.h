#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "kernels/base/file_descriptor.h"

struct stat;  // of <sys/stat.h>

namespace flyball {

/// Why a file was not read or written.
struct FileStatus {
  std::string why;  ///< empty when it was; "No such file or directory", without the path
  int error = 0;    ///< errno, or 0 when it is no refusal of the system's
  explicit operator bool() const { return why.empty(); }
};

/// The bytes of a regular file of at most `max_bytes`; a directory, pipe or device is refused
/// without waiting for it.
FileStatus read_whole_file(const std::string& path, std::size_t max_bytes, std::string& bytes);

/// A file written beside the one that it is to replace, so that a reader, or a power cut, finds
/// either the old file or the new one, whole. Follows a symbolic link to its target. A new file
/// gets mode 0644 less the umask; one that replaces another keeps its mode. Removed with this
/// object unless it was put in place.
///
/// A process that is killed leaves its temporary file: the next one that writes the same target
/// removes those that are locked by nobody and a minute old.
class FileReplacement {
 public:
  FileReplacement() = default;
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;
  ~FileReplacement();

  FileStatus begin(const std::string& path);
  FileStatus write(std::string_view bytes);
  /// Gives the file its name. `durable`: only after its bytes have reached the disk, and the name
  /// too; when that very last step is refused, the new file stands. `of`: only where the file of that
  /// name is still this one, by its device and inode.
  FileStatus put_in_place(bool durable = true, const struct stat* of = nullptr);
  /// The file, to go on writing to, once it is in place.
  FileDescriptor take() { return std::move(file_); }

 private:
  std::filesystem::path target_;
  std::string temporary_;
  FileDescriptor file_;
  bool pending_ = false;  ///< it was made, and not renamed
};

/// The file at `path` becomes `bytes`, by a FileReplacement. When it is refused the old file stands
/// and nothing is left beside it, but for the last step above.
FileStatus replace_file(const std::string& path, std::string_view bytes);

/// What of that can be told beforehand, for those whose bytes take long to make: its own first
/// steps, tried. Leaves nothing.
FileStatus can_replace_file(const std::string& path);

}  // namespace flyball
