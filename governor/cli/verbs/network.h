#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "governor/cli/options.h"
#include "governor/machine/named_model.h"

namespace flyball::cli {

// The verbs within `flyball network`.

Verb add_network_show(CLI::App& network);
Verb add_network_verify(CLI::App& network);
Verb add_network_bench(CLI::App& network);
Verb add_network_train(CLI::App& network);
Verb add_network_dqn(CLI::App& network);

/// The positional argument FILE, the shipped model when it is left out.
void model_option(CLI::App& parser, std::string& value);

}  // namespace flyball::cli
