#pragma once

#include "env/model/platform_spec.h"

namespace flyball {

/// The configuration that finishes a nominal job soonest, with every cluster at its highest OPP.
struct FastestConfiguration {
  double time_ns = 0;
  int mapping = -1;  ///< -1: no level reaches the accuracy floor
  int level = 0;
};
FastestConfiguration fastest_configuration(const PlatformSpec& spec, const AppProfile& app,
                                           double accuracy_floor_pct);

}  // namespace flyball
