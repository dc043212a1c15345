#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agents/policy_file.h"
#include "env/model/belief.h"

namespace flyball::cli {

/// The policies there are without naming a file: those learned here, in the state folder's
/// policies/PLATFORM.AGENT.policy, then those shipped, in configs/policies/. Sorted in each.
std::vector<std::string> stored_policy_files();

/// Where a policy learned here is stored, its folder made. Throws Error (kInput) where there is no
/// place for it.
std::string make_place_for_policy(const std::string& platform, const std::string& agent);

/// What a learning policy is of here.
PolicyIdentity policy_identity(const std::string& policy, const Belief& belief,
                               std::uint64_t times_hash);

/// What a policy starts from, and a sentence that says so; empty for one that does not learn.
struct StartingPoint {
  std::string file;
  std::vector<std::uint8_t> learned;  ///< its payload
  bool as_prior = false;              ///< of another platform, taken on purpose
  std::string note;
};
/// `given` by the user is used or refused (Error, kInput); `from` is taken as a prior, also of
/// another platform, when the same agent learned it; both are refused. Without either what was learned here is used,
/// or else what was shipped, when it can be read and is valid; the policy starts untrained
/// otherwise.
StartingPoint starting_point(const PolicyIdentity& here, const std::string& given,
                             const std::string& from);

/// "q_learning=a.policy" of `option`, into the map. Throws Error (kInput) on any other form.
void parse_policy_file(const std::string& option, const std::string& text,
                       std::map<std::string, std::string>& files);

}  // namespace flyball::cli
