#pragma once

#include <string>

#include "governor/cli/json.h"
#include "governor/compare/compare.h"

namespace flyball::cli {

/// The three energies that gaps are to, means over the seeds, and whose they are.
Json bounds_json(const Comparison& comparison);
/// The same in sentences.
std::string bounds_text(const Comparison& comparison);

}  // namespace flyball::cli
