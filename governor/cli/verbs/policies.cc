#include "governor/cli/verbs/policies.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "kernels/base/error.h"
#include "env/config/yaml.h"
#include "env/spaces/spaces.h"
#include "governor/cli/options.h"

namespace flyball::cli {
namespace {

namespace fs = std::filesystem;

bool is_policy_file(const std::string& path) {
  constexpr char kMagic[] = {'F', 'L', 'Y', 'P', 'O', 'L'};
  char start[sizeof kMagic] = {};
  std::ifstream file(path, std::ios::binary);
  file.read(start, sizeof start);
  return file && std::memcmp(start, kMagic, sizeof kMagic) == 0;
}

/// Of "configs/policies/odroid_xu3.yaml" too: a platform given as a path has the name that it says
/// it has.
std::string policies_dir() { return configs_dir() + "/policies"; }

}  // namespace

std::string shipped_policy_file(const std::string& platform, const std::string& agent) {
  return fmt::format("{}/{}.{}.policy", policies_dir(), platform, agent);
}

std::vector<std::string> shipped_policy_files() {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(policies_dir(), ignored)) {
    if (entry.path().extension() == ".policy") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

StartingPoint starting_point(const PlatformSpec& platform, const Scenario& scenario,
                             const std::string& policy, const std::string& given) {
  if (!policy_learns(policy)) {
    if (!given.empty()) {
      input_error(fmt::format("--policy-file {}", given),
                  fmt::format("policy '{}' does not learn", policy),
                  "leave the file out, or name a policy that learns");
    }
    return {};
  }
  const std::uint64_t hash = Spaces::of(platform, scenario).hash;
  if (!given.empty()) {
    check_policy(read_policy(given), given, policy, hash);
    return {given, fmt::format("{} starts from {}", policy, given)};
  }
  const std::string shipped = shipped_policy_file(platform.name, policy);
  if (!fs::exists(shipped)) {
    return {"",
            fmt::format("{} starts untrained (no {}; 'flyball train' makes one)", policy, shipped)};
  }
  const PolicyFile file = read_policy(shipped);
  if (file.agent != policy || file.spaces_hash != hash) {
    return {"", fmt::format("{} starts untrained ({} was learned with other knobs or monitors)",
                            policy, shipped)};
  }
  return {shipped, fmt::format("{} starts from {}", policy, shipped)};
}

void parse_policy_file(const std::string& text, std::map<std::string, std::string>& files) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    input_error(fmt::format("--policy-file {}", text), "is not of the form NAME=FILE",
                "write for example --policy-file q_learning=xu3.policy");
  }
  const std::string name = text.substr(0, equals);
  check_policy_name(name);
  if (!files.emplace(name, text.substr(equals + 1)).second) {
    input_error(fmt::format("--policy-file {}", text), fmt::format("'{}' has a file already", name),
                "give it one");
  }
}

void check_policy_target(const std::string& path) {
  std::error_code ignored;
  const std::string what = fmt::format("--out {}", path);
  if (path.empty()) input_error("--out", "is empty", "name the policy file to write");
  const fs::file_status status = fs::status(path, ignored);
  if (fs::is_directory(status)) input_error(what, "is a folder", "name a file in it");
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    input_error(what, "is not a regular file", "name a file that can be replaced");
  }
  if (fs::exists(status) && !is_policy_file(path)) {
    input_error(what, "is there already and is not a policy file",
                "name another file, or remove this one first");
  }
  fs::path folder = fs::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (!fs::is_directory(folder, ignored)) {
    input_error(what, fmt::format("there is no folder '{}'", folder.string()),
                "make it first, or name another");
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    input_error(
        what,
        fmt::format("the folder '{}' cannot be written: {}", folder.string(), std::strerror(errno)),
        "name a file elsewhere");
  }
}

}  // namespace flyball::cli
