#pragma once

#include <cstdint>

#include "env/scenario/scenario.h"

namespace flyball {

/// Of all that a scenario lets happen: runs of one hash and one seed had the same workload.
std::uint64_t scenario_hash(const Scenario& scenario);

}  // namespace flyball
