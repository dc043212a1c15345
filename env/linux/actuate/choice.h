#pragma once

#include <string>

#include "env/linux/discover/linux_machine.h"

namespace flyball {

/// How the clock of a policy is turned.
enum class ActuatorKind : std::uint8_t {
  kAuto,      ///< the best of these for the machine
  kSetSpeed,  ///< the userspace governor: exact operating points, but no energy-aware scheduling
  kBounds,    ///< the Linux governor stays, its limits move
  kNone,      ///< looks on
};
const char* actuator_name(ActuatorKind kind);

struct ActuatorChoice {
  ActuatorKind kind = ActuatorKind::kNone;
  std::string why;  ///< a clause: "keeps energy-aware scheduling"
};

/// What is done with a policy when `asked` for; kNone with the reason where that cannot be had.
ActuatorChoice choose_actuator(const LinuxMachine& machine, const CpufreqPolicy& policy,
                               ActuatorKind asked);
/// The same of a device: its own governor stays, but where setspeed is asked for.
ActuatorChoice choose_actuator(const DevfreqDevice& device, ActuatorKind asked);

}  // namespace flyball
