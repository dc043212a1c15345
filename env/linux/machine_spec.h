#pragma once

#include <vector>

#include "env/linux/discover/linux_machine.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// A Linux machine as a platform: what can be turned is looked up, what it costs is assumed.
struct MachineSpec {
  PlatformSpec spec;
  std::vector<std::vector<int>> members;  ///< per cluster: indices into LinuxMachine::policies
  std::vector<CpuSet> cpus;               ///< per cluster
};

/// A cluster per policy; where there are more policies than a platform may have clusters, those that
/// are alike share one. Where a driver has no table, there are steps of 100 MHz. Throws Error (kInput)
/// when there is no policy.
MachineSpec make_machine_spec(const LinuxMachine& machine);

}  // namespace flyball
