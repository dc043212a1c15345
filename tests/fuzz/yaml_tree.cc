#include "tests/fuzz/yaml_tree.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>

namespace flyball::fuzz {
namespace {

constexpr int kMaxDepth = 40;
constexpr int kMaxNodes = 5000;  // aliases can make a small file a huge tree

bool convert(const YAML::Node& node, int depth, int& nodes, YamlTree& out) {
  if (depth > kMaxDepth || ++nodes > kMaxNodes) return false;
  if (node.IsScalar()) {
    out.kind = YamlTree::Kind::kScalar;
    out.text = node.Scalar();
    out.quoted = node.Tag() == "!";
  } else if (node.IsSequence()) {
    out.kind = YamlTree::Kind::kList;
    for (const auto& item : node) {
      if (!convert(item, depth + 1, nodes, out.items.emplace_back())) return false;
    }
  } else if (node.IsMap()) {
    out.kind = YamlTree::Kind::kMap;
    for (const auto& pair : node) {
      if (!convert(pair.first, depth + 1, nodes, out.keys.emplace_back()) ||
          !convert(pair.second, depth + 1, nodes, out.items.emplace_back())) {
        return false;
      }
    }
  }
  return true;
}

bool is_plain(const YamlTree& scalar) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '<';
  };
  const std::string_view text = scalar.text;
  if (scalar.quoted || text.empty()) return false;
  return std::all_of(text.begin() + (text[0] == '-' && text.size() > 1 ? 1 : 0), text.end(), plain);
}

void write(const YamlTree& tree, std::string& out) {
  switch (tree.kind) {
    case YamlTree::Kind::kNull:
      out += '~';
      return;
    case YamlTree::Kind::kScalar:
      if (is_plain(tree)) {
        out += tree.text;
        return;
      }
      out += '"';
      for (const char c : tree.text) {
        constexpr char kHex[] = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
          out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
        } else {
          if (c == '"' || c == '\\') out += '\\';
          out += c;
        }
      }
      out += '"';
      return;
    case YamlTree::Kind::kList:
    case YamlTree::Kind::kMap:
      const bool map = tree.kind == YamlTree::Kind::kMap;
      out += map ? "{" : "[";
      for (std::size_t i = 0; i < tree.items.size(); ++i) {
        if (map) {
          write(tree.keys[i], out);
          out += ": ";
        }
        write(tree.items[i], out);
        out += ",\n";
      }
      out += map ? "}" : "]";
  }
}

}  // namespace

std::optional<YamlTree> parse_yaml(std::string_view text) {
  try {
    YamlTree tree;
    int nodes = 0;
    if (convert(YAML::Load(std::string(text)), 0, nodes, tree)) return tree;
  } catch (const YAML::Exception&) {
  }
  return std::nullopt;
}

std::string to_yaml(const YamlTree& tree) {
  std::string out;
  write(tree, out);
  return out + '\n';
}

}  // namespace flyball::fuzz
