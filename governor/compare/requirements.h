#pragma once

#include <string>
#include <vector>

#include "governor/compare/compare.h"

namespace flyball {

/// What somebody requires of policies: "deadline_miss_pct<=1", or "q_learning:deadline_miss_pct<=1" of
/// one of them.
struct MetricRequirement {
  std::string policy;  ///< empty: every policy that does not know the future
  const MetricField* field = nullptr;
  bool at_most = true;
  double bound = 0;
};

/// The field that `key` is the key of ("energy_gap_pct" is short for energy_gap_to_best_found_pct).
/// Throws Error (kInput), with the nearest key; `where` says what was read.
const MetricField& metric_of(const std::string& where, const std::string& key);

/// Several are separated by commas. Throws Error (kInput).
std::vector<MetricRequirement> parse_requirements(const std::string& option,
                                                  const std::string& text);

struct RequirementResult {
  MetricRequirement required;
  std::string policy;
  std::string where;  ///< "background on odroid_xu3" where there are several; empty: there is one
  double value = 0;  ///< mean over the seeds; NaN: there is no figure, which meets nothing
  bool met = false;
};
/// One per requirement and policy that it is of. Throws Error (kInput) where a requirement names a
/// policy that was not compared, or applies to none.
std::vector<RequirementResult> judge_requirements(const std::vector<MetricRequirement>& required,
                                                  const std::vector<PolicyResult>& results);
/// The same complaints, before anything was run.
void check_requirements(const std::vector<MetricRequirement>& required,
                        const std::vector<std::string>& policies);

}  // namespace flyball
