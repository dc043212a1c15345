#include <algorithm>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"

namespace flyball {

Binding binding_of(const AppSpec& app, const AppProfile& profile) {
  Binding binding{app.name, profile.name, app.threads, profile.plain_load, profile.knobs, {}};
  for (const LevelProfile& level : profile.levels) {
    binding.levels.push_back({level.knob, level.accuracy_pct});
  }
  return binding;
}

double sustainable_mw(const Scenario& scenario, double left_mj, std::int64_t now_ns) {
  if (scenario.battery_until_ns <= now_ns || scenario.battery_mj <= 0) return 0;
  // An empty one sustains nothing, which is not the same as no matter.
  constexpr double kLeastMw = 1e-3;
  return std::max(kLeastMw, left_mj * 1e9 / static_cast<double>(scenario.battery_until_ns - now_ns));
}

}  // namespace flyball
