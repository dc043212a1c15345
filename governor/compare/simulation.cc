#include "governor/compare/simulation.h"

#include "env/sim/faulty_sensors.h"
#include "env/sim/simulator.h"

namespace flyball {

Stage simulate(const PlatformSpec& spec, const Scenario& scenario, std::uint64_t seed) {
  auto simulator = std::make_unique<Simulator>(spec, scenario, SimOptions{.seed = seed});
  const Simulator* truth = simulator.get();
  if (!scenario.sensors.any()) return {std::move(simulator), truth};
  return {std::make_unique<FaultySensors>(std::move(simulator), spec, scenario.sensors, seed),
          truth};
}

}  // namespace flyball
