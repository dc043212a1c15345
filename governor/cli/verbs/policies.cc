#include "governor/cli/verbs/policies.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "agents/agent.h"
#include "agents/policy_file.h"
#include "env/config/yaml.h"
#include "env/spaces/spaces.h"
#include "governor/cli/options.h"
#include "governor/machine/machine_profile.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

namespace fs = std::filesystem;

/// Empty where there is no state folder.
std::string learned_dir() {
  const std::string folder = state_folder();
  return folder.empty() ? folder : folder + "/policies";
}

/// In the order in which they are looked into.
std::vector<std::string> policy_dirs() {
  std::vector<std::string> dirs;
  if (const std::string learned = learned_dir(); !learned.empty()) dirs.push_back(learned);
  dirs.push_back(configs_dir() + "/policies");
  return dirs;
}

std::string policy_file_name(const std::string& platform, const std::string& agent) {
  return plain_file_name(platform) + '.' + agent + ".policy";
}

/// Why `path` is nothing to start from; empty when it is.
std::string unfit(const std::string& path, const std::string& policy, std::uint64_t spaces_hash) {
  try {
    const PolicyFile file = read_policy(path);
    if (file.agent == policy && file.spaces_hash == spaces_hash) return "";
    return fmt::format("{} was learned with other knobs or monitors", path);
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

std::vector<std::string> stored_policy_files() {
  std::vector<std::string> files;
  for (const std::string& dir : policy_dirs()) {
    const auto first = static_cast<std::ptrdiff_t>(files.size());
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(dir, ignored)) {
      if (entry.path().extension() == ".policy") files.push_back(entry.path().string());
    }
    std::sort(files.begin() + first, files.end());
  }
  return files;
}

std::string make_place_for_policy(const std::string& platform, const std::string& agent) {
  const std::string dir = learned_dir();
  if (dir.empty()) {
    input_error("--out", "is missing, and neither XDG_STATE_HOME nor HOME says where to keep it",
                "name the policy file to write");
  }
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) {
    input_error(dir, "cannot be made: " + error.message(), "name a file elsewhere with --out");
  }
  return dir + '/' + policy_file_name(platform, agent);
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
  std::string why;
  std::error_code ignored;
  for (const std::string& dir : policy_dirs()) {
    const std::string file = dir + '/' + policy_file_name(platform.name, policy);
    if (!fs::exists(file, ignored)) continue;
    const std::string reason = unfit(file, policy, hash);
    if (reason.empty()) {
      return {file, fmt::format("{} starts from {}{}", policy, file,
                                why.empty() ? "" : fmt::format(" ({})", why))};
    }
    if (!why.empty()) why += "; ";
    why += reason;
  }
  if (why.empty()) why = "nothing learned for it is stored; 'flyball train' does that";
  return {"", fmt::format("{} starts untrained ({})", policy, why)};
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

}  // namespace flyball::cli
