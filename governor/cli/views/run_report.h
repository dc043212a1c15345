#pragma once

#include <string>
#include <vector>

#include "governor/cli/json.h"
#include "governor/cli/verbs/live_run.h"
#include "governor/machine/governed_platform.h"

namespace flyball::cli {

/// What 'run' measured: the governed policy first, then those it is compared with.
struct RunReport {
  const GovernedPlatform& governed;
  const Scenario& scenario;
  const Stream& stream;
  std::string model;
  std::string policy_file;
  std::string record;
  bool interrupted = false;
  const std::vector<LiveResult>& results;
  const std::vector<std::string>& times_notes;  ///< where the times come from, and their drift
};

std::string run_text(const RunReport& report, int columns);
Json run_json(const RunReport& report);

}  // namespace flyball::cli
