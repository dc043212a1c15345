#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "env/model/platform_spec.h"
#include "env/platform.h"
#include "env/scenario/scenario.h"

namespace flyball {

class Simulator;

/// A platform to run on, and the truth about it where there is one to be known.
struct Stage {
  std::unique_ptr<Platform> platform;
  const Simulator* truth = nullptr;
};

/// Makes a platform that plays `scenario` from its beginning. May be called from several threads at
/// once; spec and scenario outlive the platform.
using PlatformFactory = std::function<Stage(const PlatformSpec& spec, const Scenario& scenario,
                                            std::uint64_t seed)>;

/// The simulator, seen through the sensors that the scenario has.
Stage simulate(const PlatformSpec& spec, const Scenario& scenario, std::uint64_t seed);

}  // namespace flyball
