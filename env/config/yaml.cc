#include "env/config/yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "env/config/yaml_nodes.h"
#include "kernels/base/control_character.h"

namespace flyball {
namespace {

using KeyList = std::initializer_list<std::string_view>;

template <typename Range>
std::string comma_separated(const Range& names) {
  std::string out;
  for (const auto& name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

struct Entry {
  YAML::Node key;
  YAML::Node value;
};

// Not operator[]: it would add the key to a node that is not const.
std::optional<Entry> find_entry(const YAML::Node& map, std::string_view key) {
  for (const auto& pair : map) {
    if (pair.first.IsScalar() && pair.first.Scalar() == key) return Entry{pair.first, pair.second};
  }
  return std::nullopt;
}

/// What a scalar that is of another type must be: its quotes are the likeliest cause.
std::string must_be(const std::string& type, const YAML::Node& node) {
  return fmt::format("must be {}{}, but is {}", type, is_quoted(node) ? " without quotes" : "",
                     kind_of(node));
}

constexpr const char* kNotPlain = "the name is not plain";
constexpr const char* kPlainName = "use up to 32 letters, digits, '_' and '-'";

bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), plain);
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t kMaxShown = 60;
  return printable(text.substr(0, kMaxShown)) + (text.size() > kMaxShown ? "..." : "");
}

std::string place(const std::string& path, const YAML::Mark& mark) {
  return mark.is_null() ? printable(path) : fmt::format("{}:{}", printable(path), mark.line + 1);
}

std::string kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (is_quoted(node)) return fmt::format("the text \"{}\"", shown(node.Scalar()));
  if (node.IsScalar()) return fmt::format("'{}'", shown(node.Scalar()));
  return "empty";
}

void YamlMap::check_keys(const YamlKeys& known, bool is_root) const {
  std::set<std::string_view> seen;
  for (const auto& pair : node_) {
    if (!pair.first.IsScalar()) {
      input_error(place(path_, pair.first.Mark()),
                  "a key must be a plain word, but is " + kind_of(pair.first), "name it");
    }
    const std::string& key = pair.first.Scalar();
    const std::string what =
        fmt::format("{}: key '{}'", place(path_, pair.first.Mark()), shown(key));
    if (key == "<<" && !is_quoted(pair.first)) input_error(what, kNoMerging, kInsteadOfMerging);
    if (!seen.insert(key).second) {
      input_error(what, "occurs twice in the same mapping", "remove one of the two");
    }
    if (known.size() == 0) continue;  // names chosen by the user
    if (is_root && key == "schema") continue;
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      input_error(what, "is unknown" + did_you_mean(key, {known.begin(), known.end()}),
                  "known keys here are " + comma_separated(known));
    }
  }
}

bool YamlMap::has(std::string_view key) const { return find_entry(node_, key).has_value(); }

YAML::Node YamlMap::value(std::string_view key) const {
  const std::optional<Entry> entry = find_entry(node_, key);
  if (!entry) reject(key, "is missing", "add it");
  if (entry->value.IsNull()) reject(key, "has no value", "give it one, or remove the key");
  return entry->value;
}

double YamlMap::number(std::string_view key, double min, double max) const {
  const YAML::Node node = value(key);
  const std::optional<double> number = parse_number<double>(node);
  if (!number) {
    reject(key, must_be("a number", node),
           fmt::format("give one from {:.12g} to {:.12g}", min, max));
  }
  if (*number < min || *number > max) {
    reject(key, fmt::format("{} is out of range", *number),
           fmt::format("give a number from {:.12g} to {:.12g}", min, max));
  }
  return *number;
}

double YamlMap::number_or(std::string_view key, double fallback, double min, double max) const {
  return has(key) ? number(key, min, max) : fallback;
}

std::int64_t YamlMap::integer(std::string_view key, std::int64_t min, std::int64_t max) const {
  const YAML::Node node = value(key);
  const std::optional<std::int64_t> number = parse_number<std::int64_t>(node);
  if (!number) {
    reject(key, must_be("a whole number", node), fmt::format("give one from {} to {}", min, max));
  }
  if (*number < min || *number > max) {
    reject(key, fmt::format("{} is out of range", *number),
           fmt::format("give a whole number from {} to {}", min, max));
  }
  return *number;
}

std::int64_t YamlMap::integer_or(std::string_view key, std::int64_t fallback, std::int64_t min,
                                 std::int64_t max) const {
  return has(key) ? integer(key, min, max) : fallback;
}

bool YamlMap::boolean_or(std::string_view key, bool fallback) const {
  if (!has(key)) return fallback;
  const YAML::Node node = value(key);
  // YAML 1.1's yes, no, on and off are left out: 'no' is also a country.
  if (!is_quoted(node) && node.IsScalar() && node.Scalar() == "true") return true;
  if (!is_quoted(node) && node.IsScalar() && node.Scalar() == "false") return false;
  reject(key, must_be("true or false", node), "write true or false");
}

std::string YamlMap::text(std::string_view key) const {
  const YAML::Node node = value(key);
  if (!node.IsScalar()) reject(key, "must be text, but is " + kind_of(node), "give one text");
  if (node.Scalar().empty()) reject(key, "is empty", "give a text");
  return printable(node.Scalar());
}

