#pragma once

namespace flyball {

/// Whether a terminal may obey `c` in place of showing it: text of a file that may be a stranger's
/// is shown without.
inline bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

}  // namespace flyball
