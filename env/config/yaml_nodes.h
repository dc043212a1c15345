#pragma once

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

// What YamlMap says of nodes, and makes of them.

namespace flyball {

/// Text from a file within a message: on one line, and of bearable length.
std::string shown(std::string_view text);
/// "file.yaml:12".
std::string place(const std::string& path, const YAML::Mark& mark);
/// The only document of a file of bearable size, which is a mapping; never waits for a pipe. Throws
/// Error (kInput), with `remedy` where it is none.
YAML::Node read_document(const std::string& path, const std::string& remedy);
/// "a mapping", "'five'", "the text "5"": as the file has it, quotes included.
std::string kind_of(const YAML::Node& node);

/// Quotes say that a scalar is text, whatever is in it.
inline bool is_quoted(const YAML::Node& node) { return node.IsScalar() && node.Tag() == "!"; }

template <typename Number>
std::optional<Number> parse_number(const YAML::Node& node) {
  if (!node.IsScalar() || is_quoted(node)) return std::nullopt;
  const std::string& text = node.Scalar();
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (text.size() > 1 && *begin == '+' && begin[1] != '-') ++begin;
  Number value{};
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return value;
}

inline constexpr const char* kNoMerging = "merging another mapping is not supported";
inline constexpr const char* kInsteadOfMerging = "write out the keys that it brings";

}  // namespace flyball
