#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flyball::fuzz {

/// A YAML document as plain values, which can be cut and grafted without yaml-cpp's sharing of nodes.
struct YamlTree {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;            ///< of a scalar
  bool quoted = false;         ///< likewise
  std::vector<YamlTree> keys;  ///< of a mapping, one per item
  std::vector<YamlTree> items;
};

/// Nothing when the text is no YAML, or so deep or large that it is not worth it.
std::optional<YamlTree> parse_yaml(std::string_view text);
/// With a line per item, so that a reproducer can be read.
std::string to_yaml(const YamlTree& tree);

}  // namespace flyball::fuzz
