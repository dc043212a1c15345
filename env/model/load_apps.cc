#include "env/model/load_apps.h"

#include <fmt/format.h>

#include <algorithm>

#include "env/model/load_levels.h"

namespace flyball {
void check_count(const YamlMap& map, std::string_view key, std::size_t count, std::size_t max) {
  if (!map.has(key)) map.reject(key, "is missing", "add it");
  if (count == 0) map.reject(key, "is empty", "give at least one entry");
  if (count > max) {
    map.reject(key, fmt::format("has {} entries", count), fmt::format("keep at most {}", max));
  }
}

AppProfile read_app(const std::string& name, const YamlMap& map,
                    const std::vector<ClusterSpec>& clusters) {
  AppProfile app;
  app.name = name;
  app.plain_load = map.choice("kind", {"network", "plain_load"}) == 1;
  app.parallel_fraction = app.plain_load ? 1 : map.number("parallel_fraction", 0, 1);
  app.equal_shares = map.has("shares") && map.choice("shares", {"by_speed", "equal"}) == 1;
  app.model = map.config_or("model", "models", "");
  read_levels(map, app);

  std::vector<std::string> names;
  for (const ClusterSpec& cluster : clusters) names.push_back(cluster.name);
  const auto units =
      map.named_maps("units", {"mcycles", "memory_ms", "core_nf", "static_ma", "gate_idle_cores",
                               "ipc", "miss_ns", "references_per_miss"});
  if (!map.has("units")) map.reject("units", "is missing", "give each cluster's profile");
  for (const auto& [unit_name, unit_map] : units) {
    const auto found = std::find(names.begin(), names.end(), unit_name);
    if (found == names.end()) {
      unit_map.reject({},
                      fmt::format("unit '{}' is no cluster of this platform{}", unit_name,
                                  did_you_mean(unit_name, names)),
                      fmt::format("its clusters are {}", fmt::join(names, ", ")));
    }
    UnitProfile& unit = app.unit[static_cast<std::size_t>(found - names.begin())];
    unit.supported = true;
    if (app.plain_load) {
      unit_map.refuse_keys({"mcycles", "memory_ms"}, "a plain load has no jobs that take time");
    } else {
      unit.mcycles = unit_map.number("mcycles", 1e-3, 1e6);
      unit.memory_ms = unit_map.number_or("memory_ms", 0, 0, 1e6);
    }
    unit.ipc = unit_map.number_or("ipc", unit.ipc, 0.01, 100);
    unit.miss_ns = unit_map.number_or("miss_ns", unit.miss_ns, 1, 1e5);
    unit.references_per_miss =
        unit_map.number_or("references_per_miss", unit.references_per_miss, 1, 1e6);
    unit.core_nf = unit_map.number("core_nf", 0, 1000);
    unit.static_ma = unit_map.number_or("static_ma", 0, 0, 1e5);
    unit.gate_idle_cores = unit_map.boolean_or("gate_idle_cores", false);
  }
  for (std::size_t c = 0; c < clusters.size(); ++c) {
    // A plain load may be unknown on a unit; a job may be sent to any.
    if (!app.plain_load && !app.unit[c].supported) {
      map.reject("units", fmt::format("says nothing about cluster '{}'", clusters[c].name),
                 "add its profile");
    }
  }
  return app;
}

}  // namespace flyball
