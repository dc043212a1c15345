#pragma once

#include <cstdint>

#include "env/config/yaml.h"
#include "env/scenario/sensor_faults.h"

namespace flyball {

/// `sensors` of a scenario: what is wrong with those of power and temperature.
SensorFaults load_sensors(const YamlMap& root, std::int64_t duration_ns);

}  // namespace flyball
