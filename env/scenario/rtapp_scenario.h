#pragma once

#include <string>
#include <vector>

#include "env/scenario/plain_tasks.h"
#include "env/scenario/scenario.h"

namespace flyball {

/// Whether a scenario's name is the path of a file of rt-app.
bool is_rtapp(const std::string& name_or_path);

/// The threads of such a file that do any work: each is a task, and its activations are listed jobs.
/// The CPU that rt-app was calibrated on is taken for the fastest one at its highest clock. CPUs are
/// counted from the slowest cluster on, as most boards do; `cpus` bars the clusters that have none of
/// them. Throws Error (kInput) with file and line.
std::vector<PlainTask> rtapp_tasks(const std::string& path, const PlatformSpec& platform);
/// The same as a scenario; `platform` has the tasks' profiles. An activation has until the thread's
/// next one, which is rt-app's slack.
Scenario load_rtapp(const std::string& path, const PlatformSpec& platform);

}  // namespace flyball
