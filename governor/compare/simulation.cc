#include "governor/compare/simulation.h"

#include "env/sim/simulator.h"

namespace flyball {

std::unique_ptr<Platform> simulate(const PlatformSpec& spec, const Scenario& scenario,
                                   std::uint64_t seed) {
  return std::make_unique<Simulator>(spec, scenario, SimOptions{.seed = seed});
}

}  // namespace flyball
