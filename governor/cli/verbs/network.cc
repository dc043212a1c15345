#include "governor/cli/verbs/network.h"

#include <fmt/format.h>

namespace flyball::cli {

void model_option(CLI::App& parser, std::string& value) {
  parser
      .add_option("model", value,
                  fmt::format("A model file or the name of one in configs/models (default {})",
                              kDefaultModel))
      ->type_name("FILE|NAME");
}

std::vector<Verb> add_network(CLI::App& program) {
  CLI::App* network = program.add_subcommand(
      "network", "Look at a dynamic network, check it, time it, or train one");
  network->require_subcommand(0, 1);
  network->get_formatter()->label("SUBCOMMAND", "VERB");
  network->get_formatter()->label("Subcommands", "Verbs");
  network->footer("Example:\n  flyball network show");
  return {add_network_show(*network), add_network_verify(*network), add_network_bench(*network),
          add_network_train(*network), add_network_dqn(*network)};
}

}  // namespace flyball::cli
