#pragma once

#include <string>

#include "governor/cli/json.h"
#include "governor/fit/fit.h"

namespace flyball::cli {

/// How well the laws of each unit hold, of power over the rows that were kept.
Json fit_json(const FittedPlatform& platform);

/// For people: parameters with intervals, every row with its residuals, what was rejected and why,
/// how far devices are apart, and what was assumed.
std::string fit_report(const FittedPlatform& platform);

}  // namespace flyball::cli
