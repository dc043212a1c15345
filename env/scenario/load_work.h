#pragma once

#include <cstdint>
#include <vector>

#include "env/config/yaml.h"
#include "env/scenario/scenario.h"

namespace flyball {

inline constexpr double kLeastWork = 0.01, kMostWork = 100;  ///< of a job, of the nominal one

/// `work` of an application that is there from `start_ns` to `stop_ns`: how it drifts, and its ramps.
std::vector<WorkTrend> load_work(const YamlMap& app, std::int64_t start_ns, std::int64_t stop_ns);

}  // namespace flyball
