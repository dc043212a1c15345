#pragma once

#include <string>

#include "env/linux/cpu_quota.h"
#include "governor/cli/json.h"

namespace flyball::cli {

/// "This process may use 0.30 of 2 CPUs (cgroup cpu.max): ..."; empty when no quota binds.
std::string quota_sentence();
/// How often the quota stopped it; empty when it did not.
std::string throttling_sentence(const CpuThrottling& throttling);
/// null when there is none.
Json quota_json(double cpus);

}  // namespace flyball::cli
