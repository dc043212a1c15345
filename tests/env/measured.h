#pragma once

#include <string>

#include "env/model/network_levels.h"

namespace flyball {

/// A platform as the governor would load it: where applications name a model, whose accuracies only
/// the governor can read, their levels have some.
inline PlatformSpec measured_platform(const std::string& name) {
  PlatformSpec spec = load_platform(name);
  for (AppProfile& app : spec.apps) {
    if (app.model.empty()) continue;
    for (int l = 0; l < app.level_count(); ++l) {
      const NetworkLevel of = network_level(app, l);
      app.levels[static_cast<std::size_t>(l)].accuracy_pct =
          53 + 0.182 * of.width_pct - (of.int8 ? 0.3 : 0);
    }
  }
  return spec;
}

}  // namespace flyball
