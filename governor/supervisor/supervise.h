#pragma once

#include "governor/supervisor/settings_file.h"

namespace flyball {

/// Descriptors that the governor passes to the supervisor's process.
enum SupervisorDescriptor {
  kLockDescriptor = 3,
  kSettingsDescriptor,
  kStateDirDescriptor,
  kReadyDescriptor,
  kMachineDescriptor  ///< only held; may be none
};
inline constexpr int kSupervisorDescriptors = 5;

/// How long the governor may be silent. One that has changed nothing yet, or `owes` nothing any more, has more
/// time: a machine that boots is slow, a disk takes its time over a result, and to stop it gives nothing back.
std::int64_t hang_limit_ns(GovernorPhase phase, std::int64_t period_ns, bool owes = true);

/// What the supervisor's process does: says that it is ready, waits until the governor has ended, or
/// stops it when it hangs, and gives back what it left. Heeds no signal till then. The exit status.
int supervise(const std::string& state_dir);

}  // namespace flyball
