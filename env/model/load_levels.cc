#include "env/model/load_levels.h"

#include <fmt/format.h>

#include <algorithm>

#include "env/model/load_apps.h"
#include "env/model/network_levels.h"

namespace flyball {
namespace {

const std::vector<std::string_view> kCostKeys = {"time_factor", "activity_factor", "accuracy_pct",
                                                 "accuracy_source"};

// Names in what is printed and exported beside those of an application's own knobs.
constexpr std::string_view kTaken[] = {"accuracy_floor_pct",
                                       "accuracy_pct",
                                       "accuracy_source",
                                       "activity_factor",
                                       "app",
                                       "below_promise",
                                       "cores",
                                       "cycles",
                                       "deadline_ns",
                                       "dropped",
                                       "energy_mj",
                                       "finish_ns",
                                       "images",
                                       "infeasible",
                                       "job",
                                       "jobs",
                                       "latency_ns",
                                       "mapping",
                                       "measured_pct",
                                       "mhz",
                                       "missed",
                                       "power_mw",
                                       "promised_pct",
                                       "release_ns",
                                       "start_ns",
                                       "temp_c",
                                       "time_factor",
                                       "time_ms",
                                       "unit"};

/// What a level costs and how good it is; `source` holds where the level does not say another.
LevelProfile read_costs(const YamlMap& entry, bool has_model, double most_time,
                        const std::string& source) {
  LevelProfile level;
  level.time_factor = entry.number("time_factor", 1e-3, most_time);
  level.activity_factor = entry.number("activity_factor", 0.01, 100);
  if (!has_model) {
    level.accuracy_pct = entry.number("accuracy_pct", 0, 100);
    level.accuracy_source =
        source.empty() || entry.has("accuracy_source") ? entry.text("accuracy_source") : source;
    return level;
  }
  for (const char* key : {"accuracy_pct", "accuracy_source"}) {
    if (entry.has(key)) {
      entry.reject(key, "the application has a 'model', whose file says it", "remove one of them");
    }
  }
  return level;
}

void read_widths(const YamlMap& map, AppProfile& app) {
  const bool has_model = map.has("model");
  const std::vector<YamlMap> list =
      map.list("widths", {"width_pct", "precision", "time_factor", "activity_factor",
                          "accuracy_pct", "accuracy_source"});
  check_count(map, "widths", list.size(), kMaxLevels);
  std::vector<NetworkLevel> levels;
  for (const YamlMap& entry : list) {
    NetworkLevel level;
    level.width_pct = static_cast<int>(entry.integer("width_pct", 1, 100));
    level.int8 = entry.has("precision") && entry.choice("precision", {"fp32", "int8"}) == 1;
    // Without instructions for it, int8 may well be the slower one.
    const LevelProfile costs = read_costs(entry, has_model, level.int8 ? 10 : 1, "");
    if (!levels.empty()) {
      const NetworkLevel& before = levels.back();
      const bool wider = level.width_pct > before.width_pct;
      if (!wider && !(level.width_pct == before.width_pct && before.int8 && !level.int8)) {
        entry.reject("width_pct", "is not above that of the width before it",
                     "sort the list by ascending width, int8 before fp32");
      }
    }
    if (level.width_pct == 100 && !level.int8 && costs.time_factor != 1) {
      entry.reject("time_factor", "is relative to full width, which this is", "set it to 1");
    }
    levels.push_back(level);
    app.levels.push_back(costs);
  }
  if (levels.back().width_pct != 100) {
    list.back().reject("width_pct", "is the widest, but is not 100", "add full width");
  }
  if (levels.back().int8) {
    list.back().reject("precision", "full width is there in int8 only", "add it in fp32, last");
  }
  set_network_knobs(app, levels);
}

std::vector<std::string> read_values(const YamlMap& entry) {
  std::vector<std::string> values = entry.words("values");
  check_count(entry, "values", values.size(), kMaxLevels);
  const bool numbers = number_of(values[0]).has_value();
  for (std::size_t v = 1; v < values.size(); ++v) {
    const std::optional<double> number = number_of(values[v]), before = number_of(values[v - 1]);
    if (number.has_value() != numbers) {
      entry.reject("values",
                   fmt::format("'{}' and '{}' are a number and a word", values[0], values[v]),
                   "give numbers only, or words only");
    }
    if (numbers && *number <= *before) {
      entry.reject("values", fmt::format("{} is not above {}", values[v], values[v - 1]),
                   "sort the numbers by ascending value");
    }
    if (std::find(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(v), values[v]) !=
        values.begin() + static_cast<std::ptrdiff_t>(v)) {
      entry.reject("values", fmt::format("'{}' is there twice", values[v]),
                   "remove one of the two");
    }
  }
  return values;
}

std::vector<QualityKnob> read_knobs(const std::vector<YamlMap>& list) {
  std::vector<QualityKnob> knobs;
  std::size_t values = 0;
  for (const YamlMap& entry : list) {
    QualityKnob knob;
    knob.name = entry.name("name");
    knob.values = read_values(entry);
    if (entry.has("unit")) {
      knob.unit = entry.text("unit");
      if (!number_of(knob.values[0])) {
        entry.reject("unit", "the values are words, which have none", "remove it");
      }
      if (knob.unit.size() > 16) entry.reject("unit", "is too long", "use up to 16 characters");
    }
    const std::string column = column_name(knob);
    for (const QualityKnob& other : knobs) {
      if (other.name == knob.name || column_name(other) == column) {
        entry.reject("name", fmt::format("another knob is called '{}' too", other.name),
                     "give each its own name");
      }
    }
    const auto taken = [](const std::string& name) {
      return std::find(std::begin(kTaken), std::end(kTaken), name) != std::end(kTaken);
    };
    if (taken(column) || taken(knob.name)) {
      entry.reject("name", fmt::format("'{}' means something else already", knob.name),
                   "call the knob by another name");
    }
    values += knob.values.size();
    if (values > kMaxKnobValues) {
      entry.reject("values", fmt::format("makes {} values of all knobs together", values),
                   fmt::format("keep at most {}", kMaxKnobValues));
    }
    knobs.push_back(std::move(knob));
  }
  return knobs;
}

std::string names_of(const std::vector<QualityKnob>& knobs) {
  std::string names;
  for (const QualityKnob& knob : knobs) names += (names.empty() ? "" : ", then ") + knob.name;
  return names;
}

/// Every value is of some level, and the last level has the last value of every knob.
void check_values(const std::vector<YamlMap>& knob_maps, const YamlMap& last,
                  const AppProfile& app) {
  for (std::size_t k = 0; k < app.knobs.size(); ++k) {
    const QualityKnob& knob = app.knobs[k];
    const std::string& whole = knob.values.back();
    if (const std::string& value = knob.values[app.levels.back().knob[k]]; value != whole) {
      last.reject(knob.name,
                  fmt::format("the last level is the whole application, and '{}' is not '{}' there",
                              value, whole),
                  "end the list with the last value of every knob");
    }
    for (std::size_t v = 0; v < knob.values.size(); ++v) {
      const bool used = std::any_of(app.levels.begin(), app.levels.end(),
                                    [&](const LevelProfile& level) { return level.knob[k] == v; });
      if (!used) {
        knob_maps[k].reject("values", fmt::format("no level has '{}'", knob.values[v]),
                            "add such a level, or remove the value");
      }
    }
  }
}

void read_knobs_and_levels(const YamlMap& map, AppProfile& app) {
  const std::vector<YamlMap> knob_maps = map.list("knobs", {"name", "unit", "values"});
  check_count(map, "knobs", knob_maps.size(), kMaxQualityKnobs);
  app.knobs = read_knobs(knob_maps);
  std::vector<std::string_view> known;
  for (const QualityKnob& knob : app.knobs) known.push_back(knob.name);
  known.insert(known.end(), kCostKeys.begin(), kCostKeys.end());
  if (!map.has("levels")) {
    map.reject("levels", "is missing", "list what each combination of the knobs' values costs");
  }
  const std::vector<YamlMap> list = map.list("levels", known);
  check_count(map, "levels", list.size(), kMaxLevels);
  if (map.has("model")) {
    map.refuse_keys({"accuracy_source"}, "the application has a 'model', whose file says it");
  }
  const std::string source = map.text_or("accuracy_source", "");
  for (const YamlMap& entry : list) {
    LevelProfile level = read_costs(entry, map.has("model"), 10, source);
    for (std::size_t k = 0; k < app.knobs.size(); ++k) {
      const QualityKnob& knob = app.knobs[k];
      level.knob[k] = static_cast<std::uint8_t>(entry.choice_of(knob.name, knob.values));
    }
    if (!app.levels.empty() && !(app.levels.back().knob < level.knob)) {
      entry.reject({}, "the level does not come after the one before it",
                   "list each once, sorted by " + names_of(app.knobs));
    }
    app.levels.push_back(std::move(level));
  }
  check_values(knob_maps, list.back(), app);
  if (app.levels.back().time_factor != 1) {
    list.back().reject("time_factor", "is relative to the last level, which this is",
                       "set it to 1");
  }
  if (map.has("model") && !has_network_knobs(app)) {
    map.reject("model",
               "is a network whose knobs are width in % and precision, and here they are " +
                   names_of(app.knobs),
               "remove it, or describe the network's knobs by 'widths'");
  }
  mark_network_knobs(app);
}

}  // namespace

void read_levels(const YamlMap& map, AppProfile& app) {
  if (app.plain_load) {
    map.refuse_keys(
        {"widths", "knobs", "levels", "accuracy_source", "model", "parallel_fraction", "shares"},
        "a plain load has none");
    app.levels = {LevelProfile{}};
    return;
  }
  if (map.has("knobs")) {
    map.refuse_keys({"widths"}, "'knobs' are given, whose costs are in 'levels'");
    read_knobs_and_levels(map, app);
    return;
  }
  map.refuse_keys({"levels", "accuracy_source"}, "it belongs to 'knobs', of which there are none");
  if (!map.has("widths")) {
    map.reject("widths", "is missing",
               "list the widths of the network, or give 'knobs' and 'levels'");
  }
  read_widths(map, app);
}

}  // namespace flyball
