#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "governor/report/report.h"

namespace flyball::report {

using Json = nlohmann::ordered_json;

/// Gives every policy the same colour wherever it comes up.
class Colours {
 public:
  int of(const std::string& policy) {
    return colours_.emplace(policy, static_cast<int>(colours_.size())).first->second;
  }

 private:
  std::map<std::string, int> colours_;
};

/// One run of a policy, for the profile over all comparisons.
struct ComparedRun {
  std::string problem;  ///< platform, scenario and seed
  std::string policy;
  double energy_mj_per_job;
  bool on_time;
};

// What an input becomes. Those of JSON throw nlohmann::json::exception when it is not what the verb
// prints.
Section comparison_section(const Json& json, const Options& options, Colours& colours,
                           std::vector<ComparedRun>& runs);
Section characterise_section(const Json& json);
/// The one of that name. Throws Error (kInput) when there is none.
Figure characterise_figure(const Json& json, const std::string& name);
Section training_section(const Json& json);
/// What is in the tables of a policy file, as heat maps. Throws Error (kInput) when it cannot be read.
Section policy_section(const std::string& path);
/// How often each policy is within a factor of the best one; no figures when there is one problem.
Section profile_section(const std::vector<ComparedRun>& runs, const Options& options,
                        Colours& colours);
/// One section per recording, and before them one that compares them when there are several.
std::vector<Section> recording_sections(const std::vector<std::string>& recordings,
                                        const Options& options, Colours& colours);

/// A member of JSON that may be null or absent: NaN then.
double number_at(const Json& json, const char* key);
std::string digits(double value, int decimals);  ///< "-" when there is none

}  // namespace flyball::report
