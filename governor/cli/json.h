#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

namespace flyball::cli {

/// Keys stay in the order in which they are written.
using Json = nlohmann::ordered_json;

/// JSON has no infinity and no NaN: null.
inline Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

/// Two blanks of indent and a newline at the end. Bytes that are not UTF-8 (a file name) are
/// replaced.
inline std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace flyball::cli
