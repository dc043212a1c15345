#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"

namespace flyball::cli {

/// The policies there are without naming a file: those learned here, in the state folder's
/// policies/PLATFORM.AGENT.policy, then those shipped, in configs/policies/. Sorted in each.
std::vector<std::string> stored_policy_files();

/// Where a policy learned here is stored, its folder made. Throws Error (kInput) where there is no
/// place for it.
std::string make_place_for_policy(const std::string& platform, const std::string& agent);

/// What a policy starts from, and a sentence that says so; both empty for one that does not learn.
struct StartingPoint {
  std::string file;
  std::string note;
};
/// `given` by the user is used or refused (Error, kInput). Without it what was learned here is used,
/// or else what was shipped, when it can be read and was learned in the same spaces; the policy
/// starts untrained otherwise.
StartingPoint starting_point(const PlatformSpec& platform, const Scenario& scenario,
                             const std::string& policy, const std::string& given);

/// "q_learning=a.policy" of --policy-file, into the map. Throws Error (kInput) on any other form.
void parse_policy_file(const std::string& text, std::map<std::string, std::string>& files);

}  // namespace flyball::cli
