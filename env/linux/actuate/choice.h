#pragma once

#include <string>

#include "env/linux/discover/linux_machine.h"

namespace flyball {

/// How the clock of a policy is turned.
enum class ActuatorKind : std::uint8_t {
  kAuto,      ///< the best of these for the machine
  kSetSpeed,  ///< the userspace governor: exact operating points, but no energy-aware scheduling
  kBounds,    ///< the Linux governor stays, its limits move
  kUclamp,    ///< both stay, and threads that are known are clamped: schedutil does the rest
  kNone,      ///< looks on
};
const char* actuator_name(ActuatorKind kind);

struct ActuatorChoice {
  ActuatorKind kind = ActuatorKind::kNone;
  std::string why;  ///< a clause: "keeps energy-aware scheduling"
};

/// Why clocks cannot be asked for by clamps of threads here; empty where they can.
std::string why_no_clamps(const LinuxMachine& machine, const CpufreqPolicy& policy);

/// What is done with a policy when `asked` for; kNone with the reason where that cannot be had. Clamps are
/// for who asks for them: they reach no thread but those that are known.
ActuatorChoice choose_actuator(const LinuxMachine& machine, const CpufreqPolicy& policy,
                               ActuatorKind asked);
/// The same of a device: its own governor stays, but where setspeed is asked for.
ActuatorChoice choose_actuator(const DevfreqDevice& device, ActuatorKind asked);

}  // namespace flyball
