#pragma once

#include <array>
#include <string>

#include "env/model/platform_spec.h"

namespace flyball {

/// A thread of plain load, as a scenario describes it for any platform.
struct PlainTask {
  std::string name;
  double work_ms = 0;       ///< of an activation, on the fastest core at its highest clock
  double memory_share = 0;  ///< of that; it waits for memory as long at any clock
  double activity = 1;      ///< of the power of a busy core
  std::array<bool, kMaxClusters> barred{};  ///< clusters that it may not run on
};

/// The name of the profile that such a task has on a platform.
std::string task_profile_name(const std::string& task);
/// What it costs there: on other CPU clusters in proportion to their capacity, power as of the plain
/// loads that are known there.
AppProfile task_profile(const PlatformSpec& platform, const PlainTask& task);

/// Adds to `platform` the profiles of a scenario's tasks, without which load_scenario() refuses it;
/// nothing when it has none. Throws Error (kInput) with file and line.
void add_task_profiles(const std::string& scenario, PlatformSpec& platform);

}  // namespace flyball
