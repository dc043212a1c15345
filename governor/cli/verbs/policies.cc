#include "governor/cli/verbs/policies.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "agents/agent.h"
#include "env/config/yaml.h"
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

/// What is learned is told to `start`; false when `path` is nothing to start from, and why.
bool start_from(const std::string& path, const PolicyIdentity& here, StartingPoint& start,
                std::string& why) {
  try {
    PolicyFile file = read_policy(path);
    why = misfit(file.identity, here);
    if (!why.empty()) {
      why = fmt::format("{}: {}", path, why);
      return false;
    }
    start.file = path;
    start.learned = std::move(file.payload);
    start.note = fmt::format("{} starts from {}", here.agent, path);
    if (file.identity.times_hash != here.times_hash) {
      start.note += ", learned with other measured times, as a prior";
    }
    return true;
  } catch (const Error& error) {
    why = error.what();
    return false;
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

PolicyIdentity policy_identity(const std::string& policy, const Belief& belief,
                               std::uint64_t times_hash) {
  if (!policy_learns(policy)) return {policy, 0, belief.mean.name, belief.mean.content_hash, 0};
  // What it learns depends on nothing but its kind.
  const auto agent = make_agent(policy, {belief, RewardWeights{}, 1, nullptr});
  return {std::string(agent->name()), agent->feature_version(), belief.mean.name,
          belief.mean.content_hash, times_hash};
}

StartingPoint starting_point(const PolicyIdentity& here, const std::string& given,
                             const std::string& from) {
  if (!policy_learns(here.agent)) {
    if (!given.empty() || !from.empty()) {
      input_error(fmt::format("{} {}", given.empty() ? "--from" : "--policy-file",
                              given.empty() ? from : given),
                  fmt::format("policy '{}' does not learn", here.agent),
                  "leave the file out, or name a policy that learns");
    }
    return {};
  }
  if (!given.empty() && !from.empty()) {
    input_error(
        fmt::format("--from {}", from),
        fmt::format("'{}' starts from one file, and --policy-file names another", here.agent),
        "leave one of the two out");
  }
  StartingPoint start;
  if (!from.empty()) {
    PolicyFile file = read_policy(from);
    if (file.identity.agent != here.agent || file.identity.features != here.features) {
      check_policy(file, from, here);
    }
    start.file = from;
    start.learned = std::move(file.payload);
    start.as_prior = true;
    start.note =
        fmt::format("{} takes {} of '{}' as a prior", here.agent, from, file.identity.platform);
    return start;
  }
  std::string why, reason;
  if (!given.empty()) {
    check_policy(read_policy(given), given, here);
    start_from(given, here, start, reason);
    return start;
  }
  std::error_code ignored;
  for (const std::string& dir : policy_dirs()) {
    const std::string file = dir + '/' + policy_file_name(here.platform, here.agent);
    if (!fs::exists(file, ignored)) continue;
    if (start_from(file, here, start, reason)) {
      if (!why.empty()) start.note += fmt::format(" ({})", why);
      return start;
    }
    if (!why.empty()) why += "; ";
    why += reason;
  }
  if (why.empty()) why = "nothing learned for it is stored; 'flyball train' does that";
  start.note = fmt::format("{} starts untrained ({})", here.agent, why);
  return start;
}

void parse_policy_file(const std::string& option, const std::string& text,
                       std::map<std::string, std::string>& files) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    input_error(fmt::format("{} {}", option, text), "is not of the form NAME=FILE",
                fmt::format("write for example {} q_learning=xu3.policy", option));
  }
  const std::string name = text.substr(0, equals);
  check_policy_name(name);
  if (!files.emplace(name, text.substr(equals + 1)).second) {
    input_error(fmt::format("{} {}", option, text), fmt::format("'{}' has a file already", name),
                "give it one");
  }
}

}  // namespace flyball::cli
