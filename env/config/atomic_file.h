#pragma once

#include <string>
#include <string_view>

namespace flyball {

/// Replaces the file at `path` by `bytes` so that a reader, or a power cut, finds either the old
/// file or the new one, whole: writes a temporary file beside it, fsync, rename, fsync of the
/// directory. A new file gets mode 0644 less the umask; one that is replaced keeps its mode. Throws
/// Error (kFailure) that says what the machine refused; then the old file stands and nothing is
/// left beside it, unless it is the very last step, the fsync of the directory, that failed.
void write_file_atomically(const std::string& path, std::string_view bytes);

}  // namespace flyball
