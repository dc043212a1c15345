#pragma once

#include <cstddef>
#include <string>

namespace flyball {

/// The bytes of a regular file of at most `max_bytes`. Throws Error (kInput) that names the path:
/// for a file that is absent, unreadable, too large, or no file at all (a directory, pipe or
/// device).
std::string read_file(const std::string& path, std::size_t max_bytes);

}  // namespace flyball
