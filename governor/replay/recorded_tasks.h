#pragma once

#include <string>
#include <vector>

#include "env/scenario/plain_tasks.h"

namespace flyball {

/// The tasks of plain load in a record, whose profiles no platform file has: what an activation takes is
/// told by the cycles of those that ran, and what of that waits for memory by the cycles that stalled. A
/// record does not say which clusters a task may not run on: none is barred. Throws Error (kInput) where
/// the file is no recording.
std::vector<PlainTask> recorded_tasks(const std::string& recording, const PlatformSpec& platform);

/// Adds their profiles, where the platform has none of that name.
void add_task_profiles(const std::vector<PlainTask>& tasks, PlatformSpec& platform);

}  // namespace flyball
