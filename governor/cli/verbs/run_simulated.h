#pragma once

#include <cstdint>
#include <string>

#include "env/model/belief.h"
#include "governor/machine/governed_platform.h"

namespace flyball::cli {

/// A run of one policy on a board that is simulated, to be recorded.
struct RunSimulated {
  const GovernedPlatform& governed;
  Belief belief;
  std::string scenario, policy, policy_file, from, record, csv;
  double duration_s = 0;  ///< 0: as long as the scenario
  std::uint64_t seed = 1;
  bool json = false, check = false;
};

/// Throws Error.
int run_simulated(RunSimulated verb);

}  // namespace flyball::cli
