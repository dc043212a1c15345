#pragma once

#include <string>
#include <vector>

#include "env/model/network_levels.h"
#include "env/scenario/scenario.h"

namespace flyball {

/// A level of the dynamic network as tests write it down.
struct WidthCosts {
  int width_pct = 100;
  double time_factor = 1;
  double activity_factor = 1;
  double accuracy_pct = 0;
  std::string accuracy_source{};
  bool int8 = false;
};

inline void give_widths(AppProfile& app, const std::vector<WidthCosts>& widths) {
  std::vector<NetworkLevel> levels;
  app.levels.clear();
  for (const WidthCosts& width : widths) {
    levels.push_back({.width_pct = width.width_pct, .int8 = width.int8});
    LevelProfile level;
    level.time_factor = width.time_factor;
    level.activity_factor = width.activity_factor;
    level.accuracy_pct = width.accuracy_pct;
    level.accuracy_source = width.accuracy_source;
    app.levels.push_back(level);
  }
  set_network_knobs(app, levels);
}

inline std::vector<WidthCosts> widths_of(const AppProfile& app) {
  std::vector<WidthCosts> widths;
  for (int l = 0; l < app.level_count(); ++l) {
    const LevelProfile& level = app.levels[static_cast<std::size_t>(l)];
    const NetworkLevel of = network_level(app, l);
    widths.push_back({of.width_pct, level.time_factor, level.activity_factor, level.accuracy_pct,
                      level.accuracy_source, of.int8});
  }
  return widths;
}

/// Who offers such levels and is of a profile of this name.
inline Binding with_widths(const std::string& name, const std::string& profile,
                           const std::vector<WidthCosts>& widths, int threads = 1) {
  AppSpec app;
  app.name = name;
  app.threads = threads;
  AppProfile of;
  of.name = profile;
  give_widths(of, widths);
  return binding_of(app, of);
}

}  // namespace flyball
