#pragma once

#include <initializer_list>
#include <string>

#include "env/spaces/monitors.h"
#include "env/spaces/reward.h"

namespace flyball {

inline Binding named(const std::string& name) {
  return {name, "net", 1, false, {{50, true, 59}, {50, false, 60}, {100, false, 70}}};
}

/// With an application of each name in a slot.
inline MonitorTable table_of(const PlatformSpec& spec, std::initializer_list<const char*> apps) {
  MonitorTable table(spec, RewardWeights{});
  int slot = 0;
  for (const char* app : apps) table.bind(slot++, named(app), {});
  return table;
}

}  // namespace flyball
