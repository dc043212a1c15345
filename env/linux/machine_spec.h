#pragma once

#include <vector>

#include "env/linux/discover/linux_machine.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// A Linux machine as a platform: what can be turned is looked up, what it costs is assumed.
struct MachineSpec {
  PlatformSpec spec;
  std::vector<std::vector<int>> members;  ///< per cluster: indices into LinuxMachine::policies
  std::vector<CpuSet> cpus;               ///< per cluster; none: it is a device
  /// Per cluster: an index into LinuxMachine::devfreq, and then it has no policy; -1: of CPUs.
  std::vector<int> device;
};

/// Whether jobs can run on it at clocks that can be turned.
bool is_processing_element(const DevfreqDevice& device);

/// A cluster per policy; where there are more policies than a platform may have clusters, those that
/// are alike share one. Where a driver has no table, there are steps of 100 MHz. Behind them, as far as
/// there is room, a cluster without CPUs per GPU, NPU and FPGA under devfreq, where they may be governed
/// if `devices`. Throws Error (kInput) when there is no policy.
MachineSpec make_machine_spec(const LinuxMachine& machine, bool devices = false);

}  // namespace flyball
