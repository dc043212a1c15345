#pragma once

#include <string>

#include "governor/cli/json.h"
#include "governor/replay/counterfactual.h"

namespace flyball::cli {

/// The part of 'replay --json' that a simulation answers.
Json counterfactual_json(const Counterfactual& found);
/// The same for people; `policy` is the other one.
std::string counterfactual_text(const Counterfactual& found, const std::string& policy,
                                int columns);

}  // namespace flyball::cli
