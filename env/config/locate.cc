#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "env/config/yaml.h"

namespace flyball {
namespace {

namespace fs = std::filesystem;

bool is_configs(const fs::path& dir) {
  std::error_code ignored;
  return fs::is_directory(dir / "platforms", ignored);
}

/// Of the files of a kind: models are binary, everything else is text.
std::string extension_of(std::string_view kind) {
  return kind == "models" ? ".flynet" : kind == "tables" ? ".csv" : ".yaml";
}

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string configs_dir() {
  if (const char* chosen = std::getenv("FLYBALL_CONFIGS"); chosen != nullptr && *chosen != '\0') {
    if (!is_configs(chosen)) {
      input_error(fmt::format("FLYBALL_CONFIGS={}", chosen),
                  "is no directory with platforms/ in it",
                  "set it to a copy of configs/, or unset it");
    }
    return chosen;
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path bin = program.parent_path();
    if (const fs::path installed = bin.parent_path() / "share/flyball/configs";
        is_configs(installed)) {
      return installed.string();
    }
    // build/release/bin/flyball belongs to the configs/ three folders up.
    fs::path up = bin;
    for (int level = 0; level < 4; ++level, up = up.parent_path()) {
      if (is_configs(up / "configs")) return (up / "configs").string();
    }
  }
  // As a library of another program: PREFIX/lib/ or PREFIX/lib/TRIPLET/.
  if (Dl_info own{}; dladdr(reinterpret_cast<void*>(&configs_dir), &own) != 0) {
    fs::path up = fs::absolute(own.dli_fname, error).parent_path();
    for (int level = 0; level < 3; ++level, up = up.parent_path()) {
      if (is_configs(up / "share/flyball/configs")) return (up / "share/flyball/configs").string();
    }
  }
  if (is_configs(FLYBALL_SOURCE_CONFIGS)) return FLYBALL_SOURCE_CONFIGS;
  failure("configs/", "found neither beside the program nor in " FLYBALL_SOURCE_CONFIGS,
          "set FLYBALL_CONFIGS to the directory");
}

std::vector<std::string> list_configs(std::string_view kind) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(fs::path(configs_dir()) / kind, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == extension_of(kind)) names.push_back(it->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_config_path(std::string_view kind, std::string_view name_or_path) {
  return name_or_path.find('/') != std::string_view::npos ||
         name_or_path.ends_with(extension_of(kind));
}

std::string find_config(std::string_view kind, const std::string& name_or_path) {
  if (is_config_path(kind, name_or_path)) return name_or_path;
  const std::string extension = extension_of(kind);
  const std::vector<std::string> names = list_configs(kind);
  const std::string folder = (fs::path(configs_dir()) / kind).string();
  if (std::find(names.begin(), names.end(), name_or_path) != names.end()) {
    return folder + '/' + name_or_path + extension;
  }
  // A file without the usual ending: whoever reads it says what it is.
  std::error_code ignored;
  if (fs::exists(name_or_path, ignored) && !fs::is_directory(name_or_path, ignored))
    return name_or_path;
  std::string_view one = kind;  // "platforms": a platform
  if (one.ends_with('s')) one.remove_suffix(1);
  const std::string what = fmt::format("{} '{}'", one, name_or_path);
  const std::string file = kind == "models"   ? "a model file"
                           : kind == "tables" ? "a CSV file"
                                              : "a YAML file";
  if (names.empty()) {
    input_error(
        what, fmt::format("there is none in {}", folder),
        fmt::format("put {}{} there, or give the path of {}", name_or_path, extension, file));
  }
  if (fs::is_directory(name_or_path, ignored))
    input_error(what, fmt::format("is a folder, and no {} has that name", one),
                fmt::format("give the path of {}, or choose one of {}", file, joined(names)));
  input_error(what, "is unknown" + did_you_mean(name_or_path, names),
              fmt::format("choose one of {}, or give the path of {}", joined(names), file));
}

}  // namespace flyball
