#pragma once

#include <initializer_list>
#include <string>

#include "env/spaces/monitors.h"
#include "env/spaces/reward.h"
#include "tests/env/network_levels.h"

namespace flyball {

inline Binding named(const std::string& name) {
  return with_widths(name, "net",
                     {{.width_pct = 50, .accuracy_pct = 59, .int8 = true},
                      {.width_pct = 50, .accuracy_pct = 60},
                      {.width_pct = 100, .accuracy_pct = 70}});
}

/// With an application of each name in a slot.
inline MonitorTable table_of(const PlatformSpec& spec, std::initializer_list<const char*> apps) {
  MonitorTable table(spec, RewardWeights{});
  int slot = 0;
  for (const char* app : apps) table.bind(slot++, named(app), {});
  return table;
}

}  // namespace flyball
