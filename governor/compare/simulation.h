#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "env/model/platform_spec.h"
#include "env/platform.h"
#include "env/scenario/scenario.h"

namespace flyball {

/// Makes a platform that plays `scenario` from its beginning. May be called from several threads at
/// once; spec and scenario outlive the platform.
using PlatformFactory = std::function<std::unique_ptr<Platform>(
    const PlatformSpec& spec, const Scenario& scenario, std::uint64_t seed)>;

/// The simulator.
std::unique_ptr<Platform> simulate(const PlatformSpec& spec, const Scenario& scenario,
                                   std::uint64_t seed);

}  // namespace flyball
