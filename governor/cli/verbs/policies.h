#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"

namespace flyball::cli {

/// Where the policies trained for this project live: configs/policies/PLATFORM.AGENT.policy.
std::string shipped_policy_file(const std::string& platform, const std::string& agent);
/// All of them, sorted.
std::vector<std::string> shipped_policy_files();

/// What a policy starts from, and a sentence that says so; both empty for one that does not learn.
struct StartingPoint {
  std::string file;
  std::string note;
};
/// `given` by the user is used or refused (Error, kInput). Without it the shipped file is used when
/// it was learned in the same spaces, and the policy starts untrained otherwise.
StartingPoint starting_point(const PlatformSpec& platform, const Scenario& scenario,
                             const std::string& policy, const std::string& given);

/// "q_learning=a.policy" of --policy-file, into the map. Throws Error (kInput) on any other form.
void parse_policy_file(const std::string& text, std::map<std::string, std::string>& files);

/// Throws Error (kInput) unless a policy file could be written at `path`: the folder must be there
/// and writable, and what would be replaced must be a policy file.
void check_policy_target(const std::string& path);

}  // namespace flyball::cli
