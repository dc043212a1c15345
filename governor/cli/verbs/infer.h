#pragma once

#include "governor/cli/options.h"

namespace flyball::cli {

Verb add_infer(CLI::App& program);

}  // namespace flyball::cli
