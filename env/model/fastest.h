#pragma once

#include "env/model/platform_spec.h"

namespace flyball {

/// The configuration that finishes a nominal job soonest, with every cluster at its highest OPP; of
/// equals the first mapping.
struct FastestConfiguration {
  double time_ns = 0;
  int mapping = -1;  ///< -1: the application runs nowhere, or no level reaches the accuracy floor
  int level = 0;
};
FastestConfiguration fastest_at(const PlatformSpec& spec, const AppProfile& app, int level);
FastestConfiguration fastest_configuration(const PlatformSpec& spec, const AppProfile& app,
                                           double accuracy_floor_pct);

}  // namespace flyball
