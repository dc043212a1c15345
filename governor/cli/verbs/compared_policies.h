#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "env/model/belief.h"
#include "governor/compare/compare.h"
#include "governor/compare/matrix_results.h"

namespace flyball::cli {

/// What `compare --policies` names: a policy of the catalogue, or a policy file or a recorded run under a
/// name of its own.
struct ComparedPolicy {
  std::string label;  ///< in tables
  std::string agent;  ///< of a recorded run: its label
  std::string file;   ///< empty: what is stored, or another option says
  std::vector<std::string> records{};  ///< of a recorded policy: `file`, and more runs of that name

  bool recorded() const { return !records.empty(); }
};

/// "rule", "static_best:A15=...", "my.policy", "mine=my.policy", separated by commas. Throws Error (kInput).
std::vector<ComparedPolicy> parse_compared(const std::vector<std::string>& texts);

using FilesByPolicy = std::vector<std::pair<std::string, std::string>>;
/// "q_learning=a.policy" of `option`; a policy may have several, each of another platform.
void add_policy_file(const std::string& option, const std::string& text, FilesByPolicy& files);
/// Policies that are not compared have no file. Throws Error (kInput).
void check_policy_files(const std::string& option, const FilesByPolicy& files,
                        const std::vector<ComparedPolicy>& policies);

/// What each starts from on a platform; says so in `cell`, and in `differs` of which what was there when
/// they were learned was different. Throws Error (kInput).
std::vector<PolicyChoice> starting_choices(const std::vector<ComparedPolicy>& policies,
                                           const FilesByPolicy& files, const FilesByPolicy& priors,
                                           const Belief& belief, std::uint64_t times_hash,
                                           CellContext& cell,
                                           std::vector<std::string>& differs);

}  // namespace flyball::cli
