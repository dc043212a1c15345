#pragma once

#include <string>

#include "env/model/platform_spec.h"

namespace flyball {

/// A platform as the governor would load it: where applications name a model, whose accuracies only
/// the governor can read, their levels have some.
inline PlatformSpec measured_platform(const std::string& name) {
  PlatformSpec spec = load_platform(name);
  for (AppProfile& app : spec.apps) {
    if (app.model.empty()) continue;
    for (LevelProfile& width : app.levels)
      width.accuracy_pct = 53 + 0.182 * width.width_pct - (width.int8 ? 0.3 : 0);
  }
  return spec;
}

}  // namespace flyball
