#include "governor/cli/verbs/policies.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "agents/agent.h"
#include "env/config/yaml.h"
#include "governor/cli/options.h"
#include "governor/machine/machine_profile.h"
#include "kernels/base/error.h"
#include "kernels/base/hash.h"

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

std::string policy_file_name(const Belief& belief, const std::string& agent) {
  Fnv1a hash;
  hash.add(belief.mean.content_hash);
  for (const AppProfile& app : belief.mean.apps) hash.add(app.content_hash);
  return fmt::format("{}-{:08x}.{}.policy", plain_file_name(belief.mean.name),
                     static_cast<std::uint32_t>(hash.value()), agent);
}

/// Whether a policy of that agent may be in it, for a platform of that name: any description of it,
/// since which applications a file lists is no reason to refuse what was learned.
bool may_be_of(const std::string& file, const std::string& platform, const std::string& agent) {
  const std::string start = plain_file_name(platform), end = '.' + agent + ".policy";
  if (file.size() < start.size() + end.size() || !file.starts_with(start) || !file.ends_with(end))
    return false;
  const std::string hash = file.substr(start.size(), file.size() - start.size() - end.size());
  return hash.empty() || (hash.size() == 9 && hash[0] == '-' &&
                          hash.find_first_not_of("0123456789abcdef", 1) == std::string::npos);
}

/// In the order in which they are tried.
std::vector<std::string> stored_for(const Belief& belief, const std::string& agent) {
  const std::string own = policy_file_name(belief, agent);
  std::vector<std::string> files;
  std::error_code ignored;
  for (const std::string& dir : policy_dirs()) {
    std::vector<std::string> others;
    for (const auto& entry : fs::directory_iterator(dir, ignored)) {
      const std::string name = entry.path().filename().string();
      if (name != own && may_be_of(name, belief.mean.name, agent))
        others.push_back(entry.path().string());
    }
    std::sort(others.begin(), others.end());
    if (fs::exists(dir + '/' + own, ignored)) files.push_back(dir + '/' + own);
    files.insert(files.end(), others.begin(), others.end());
  }
  return files;
}

/// "what: why; remedy" without the thing and the remedy, for whoever knows better ones.
std::string reason_of(const Error& error) {
  const std::string line = error.what();
  const std::size_t why = line.find(": "), remedy = line.rfind("; ");
  return why < remedy && remedy != line.npos ? line.substr(why + 2, remedy - why - 2) : line;
}

/// Why an agent does not take a payload; empty when it does.
std::string refusal(const PolicyFile& file, const PolicyIdentity& here, const Belief& belief,
                    bool as_prior) {
  try {
    make_agent(here.agent, {belief, RewardWeights{}, 1, nullptr})->load(file.payload, as_prior);
  } catch (const Error& error) {
    return reason_of(error);
  }
  return "";
}

/// A policy that is valid here, to start from.
StartingPoint start_from(PolicyFile file, const std::string& path, const PolicyIdentity& here) {
  StartingPoint start;
  start.file = path;
  start.learned = std::move(file.payload);
  start.note = fmt::format("{} starts from {}", here.agent, path);
  start.differs = prior_note(file.identity, here);
  if (!start.differs.empty()) start.note += ", " + start.differs;
  return start;
}

/// As asked for by name.
StartingPoint start_from_given(const std::string& path, const PolicyIdentity& here,
                               const Belief& belief) {
  PolicyFile file = read_policy(path);
  check_policy(file, path, here);
  if (const std::string why = refusal(file, here, belief, false); !why.empty()) {
    input_error(fmt::format("policy file '{}'", path), why,
                refusal(file, here, belief, true).empty()
                    ? "train it again, or take it as a prior with --from"
                    : "train it again with 'flyball train'");
  }
  return start_from(std::move(file), path, here);
}

