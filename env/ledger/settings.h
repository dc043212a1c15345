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
/// Applies `action` with what `settings` ask for in it, and reads every knob back. What cannot be had
/// stays as it is and says why: ENOENT for a knob, EINVAL for a value.
std::vector<KnobOutcome> restore_knobs(const PlatformSpec& spec, Platform& platform,
                                       const Observation& now, Action action,
                                       const std::vector<KnobSetting>& settings);

}  // namespace flyball
