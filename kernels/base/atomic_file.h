#pragma once

#include <string>
#include <string_view>

namespace flyball {

/// replace_file, which throws Error (kFailure) that says what the machine refused.
void write_file_atomically(const std::string& path, std::string_view bytes);

}  // namespace flyball
