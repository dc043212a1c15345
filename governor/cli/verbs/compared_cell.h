#pragma once

#include <memory>
#include <string>
#include <vector>

#include "governor/cli/verbs/compared_policies.h"
#include "governor/cli/verbs/compared_records.h"
#include "governor/machine/governed_platform.h"

namespace flyball::cli {

/// Where policies and platforms of a comparison come from, as asked for.
struct CellSources {
  std::string profile, belief;
  FilesByPolicy policy_files, priors;
};

/// A platform with a scenario, as loaded.
struct LoadedCell {
  GovernedPlatform governed;
  Belief belief;
  Scenario scenario;
  std::vector<PolicyChoice> choices;
  RecordedFigures recorded;
  std::vector<std::string> differs;  ///< policies that are only priors here, a sentence each
};

/// Loads it; what there is to say of it goes to `context`. Throws Error (kInput).
std::unique_ptr<LoadedCell> load_cell(const CellSources& sources,
                                      const std::vector<ComparedPolicy>& policies,
                                      ComparedRecords& records, const std::string& platform,
                                      const std::string& scenario, CellContext& context);

}  // namespace flyball::cli
