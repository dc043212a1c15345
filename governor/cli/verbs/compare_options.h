#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "governor/cli/verbs/compared_cell.h"
#include "governor/compare/matrix_results.h"

namespace flyball::cli {

/// "1/4". Throws Error (kInput).
Shard parse_shard(const std::string& text);

/// Names or files, each option as often as one likes; a file may have commas in its name.
void places_option(CLI::App& parser, const std::string& flag, std::vector<std::string>& values,
                   const std::string& help, bool required);

/// NAME=FILE, as often as one likes.
void files_option(CLI::App& parser, const std::string& flag, FilesByPolicy& files,
                  const std::string& help);

}  // namespace flyball::cli
