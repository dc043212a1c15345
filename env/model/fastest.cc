#include "env/model/fastest.h"

#include "env/model/model.h"

namespace flyball {

FastestConfiguration fastest_at(const PlatformSpec& spec, const AppProfile& app, int level) {
  const OppChoice top = highest_opps(spec);
  FastestConfiguration best;
  for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
    if (!runs_on(app, spec.mappings[m])) continue;
    const double time_ns = execution_ns(spec, app, spec.mappings[m], level, top);
    if (best.mapping < 0 || time_ns < best.time_ns) best = {time_ns, static_cast<int>(m), level};
  }
  return best;
}

FastestConfiguration fastest_configuration(const PlatformSpec& spec, const AppProfile& app,
                                           double accuracy_floor_pct) {
  FastestConfiguration best;
  for (int level = 0; level < app.level_count(); ++level) {
    if (app.levels[static_cast<std::size_t>(level)].accuracy_pct < accuracy_floor_pct) continue;
    const FastestConfiguration one = fastest_at(spec, app, level);
    if (one.mapping >= 0 && (best.mapping < 0 || one.time_ns < best.time_ns)) best = one;
  }
  return best;
}

}  // namespace flyball
