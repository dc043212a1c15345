#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agents/policy_file.h"
#include "env/model/belief.h"

namespace flyball::cli {

/// The policies there are without naming a file: those learned here, in the state folder's
/// policies/PLATFORM-HASH.AGENT.policy, then those shipped, in configs/policies/. Sorted in each.
/// HASH is of the platform as its file describes it: files of the same name have places of their
/// own. PLATFORM.AGENT.policy is read as well.
std::vector<std::string> stored_policy_files();

/// What a learning policy is of here.
PolicyIdentity policy_identity(const std::string& policy, const Belief& belief,
                               std::uint64_t times_hash);

/// What a policy starts from, and a sentence that says so; empty for one that does not learn.
struct StartingPoint {
  std::string file;
  std::vector<std::uint8_t> learned;  ///< its payload
  bool as_prior = false;              ///< of another platform, taken on purpose
  bool refused = false;               ///< something was stored, and none of it is valid here
  std::string note;
  std::string differs;  ///< of that, how what was there when it was learned differs (prior_note); mostly empty
  std::vector<std::string> left_out;  ///< what the agent said when it took it

  std::uint64_t learned_hash() const;  ///< 0 when nothing was
};
/// `given` by the user is used or refused (Error, kInput); `from` is taken as a prior, also of
/// another platform, when the same agent learned it; both are refused. Without either what was
/// learned here is used, or else what was shipped, when it can be read and is valid; the policy
/// starts untrained otherwise. What this returns is something that the agent accepts.
StartingPoint starting_point(const PolicyIdentity& here, const Belief& belief,
                             const std::string& given, const std::string& from);

/// Where a policy learned here is stored, its folder made. Throws Error (kInput) where there is no
/// place for it.
std::string make_place_for_policy(const std::string& agent, const Belief& belief);
/// What is stored in that place, and was not started from, is renamed: replacing it would lose it.
/// Returns a sentence that says so, empty when there was nothing. Throws Error (kFailure).
std::string keep_beside(const std::string& place, const StartingPoint& start);

}  // namespace flyball::cli
