#include "env/model/load_apps.h"

#include <fmt/format.h>

#include <algorithm>

namespace flyball {
namespace {

LevelProfile read_width(const YamlMap& entry, bool has_model) {
  LevelProfile width;
  width.width_pct = static_cast<int>(entry.integer("width_pct", 1, 100));
  width.int8 = entry.has("precision") && entry.choice("precision", {"fp32", "int8"}) == 1;
  // Without instructions for it, int8 may well be the slower one.
  width.time_factor = entry.number("time_factor", 1e-3, width.int8 ? 10 : 1);
  width.activity_factor = entry.number("activity_factor", 0.01, 100);
  if (!has_model) {
    width.accuracy_pct = entry.number("accuracy_pct", 0, 100);
    width.accuracy_source = entry.text("accuracy_source");
  }
  for (const char* key : {"accuracy_pct", "accuracy_source"}) {
    if (has_model && entry.has(key)) {
      entry.reject(key, "the application has a 'model', whose file says it", "remove one of them");
    }
  }
  return width;
}

std::vector<LevelProfile> read_widths(const YamlMap& app, bool plain_load, bool has_model) {
  if (plain_load) {
    app.refuse_keys({"widths", "model", "parallel_fraction"}, "a plain load has none");
    return {LevelProfile{}};
  }
  std::vector<LevelProfile> widths;
  const std::vector<YamlMap> list =
      app.list("widths", {"width_pct", "precision", "time_factor", "activity_factor",
                          "accuracy_pct", "accuracy_source"});
  if (!app.has("widths")) app.reject("widths", "is missing", "list the widths of the network");
  check_count(app, "widths", list.size(), kMaxLevels);
  for (const YamlMap& entry : list) {
    const LevelProfile width = read_width(entry, has_model);
    if (!widths.empty()) {
      const LevelProfile& before = widths.back();
      const bool wider = width.width_pct > before.width_pct;
      if (!wider && !(width.width_pct == before.width_pct && before.int8 && !width.int8)) {
        entry.reject("width_pct", "is not above that of the width before it",
                     "sort the list by ascending width, int8 before fp32");
      }
    }
    if (width.width_pct == 100 && !width.int8 && width.time_factor != 1) {
      entry.reject("time_factor", "is relative to full width, which this is", "set it to 1");
    }
    widths.push_back(width);
  }
  if (widths.back().width_pct != 100) {
    list.back().reject("width_pct", "is the widest, but is not 100", "add full width");
  }
  if (widths.back().int8) {
    list.back().reject("precision", "full width is there in int8 only", "add it in fp32, last");
  }
  return widths;
}

}  // namespace

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
  app.model = map.config_or("model", "models", "");
  app.levels = read_widths(map, app.plain_load, map.has("model"));

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
