// A scenario, on a simulated board and on this machine.

#include "env/scenario/plain_tasks.h"
#include "env/scenario/scenario.h"
#include "tests/fuzz/input_file.h"
#include "tests/fuzz/yaml_mutator.h"

namespace flyball::fuzz {
namespace {

void read(const std::string& path, PlatformSpec platform) {
  add_task_profiles(path, platform);
  const Scenario scenario = load_scenario(path, platform);
  check_printable(scenario.description);
  for (const std::string& warning : scenario.warnings) check_printable(warning);
  std::int64_t before_ns = 0;
  for (const ScenarioEvent& event : scenario.events) {
    if (event.at_ns < before_ns || event.at_ns > scenario.duration_ns) {
      broken("events are in order and within the scenario", scenario.name);
    }
    before_ns = event.at_ns;
  }
  for (const AppSpec& app : scenario.apps) {
    if (app.arrival.period_ns <= 0 || app.required.deadline_ns <= 0 ||
        app.stop_ns <= app.start_ns) {
      broken("an application has a period, a deadline and a time", app.name);
    }
  }
  for (const BackgroundLoad& load : scenario.background) {
    if (load.stop_ns <= load.start_ns || load.stop_ns > scenario.duration_ns) {
      broken("other load comes and goes within the scenario", load.name);
    }
  }
}

}  // namespace
}  // namespace flyball::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flyball;
  static fuzz::InputFile file;
  static const PlatformSpec platforms[] = {load_platform("odroid_xu3"),
                                           load_platform("jetson_nano")};
  file.set({data, size});
  for (const PlatformSpec& platform : platforms) {
    fuzz::read_or_refuse([&] { fuzz::read(file.path(), platform); });
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  return flyball::fuzz::mutate_yaml(data, size, max_size, seed);
}
