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

}  // namespace flyball
