#pragma once

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <string>
#include <string_view>

#include "kernels/base/control_character.h"

namespace flyball {

/// Appends a JSON string: one printable line of UTF-8, whatever `text` is.
inline void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

/// JSON has no infinity and no NaN: null.
inline void append_json(std::string& out, double value, int digits = 12) {
  if (std::isfinite(value))
    fmt::format_to(std::back_inserter(out), "{:.{}g}", value, digits);
  else
    out += "null";
}

}  // namespace flyball
