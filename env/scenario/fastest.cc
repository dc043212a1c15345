#include "env/scenario/fastest.h"

#include "env/model/model.h"

namespace flyball {

FastestConfiguration fastest_configuration(const PlatformSpec& spec, const AppProfile& app,
                                           double accuracy_floor_pct) {
  const OppChoice top = highest_opps(spec);
  FastestConfiguration best;
  for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
    if (!runs_on(app, spec.mappings[m])) continue;
    for (std::size_t w = 0; w < app.levels.size(); ++w) {
      if (app.levels[w].accuracy_pct < accuracy_floor_pct) continue;
      const double time_ns = execution_ns(spec, app, spec.mappings[m], static_cast<int>(w), top);
      if (best.mapping >= 0 && time_ns >= best.time_ns) continue;
      best = {time_ns, static_cast<int>(m), static_cast<int>(w)};
    }
  }
  return best;
}

}  // namespace flyball
