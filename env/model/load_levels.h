#pragma once

#include "env/config/yaml.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// Reads the own knobs of an application of a platform file and the levels that they are flattened
/// into: `knobs` with `levels`, or `widths`, which are the levels of width and precision. Throws
/// Error (kInput).
void read_levels(const YamlMap& map, AppProfile& app);

}  // namespace flyball
