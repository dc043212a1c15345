#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "env/config/yaml.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// An entry of `apps` in a platform file.
AppProfile read_app(const std::string& name, const YamlMap& map,
                    const std::vector<ClusterSpec>& clusters);

/// Refuses a list of a platform file that is empty or too long.
void check_count(const YamlMap& map, std::string_view key, std::size_t count, std::size_t max);

}  // namespace flyball
