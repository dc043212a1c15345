#pragma once

#include "env/linux/machine_spec.h"

namespace flyball {

/// Gives a machine the applications that `timed`, a platform of one CPU cluster (configs/platforms/
/// host.yaml, with this machine's profile where there is one), describes, and the mappings to run them
/// on. A job takes as long on one core of the fastest cluster, at its highest clock, as there, and on
/// the others in proportion to their capacity; power is as of plain load. All of it is a belief that
/// jobs correct.
void add_job_profiles(const PlatformSpec& timed, MachineSpec& made, const CpuSet& allowed = {});

}  // namespace flyball
