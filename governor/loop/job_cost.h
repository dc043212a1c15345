#pragma once

#include "env/model/model.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// Energy of the mapping's clusters over `horizon_ns`, one job of `time_ns` in it and idle for the
/// rest, mJ, by the model at a middling temperature. To rank configurations, not to account for
/// them.
double ranking_energy_mj(const PlatformSpec& spec, const AppProfile& app, const Mapping& mapping,
                         int level, const OppChoice& opp, double time_ns, double horizon_ns);

}  // namespace flyball
