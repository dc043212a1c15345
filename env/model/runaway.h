#pragma once

#include <optional>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"

namespace flyball {

// Leakage warms and warmth leaks. Where that has no end below kMaxSteadyTempC, at 25 C ambient, the
// figures are those of the model's limit and not of a board: numbers in a platform file are wrong.

struct IdleRunaway {
  int cluster = -1;  ///< whose leakage it is; -1: the board is too hot without any
  std::string why;
};
/// A board that is too hot with nothing to do and every clock at its lowest.
std::optional<IdleRunaway> idle_runaway(const PlatformSpec& spec);

/// A line for each cluster that gets too hot with all its cores at work, at the clock that the trip
/// points leave it then: which application, which clock, and whether leakage is the cause.
std::vector<std::string> busy_runaways(const PlatformSpec& spec);

}  // namespace flyball
