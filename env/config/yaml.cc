#include "env/config/yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "kernels/base/control_character.h"
#include "kernels/base/read_file.h"

namespace flyball {
namespace {

using KeyList = std::initializer_list<std::string_view>;

// 1 MiB is some hundred times the largest file that comes with Flyball.
constexpr std::size_t kMaxFileBytes = 1 << 20;

/// Text from a file within a message: on one line, and of bearable length.
std::string shown(std::string_view text) {
  constexpr std::size_t kMaxShown = 60;
  std::string out;
  for (const char c : text.substr(0, kMaxShown)) {
    out += is_control(c) ? '?' : c;
  }
  if (text.size() > kMaxShown) out += "...";
  return out;
}

template <typename Range>
std::string comma_separated(const Range& names) {
  std::string out;
  for (const auto& name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

std::string place(const std::string& path, const YAML::Mark& mark) {
  return mark.is_null() ? path : fmt::format("{}:{}", path, mark.line + 1);
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

std::string kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return fmt::format("'{}'", shown(node.Scalar()));
  return "empty";
}

bool quoted(const YAML::Node& node) { return node.Tag() == "!"; }

constexpr const char* kNotPlain = "the name is not plain";
constexpr const char* kPlainName = "use up to 32 letters, digits, '_' and '-'";

bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), plain);
}

template <typename Number>
std::optional<Number> parse_number(const YAML::Node& node) {
  if (!node.IsScalar() || quoted(node)) return std::nullopt;
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

}  // namespace

YamlMap YamlMap::file(const std::string& path, int schema, KeyList known) {
  const std::string bytes = read_file(path, kMaxFileBytes);
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(bytes);
  } catch (const YAML::Exception& e) {
    input_error(place(path, e.mark), "not valid YAML: " + shown(e.msg), "mend the syntax here");
  }
  if (documents.empty() || documents[0].IsNull()) {
    input_error(path, "the file is empty", fmt::format("begin it with 'schema: {}'", schema));
  }
  if (documents.size() > 1) {
    input_error(path, fmt::format("holds {} YAML documents", documents.size()),
                "keep one and remove the '---' between them");
  }
  if (!documents[0].IsMap()) {
    input_error(place(path, documents[0].Mark()),
                "the file must be a mapping, but is " + kind_of(documents[0]),
                fmt::format("begin it with 'schema: {}'", schema));
  }
  YamlMap root(path, documents[0]);
  // Before the keys: a file of another version should be told so, not about a key.
  if (!root.has("schema")) {
    root.reject("schema", "is missing", fmt::format("add 'schema: {}'", schema));
  }
  const std::optional<int> version = parse_number<int>(find_entry(root.node_, "schema")->value);
  if (version != schema) {
    root.reject(
        "schema",
        fmt::format("is {}, but this program reads version {}",
                    kind_of(find_entry(root.node_, "schema")->value), schema),
        fmt::format("convert the file and set 'schema: {}', or use the program it is for", schema));
  }
  root.check_keys(known, /*is_root=*/true);
  return root;
}

void YamlMap::check_keys(KeyList known, bool is_root) const {
  std::set<std::string_view> seen;
  for (const auto& pair : node_) {
    if (!pair.first.IsScalar()) {
      input_error(place(path_, pair.first.Mark()),
                  "a key must be a plain word, but is " + kind_of(pair.first), "name it");
    }
    const std::string& key = pair.first.Scalar();
    const std::string what =
        fmt::format("{}: key '{}'", place(path_, pair.first.Mark()), shown(key));
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
    reject(key, "must be a number, but is " + kind_of(node),
           fmt::format("give one from {} to {}", min, max));
  }
  if (*number < min || *number > max) {
    reject(key, fmt::format("{} is out of range", *number),
           fmt::format("give a number from {} to {}", min, max));
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
    reject(key, "must be a whole number, but is " + kind_of(node),
           fmt::format("give one from {} to {}", min, max));
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
  if (node.IsScalar() && !quoted(node) && node.Scalar() == "true") return true;
  if (node.IsScalar() && !quoted(node) && node.Scalar() == "false") return false;
  reject(key, "must be true or false, but is " + kind_of(node), "write true or false");
}

std::string YamlMap::text(std::string_view key) const {
  const YAML::Node node = value(key);
  if (!node.IsScalar()) reject(key, "must be text, but is " + kind_of(node), "give one text");
  if (node.Scalar().empty()) reject(key, "is empty", "give a text");
  return node.Scalar();
}

std::string YamlMap::text_or(std::string_view key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

std::string YamlMap::name(std::string_view key) const {
  std::string name = text(key);
  if (!is_plain_name(name)) reject(key, kNotPlain, kPlainName);
  return name;
}

int YamlMap::choice(std::string_view key, KeyList choices) const {
  const std::string word = text(key);
  const auto* const found = std::find(choices.begin(), choices.end(), word);
  if (found == choices.end()) {
    reject(key,
           fmt::format("'{}' is not one of its values{}", shown(word),
                       did_you_mean(word, {choices.begin(), choices.end()})),
           "choose one of " + comma_separated(choices));
  }
  return static_cast<int>(found - choices.begin());
}

YamlMap YamlMap::submap(std::string_view key, const YAML::Node& node, KeyList known) const {
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

std::vector<YamlMap> YamlMap::list(std::string_view key, KeyList known) const {
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
      input_error(place(path_, item.Mark()) + fmt::format(": key '{}'", shown(key)),
                  fmt::format("item {} must be a number from {} to {}, but is {}",
                              numbers.size() + 1, min, max, kind_of(item)),
                  "correct it");
    }
    numbers.push_back(*number);
  }
  return numbers;
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

}  // namespace flyball
