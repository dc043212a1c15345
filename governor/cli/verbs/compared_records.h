#pragma once

#include <string>
#include <vector>

#include "governor/cli/verbs/compared_policies.h"
#include "governor/record/recording.h"

namespace flyball::cli {

/// The recorded run among the policies compared, and what it had.
struct ComparedRecord {
  std::size_t index = 0;  ///< of the policies
  std::string label, file;
  RecordingInfo info;
  Metrics metrics;
};

/// nullptr when there is none. Throws Error (kInput) when there are several.
const ComparedPolicy* record_among(const std::vector<ComparedPolicy>& policies);

/// The run of a record, whose platform must be `platform` (as agents are told of it); the notes say what
/// its figures are. With a null `scenario` the record's own workload becomes one, in place of it; else it
/// must be of that very scenario. Throws Error (kInput) with the reason.
ComparedRecord load_compared_record(const std::vector<ComparedPolicy>& policies,
                                    const PlatformSpec& platform, const Belief& belief,
                                    bool own_workload, Scenario& scenario, CellContext& cell);

}  // namespace flyball::cli
