#include "env/model/runaway.h"

#include <fmt/format.h>

#include "env/model/model.h"
#include "env/model/thermal.h"

namespace flyball {
namespace {

bool too_hot(const PlatformSpec& spec, const AppProfile& app, const Mapping& mapping,
             const OppChoice& opp) {
  const int level = app.level_count() - 1;
  return steady_state(spec, app, mapping, level, opp).temp_c >= kMaxSteadyTempC;
}

PlatformSpec without_leakage(PlatformSpec spec, int cluster) {
  ClusterSpec& dry = spec.clusters[static_cast<std::size_t>(cluster)];
  dry.leak_a = dry.leak_c_a = 0;
  return spec;
}

/// The clocks that are left when every trip point has been reached.
OppChoice hottest_caps(const PlatformSpec& spec) {
  ThermalState state;
  state.temp_c.fill(kMaxSteadyTempC);
  thermal_poll_trips(spec, state);
  return state.opp_cap;
}

double mhz(const ClusterSpec& cluster, int opp) {
  return static_cast<double>(cluster.opps[static_cast<std::size_t>(opp)].freq_khz) / 1000;
}

}  // namespace

std::optional<IdleRunaway> idle_runaway(const PlatformSpec& spec) {
  // A core that is awake and switches nothing stands for a board with nothing to do.
  const int big = spec.big_cluster();
  AppProfile nothing;
  nothing.plain_load = true;
  nothing.levels = {LevelProfile{}};
  nothing.unit[static_cast<std::size_t>(big)].supported = true;
  const Mapping& mapping = spec.mappings[static_cast<std::size_t>(spec.find_mapping(big, 1))];
  if (!too_hot(spec, nothing, mapping, {})) return std::nullopt;
  PlatformSpec drier = spec;
  for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c) {
    drier = without_leakage(std::move(drier), c);
    if (too_hot(drier, nothing, mapping, {})) continue;
    const ClusterSpec& cluster = spec.clusters[static_cast<std::size_t>(c)];
    return IdleRunaway{
        c, fmt::format("cluster '{}' runs away: with nothing to do, at {:g} MHz, its leakage warms "
                       "the board beyond {} C",
                       cluster.name, mhz(cluster, 0), kMaxSteadyTempC)};
  }
  return IdleRunaway{-1, fmt::format("the board gets hotter than {} C with nothing to do, even "
                                     "without leakage",
                                     kMaxSteadyTempC)};
}

std::vector<std::string> busy_runaways(const PlatformSpec& spec) {
  std::vector<std::string> lines;
  const OppChoice opp = hottest_caps(spec);
  for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c) {
    const auto index = static_cast<std::size_t>(c);
    const ClusterSpec& cluster = spec.clusters[index];
    const Mapping& all =
        spec.mappings[static_cast<std::size_t>(spec.find_mapping(c, cluster.cores))];
    for (const AppProfile& app : spec.apps) {
      if (!app.unit[index].supported || !too_hot(spec, app, all, opp)) continue;
      const bool leaks = !too_hot(without_leakage(spec, c), app, all, opp);
      lines.push_back(fmt::format(
          "Cluster '{}' runs away: with '{}' on all its cores at {:g} MHz it gets hotter than "
          "{} C, {}. Its temperatures and energies are then those of the model's limit, not of a "
          "board; check {} 'thermal' terms in the platform file.",
          cluster.name, app.name, mhz(cluster, opp[index]), kMaxSteadyTempC,
          leaks ? "because leakage warms it faster than it cools"
                : "from the power of the work alone",
          leaks ? "its 'leakage' and the" : "its capacitances and the"));
      break;
    }
  }
  return lines;
}

}  // namespace flyball
