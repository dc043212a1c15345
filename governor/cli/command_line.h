#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "governor/cli/options.h"

namespace flyball::cli {

/// Reads the command line and returns the verb that was asked for, or nullptr after printing help
/// or the version. Everything that is wrong with it is an Error (kInput) that names the nearest
/// thing known.
const Verb* parse_command_line(CLI::App& program, const std::vector<Verb>& verbs, int argc,
                               char** argv);

}  // namespace flyball::cli
