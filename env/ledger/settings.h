#pragma once

#include <vector>

#include "env/model/platform_spec.h"
#include "env/platform.h"

namespace flyball {

/// The knobs of an observation as text: "A15.freq", "camera.mapping", "camera.level"
/// for every bound slot. `binding(a)` names the slots.
std::vector<KnobSetting> settings_of(const PlatformSpec& spec, const Platform& platform,
                                     const Observation& now);
/// What was asked of the knobs, as far as it is in force.
Action action_asked(const Observation& now);
/// Adds what `settings` ask for to `action`; outcomes say what of it cannot be had (ENOENT for a
/// knob, EINVAL for a value) and leave that as it is.
std::vector<KnobOutcome> set_knobs(const PlatformSpec& spec, const Platform& platform,
                                   const Observation& now, const std::vector<KnobSetting>& settings,
                                   Action& action);

}  // namespace flyball
