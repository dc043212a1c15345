// A platform, with the physics that every verb asks it for.

#include <cmath>

#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/yaml_mutator.h"

namespace flyball::fuzz {
namespace {

void read(const std::string& path) {
  const PlatformSpec spec = load_platform(path);
  check_printable(spec.description);
  for (const std::string& warning : spec.warnings) check_printable(warning);
  for (const AppProfile& app : spec.apps) {
    check_printable(app.model);
    for (const LevelProfile& level : app.levels) check_printable(level.accuracy_source);
    if (app.plain_load) continue;
    const double time_ns = reference_time_ns(spec, app), energy_mj = reference_energy_mj(spec, app);
    if (!(time_ns > 0) || !std::isfinite(time_ns) || !(energy_mj >= 0) ||
        !std::isfinite(energy_mj)) {
      broken("the reference job takes time and energy", app.name);
    }
  }
  read_or_refuse([&] { load_scenario("background", spec); });
}

}  // namespace
}  // namespace flyball::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return flyball::fuzz::read_input(data, size, flyball::fuzz::read);
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return flyball::fuzz::mutate_yaml(data, size, max_size, seed);
}
