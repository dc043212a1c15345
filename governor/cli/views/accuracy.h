#pragma once

#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"

namespace flyball::cli {

/// Where an application's accuracies come from, a sentence per source. Empty for a plain load.
std::vector<std::string> accuracy_notes(const AppProfile& app);
/// Of every kind of application in the scenario.
std::vector<std::string> accuracy_notes(const PlatformSpec& platform, const Scenario& scenario);

/// The index of an application of the platform. Throws Error (kInput) that lists the known ones.
int find_app_or_throw(const PlatformSpec& platform, const std::string& name);

}  // namespace flyball::cli
