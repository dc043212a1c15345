#include "env/model/characterise.h"

#include "env/model/model.h"

namespace flyball {

std::vector<CharacteriseRow> characterise(const PlatformSpec& spec, const AppProfile& app) {
  std::vector<CharacteriseRow> rows;
  for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c) {
    const ClusterSpec& cluster = spec.clusters[c];
    if (!app.unit[c].supported) continue;
    for (int opp = 0; opp <= cluster.max_opp(); ++opp) {
      for (int cores = 1; cores <= cluster.cores; ++cores) {
        const int mapping = spec.find_mapping(c, cores);
        if (mapping < 0) continue;
        for (int level = 0; level < app.level_count(); ++level) {
          OppChoice choice{};
          choice[c] = static_cast<std::uint8_t>(opp);
          const SteadyState state = steady_state(spec, app, spec.mappings[mapping], level, choice);
          rows.push_back({.unit = cluster.name,
                          .mhz = static_cast<double>(cluster.opps[opp].freq_khz) / 1000,
                          .cores = cores,
                          .level = level,
                          .time_ms = state.time_ms,
                          .power_mw = state.unit_power_mw,
                          .energy_mj = state.energy_mj,
                          .accuracy_pct = app.levels[level].accuracy_pct,
                          .temp_c = state.temp_c});
        }
      }
    }
  }
  return rows;
}

}  // namespace flyball
