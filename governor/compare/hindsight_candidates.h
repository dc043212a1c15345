#pragma once

#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/action.h"

namespace flyball {

/// Configurations worth trying as the single best of a run, without duplicates: for several margins
/// the `per_margin` cheapest by the model, and the fastest of every level. Clusters that nobody
/// uses are at their lowest frequency.
std::vector<Action> hindsight_candidates(const PlatformSpec& platform, const Scenario& scenario,
                                         std::size_t per_margin);

/// All configurations that differ from `action` in one knob, by one step of a frequency or of one of
/// an application's own, or by any mapping.
std::vector<Action> neighbours(const PlatformSpec& platform, const Scenario& scenario,
                               const Action& action);

}  // namespace flyball