StartingPoint start_from_prior(const std::string& path, const PolicyIdentity& here,
                               const Belief& belief) {
  PolicyFile file = read_policy(path);
  if (file.identity.agent != here.agent || file.identity.features != here.features)
    check_policy(file, path, here);
  if (const std::string why = refusal(file, here, belief, true); !why.empty()) {
    input_error(fmt::format("policy file '{}'", path), why, "train it again with 'flyball train'");
  }
  StartingPoint start;
  start.file = path;
  start.learned = std::move(file.payload);
  start.as_prior = true;
  start.note =
      fmt::format("{} takes {} of '{}' as a prior", here.agent, path, file.identity.platform);
  // Of another board all applications are others.
  if (file.identity.platform_hash == here.platform_hash)
    start.differs = prior_note(file.identity, here);
  if (!start.differs.empty()) start.note += ", " + start.differs;
  return start;
}

/// The first of what is stored that is valid here.
StartingPoint start_from_stored(const PolicyIdentity& here, const Belief& belief) {
  std::string why;
  int others = 0;  // refused beyond the first
  const auto refuse = [&](const std::string& reason) {
    if (why.empty()) {
      why = reason;
    } else {
      ++others;
    }
  };
  const auto reasons = [&] { return others == 0 ? why : fmt::format("{}; {} more", why, others); };
  for (const std::string& path : stored_for(belief, here.agent)) {
    try {
      PolicyFile file = read_policy(path);
      std::string reason = misfit(file.identity, here);
      if (reason.empty()) reason = refusal(file, here, belief, false);
      if (!reason.empty()) {
        refuse(fmt::format("{}: {}", path, reason));
        continue;
      }
      StartingPoint start = start_from(std::move(file), path, here);
      if (!why.empty()) start.note += fmt::format(" ({})", reasons());
      return start;
    } catch (const Error& error) {
      refuse(error.what());
    }
  }
  StartingPoint start;
  start.refused = !why.empty();
  if (why.empty()) why = "nothing learned for it is stored; 'flyball train' does that";
  start.note = fmt::format("{} starts untrained ({})", here.agent, reasons());
  return start;
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

std::string make_place_for_policy(const std::string& agent, const Belief& belief) {
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
  const std::string path = dir + '/' + policy_file_name(belief, agent);
  check_output(path, path, kPolicyOutput);
  return path;
}

std::string keep_beside(const std::string& place, const StartingPoint& start) {
  std::error_code error;
  if (place == start.file || !fs::exists(place, error) || fs::file_size(place, error) == 0)
    return "";
  std::string kept = place + ".old";
  for (int n = 2; fs::exists(kept, error); ++n) kept = fmt::format("{}.old{}", place, n);
  fs::rename(place, kept, error);
  if (error) {
    failure(place, fmt::format("cannot be kept as '{}': {}", kept, error.message()),
            "check the folder's permissions");
  }
  return fmt::format("What was stored before, and was not started from, is kept in {}.\n", kept);
}

PolicyIdentity policy_identity(const std::string& policy, const Belief& belief,
                               std::uint64_t times_hash) {
  if (!policy_learns(policy))
    return {
        .agent = policy, .platform = belief.mean.name, .platform_hash = belief.mean.content_hash};
  // What it learns depends on nothing but its kind.
  const auto agent = make_agent(policy, {belief, RewardWeights{}, 1, nullptr});
  return {std::string(agent->name()),
          agent->feature_version(),
          belief.mean.name,
          belief.mean.content_hash,
          times_hash,
          !belief.source.empty(),
          learned_apps(belief.mean)};
}

std::uint64_t StartingPoint::learned_hash() const {
  if (learned.empty()) return 0;
  Fnv1a hash;
  hash.add(std::string_view(reinterpret_cast<const char*>(learned.data()), learned.size()));
  return hash.value();
}

StartingPoint starting_point(const PolicyIdentity& here, const Belief& belief,
                             const std::string& given, const std::string& from) {
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
  StartingPoint start = !from.empty()    ? start_from_prior(from, here, belief)
                        : !given.empty() ? start_from_given(given, here, belief)
                                         : start_from_stored(here, belief);
  if (!start.learned.empty())
    start.left_out = make_agent(here.agent, {belief, RewardWeights{}, 1, nullptr})
                         ->load(start.learned, start.as_prior);
  return start;
}

}  // namespace flyball::cli
