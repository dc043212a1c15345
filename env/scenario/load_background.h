#pragma once

#include <cstdint>
#include <vector>

#include "env/config/yaml.h"
#include "env/scenario/scenario.h"

namespace flyball {

/// The list `background` of a scenario file, every repetition an entry of its own, ascending in
/// start.
std::vector<BackgroundLoad> load_background(const YamlMap& root, const PlatformSpec& platform,
                                            std::int64_t duration_ns);

}  // namespace flyball
