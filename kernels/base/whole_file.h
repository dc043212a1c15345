#pragma once

#include <cstddef>
#include <string>
#include <string_view>

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

/// Replaces the file at `path` by `bytes` so that a reader, or a power cut, finds either the old
/// file or the new one, whole: writes a temporary file beside it, fsync, rename, fsync of the
/// directory. Follows a symbolic link to its target. A new file gets mode 0644 less the umask; one
/// that is replaced keeps its mode. When it is refused the old file stands and nothing is left
/// beside it, unless it is the very last step, the fsync of the directory, that failed.
FileStatus replace_file(const std::string& path, std::string_view bytes);

/// What of that can be told beforehand, for those whose bytes take long to make. Leaves nothing.
FileStatus can_replace_file(const std::string& path);

}  // namespace flyball
