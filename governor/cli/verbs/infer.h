#pragma once

#include "governor/cli/options.h"

namespace flyball::cli {

/// What 'infer --objective' takes.
const std::vector<std::string>& infer_objectives();
Verb add_infer(CLI::App& program);

}  // namespace flyball::cli
