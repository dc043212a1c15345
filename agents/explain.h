#pragma once

#include <string>

#include "env/model/platform_spec.h"
#include "env/spaces/binding.h"
#include "env/spaces/decision.h"

namespace flyball {

/// The words for a decision: "camera: slack 20 %, demand 0.80 -> A15x2 at 1400 MHz, width 75". For
/// people, and nothing parses it. `app` is who has slot `reason.index`, empty when that is not
/// known. Allocates.
std::string explain(const Decision& decision, const PlatformSpec& platform, const Binding& app);

}  // namespace flyball
