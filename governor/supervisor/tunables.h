#pragma once

#include "governor/supervisor/settings_file.h"

namespace flyball {

// Tunables of a governor (POLICY/ondemand/..., or cpufreq/ondemand/... for all policies together) go
// with it when another one takes its place, and come back as defaults.

/// Before the governor of this setting is changed: takes what its tunables are now. Those that are
/// taken already keep their value of before. Allocates, reads a folder or two. False when one had no
/// room: then the governor must not be changed.
bool take_tunables(SettingsFile& file, int governor);

/// After the governor was brought back by its own process: its tunables as well.
void give_back_tunables(SettingsFile& file, int governor);

}  // namespace flyball
