#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/error.h"

namespace flyball {

/// The keys that a mapping may have, as a list or as what is worked out at run time.
class YamlKeys {
 public:
  YamlKeys(std::initializer_list<std::string_view> keys) : keys_(keys.begin(), keys.size()) {}
  YamlKeys(const std::vector<std::string_view>& keys) : keys_(keys) {}
  auto begin() const { return keys_.begin(); }
  auto end() const { return keys_.end(); }
  std::size_t size() const { return keys_.size(); }

 private:
  std::span<const std::string_view> keys_;  // an argument's, which outlives the call
};

/// A strict view of a YAML mapping: every key must be asked for or declared, every value must have
/// the right type and range, and every complaint names file, line and the nearest known key.
///
///   YamlMap root = YamlMap::file(path, /*schema=*/1, {"name", "clusters"});
///   double c = root.number("ambient_c", -40, 85);             // required
///   double j = root.number_or("jitter", 0, 0, 1);             // optional, with its default
class YamlMap {
 public:
  /// Opens a file, checks `schema: N` and that no key but "schema" and `known` occurs.
  static YamlMap file(const std::string& path, int schema,
                      std::initializer_list<std::string_view> known);
  /// What a file says of itself, whatever the rest of it is; "" when that is nothing.
  static std::string description(const std::string& path);

  YamlMap(const YamlMap&) = default;
  /// Makes this another view. (To assign a YAML::Node would write into the document.)
  YamlMap& operator=(const YamlMap& other) {
    path_ = other.path_;
    node_.reset(other.node_);
    return *this;
  }

  bool has(std::string_view key) const;
  double number(std::string_view key, double min, double max) const;
  double number_or(std::string_view key, double fallback, double min, double max) const;
  std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max) const;
  std::int64_t integer_or(std::string_view key, std::int64_t fallback, std::int64_t min,
                          std::int64_t max) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  /// Printable, whatever the file has there.
  std::string text(std::string_view key) const;
  std::string text_or(std::string_view key, const std::string& fallback) const;
  /// The name of a shipped file of a kind, as for find_config, or a path, which is relative to this
  /// file's folder.
  std::string config_or(std::string_view key, std::string_view kind,
                        const std::string& fallback) const;
  /// A text that becomes part of other names, of columns and of commands ("camera=A15x1@100"): up
  /// to 32 letters, digits, '_' and '-'.
  std::string name(std::string_view key) const;
  /// One of `choices`; returns its index.
  int choice(std::string_view key, std::initializer_list<std::string_view> choices) const;
  YamlMap map(std::string_view key, std::initializer_list<std::string_view> known) const;
  /// A map whose keys are names chosen by the user, as plain as those of name(), as (key, map) in
  /// file order; empty when the key is absent.
  std::vector<std::pair<std::string, YamlMap>> named_maps(
      std::string_view key, std::initializer_list<std::string_view> known) const;
  /// A list of mappings; empty when the key is absent.
  std::vector<YamlMap> list(std::string_view key, const YamlKeys& known) const;
  std::vector<double> numbers(std::string_view key, double min, double max) const;
  /// A list of words and numbers as their text: up to 32 letters, digits and ".+-_" each.
  std::vector<std::string> words(std::string_view key) const;
  /// One of `choices`; returns its index. As choice() of what is worked out at run time.
  int choice_of(std::string_view key, const std::vector<std::string>& choices) const;

  /// "file.yaml:12: key 'x'" for an Error about this key; of the map itself without a key.
  std::string where(std::string_view key = {}) const;
  [[noreturn]] void reject(std::string_view key, const std::string& why,
                           const std::string& remedy) const;
  /// Refuses those of `keys` that are there: with what else the map says they have no effect.
  void refuse_keys(std::initializer_list<std::string_view> keys, const std::string& why) const;

 private:
  YamlMap(std::string path, YAML::Node node) : path_(std::move(path)), node_(std::move(node)) {}
  /// An empty list of known keys allows any.
  void check_keys(const YamlKeys& known, bool is_root) const;
  YAML::Node value(std::string_view key) const;
  YamlMap submap(std::string_view key, const YAML::Node& node, const YamlKeys& known) const;
  std::string path_;
  YAML::Node node_;
};

/// The known name closest to a misspelt one, as " (did you mean 'x'?)", or "" when none is close.
std::string did_you_mean(std::string_view wrong, const std::vector<std::string>& known);

/// Where configs/ is: $FLYBALL_CONFIGS, else beside the program's build or install tree, else the
/// source tree.
std::string configs_dir();
/// Whether a name or path of a kind is a path: it has a slash, or ends as the kind's files do.
bool is_config_path(std::string_view kind, std::string_view name_or_path);
/// Resolves "NAME" to configs/KIND/NAME.yaml (of models, NAME.flynet), or takes a path as it is.
/// Throws Error that lists the known names.
std::string find_config(std::string_view kind, const std::string& name_or_path);
/// The names that `find_config` knows of a kind, sorted.
std::vector<std::string> list_configs(std::string_view kind);

}  // namespace flyball
