#include "env/linux/actuate/choice.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace flyball {
namespace {

bool follows_load(const CpufreqPolicy& policy) {
  return policy.governor == "schedutil" || policy.governor == "ondemand" ||
         policy.governor == "conservative" || policy.governor == "interactive";
}

}  // namespace

const char* actuator_name(ActuatorKind kind) {
  switch (kind) {
    case ActuatorKind::kAuto:
      return "auto";
    case ActuatorKind::kSetSpeed:
      return "setspeed";
    case ActuatorKind::kBounds:
      return "bounds";
    case ActuatorKind::kUclamp:
      return "uclamp";
    case ActuatorKind::kNone:
      break;
  }
  return "none";
}

std::string why_no_clamps(const LinuxMachine& machine, const CpufreqPolicy& policy) {
  if (!machine.uclamp)
    return "this Linux kernel has no utilisation clamps (CONFIG_UCLAMP_TASK, from Linux 5.3 on)";
  if (policy.governor != "schedutil")
    return fmt::format("clamps tell schedutil alone, and governor {} is in charge",
                       policy.governor.empty() ? "unknown" : policy.governor);
  return "";
}

ActuatorChoice choose_actuator(const LinuxMachine& machine, const CpufreqPolicy& policy,
                               ActuatorKind asked) {
  using Kind = ActuatorKind;
  if (policy.error == EBUSY) return {Kind::kNone, "all its CPUs are offline"};
  if (policy.error != 0)
    return {Kind::kNone, "it cannot be read: " + std::generic_category().message(policy.error)};
  if (policy.hardware_max_khz <= policy.hardware_min_khz && policy.table_khz.size() < 2)
    return {Kind::kNone, "it has one frequency"};
  const bool exact = policy.can_set_speed && !policy.table_khz.empty();
  if (asked == Kind::kSetSpeed) {
    if (exact) return {asked, "as asked"};
    if (policy.drives_itself())
      return {Kind::kNone,
              fmt::format("{} runs the clock itself and takes no exact frequency", policy.driver)};
    return {Kind::kNone, policy.table_khz.empty() ? "it has no table of frequencies"
                                                  : "it may not be written by this process"};
  }
  if (asked == Kind::kUclamp) {
    std::string why = why_no_clamps(machine, policy);
    return why.empty() ? ActuatorChoice{asked, "as asked"}
                       : ActuatorChoice{Kind::kNone, std::move(why)};
  }
  if (asked == Kind::kBounds) {
    if (policy.can_bound) return {asked, "as asked"};
    return {Kind::kNone, "its limits may not be written by this process"};
  }
  if (!policy.can_bound && !exact) return {Kind::kNone, "it may not be written by this process"};
  if (policy.can_bound) {
    if (policy.drives_itself())
      return {Kind::kBounds, fmt::format("{} takes no exact frequency", policy.driver)};
    if (machine.places_by_energy() && policy.governor == "schedutil")
      return {Kind::kBounds,
              "keeps energy-aware scheduling, which needs schedutil on every policy"};
    if (follows_load(policy))
      return {Kind::kBounds,
              fmt::format("{} stays and follows load between two decisions", policy.governor)};
    if (!exact) return {Kind::kBounds, "there is no table of frequencies to set"};
  }
  return {Kind::kSetSpeed,
          fmt::format("governor {} does not follow load, so nothing is lost by exact frequencies",
                      policy.governor.empty() ? "unknown" : policy.governor)};
}

ActuatorChoice choose_actuator(const DevfreqDevice& device, ActuatorKind asked) {
  using Kind = ActuatorKind;
  if (device.table_hz.size() < 2)
    return {Kind::kNone,
            device.table_hz.empty() ? "it has no table of frequencies" : "it has one frequency"};
  if (asked == Kind::kSetSpeed) {
    if (device.can_set_speed) return {asked, "as asked"};
    return {Kind::kNone, "it has no userspace governor that this process may choose"};
  }
  if (!device.can_bound) return {Kind::kNone, "its limits may not be written by this process"};
  if (asked == Kind::kBounds) return {asked, "as asked"};
  return {Kind::kBounds,
          fmt::format("{} stays, and is held at one clock while an application is on it",
                      device.governor.empty() ? "its governor" : device.governor)};
}

}  // namespace flyball