std::string YamlMap::text_or(std::string_view key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

std::string YamlMap::config_or(std::string_view key, std::string_view kind,
                               const std::string& fallback) const {
  if (!has(key)) return fallback;
  const std::string given = text(key);
  if (given != value(key).Scalar()) {
    reject(key, fmt::format("'{}' has control characters in it", shown(given)),
           "give a name or a path without them");
  }
  if (!is_config_path(kind, given)) return given;
  namespace fs = std::filesystem;
  const std::string path = (fs::path(path_).parent_path() / given).lexically_normal().string();
  return is_config_path(kind, path) ? path : "./" + path;
}

std::string YamlMap::name(std::string_view key) const {
  std::string name = text(key);
  if (!is_plain_name(name)) reject(key, kNotPlain, kPlainName);
  return name;
}

int YamlMap::choice(std::string_view key, KeyList choices) const {
  return choice_of(key, {choices.begin(), choices.end()});
}

int YamlMap::choice_of(std::string_view key, const std::vector<std::string>& choices) const {
  const std::string word = text(key);
  const auto found = std::find(choices.begin(), choices.end(), word);
  if (found == choices.end()) {
    reject(key,
           fmt::format("'{}' is not one of its values{}", shown(word), did_you_mean(word, choices)),
           "choose one of " + comma_separated(choices));
  }
  return static_cast<int>(found - choices.begin());
}

YamlMap YamlMap::submap(std::string_view key, const YAML::Node& node, const YamlKeys& known) const {
  if (!node.IsMap()) {
    input_error(place(path_, node.Mark()) + fmt::format(": key '{}'", shown(key)),
                "must be a mapping, but is " + kind_of(node),
                known.size() == 0 ? std::string("write 'name: value' lines below it")
                                  : "known keys in it are " + comma_separated(known));
  }
  YamlMap map(path_, node);
  map.check_keys(known, /*is_root=*/false);
  return map;
}

YamlMap YamlMap::map(std::string_view key, KeyList known) const {
  return submap(key, value(key), known);
}

std::vector<std::pair<std::string, YamlMap>> YamlMap::named_maps(std::string_view key,
                                                                 KeyList known) const {
  std::vector<std::pair<std::string, YamlMap>> maps;
  if (!has(key)) return maps;
  const YamlMap names = submap(key, value(key), {});
  for (const auto& pair : names.node_) {
    const std::string& name = pair.first.Scalar();
    if (!is_plain_name(name)) names.reject(name, kNotPlain, kPlainName);
    maps.emplace_back(name, submap(name, pair.second, known));
  }
  return maps;
}

std::vector<YamlMap> YamlMap::list(std::string_view key, const YamlKeys& known) const {
  std::vector<YamlMap> maps;
  if (!has(key)) return maps;
  const YAML::Node node = value(key);
  if (!node.IsSequence()) {
    reject(key, "must be a list, but is " + kind_of(node), "begin each item with '- '");
  }
  for (const auto& item : node) maps.push_back(submap(key, item, known));
  return maps;
}

std::vector<double> YamlMap::numbers(std::string_view key, double min, double max) const {
  const YAML::Node node = value(key);
  if (!node.IsSequence()) {
    reject(key, "must be a list of numbers, but is " + kind_of(node), "write [1, 2, 3]");
  }
  std::vector<double> numbers;
  for (const auto& item : node) {
    const std::optional<double> number = parse_number<double>(item);
    if (!number || *number < min || *number > max) {
      input_error(
          place(path_, item.Mark()) + fmt::format(": key '{}'", shown(key)),
          fmt::format("item {} {}", numbers.size() + 1,
                      must_be(fmt::format("a number from {:.12g} to {:.12g}", min, max), item)),
          "correct it");
    }
    numbers.push_back(*number);
  }
  return numbers;
}

std::vector<std::string> YamlMap::words(std::string_view key) const {
  const YAML::Node node = value(key);
  if (!node.IsSequence()) {
    reject(key, "must be a list, but is " + kind_of(node), "write [small, large]");
  }
  std::vector<std::string> words;
  for (const auto& item : node) {
    const std::string word = item.IsScalar() ? item.Scalar() : "";
    const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
      return c == '.' || c == '+' || is_plain_name(std::string_view(&c, 1));
    });
    if (word.empty() || word.size() > 32 || !plain) {
      input_error(place(path_, item.Mark()) + fmt::format(": key '{}'", shown(key)),
                  fmt::format("item {} must be a plain word or a number, but is {}",
                              words.size() + 1, kind_of(item)),
                  "use up to 32 letters, digits, '.', '+', '-' and '_'");
    }
    words.push_back(word);
  }
  return words;
}

std::string YamlMap::where(std::string_view key) const {
  if (key.empty()) return place(path_, node_.Mark());
  const std::optional<Entry> entry = find_entry(node_, key);
  return fmt::format("{}: key '{}'", place(path_, entry ? entry->key.Mark() : node_.Mark()),
                     shown(key));
}

void YamlMap::reject(std::string_view key, const std::string& why,
                     const std::string& remedy) const {
  input_error(where(key), why, remedy);
}

void YamlMap::refuse_keys(KeyList keys, const std::string& why) const {
  for (const std::string_view key : keys) {
    if (has(key)) reject(key, why, "remove it");
  }
}

}  // namespace flyball
