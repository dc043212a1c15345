#include <fmt/format.h>

#include <memory>

#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/asked_governor.h"
#include "governor/supervisor/state_dir.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct SetVerb {
  std::string key, value, policy;
  std::string state_dir = kDefaultStateDir;
};

/// A word of a request.
void check_word(const std::string& what, const std::string& word) {
  if (!word.empty() && word.find(' ') == std::string::npos) return;
  input_error(what + " '" + word + "'", "is no word", "give it without blanks");
}

int run_set(const SetVerb& verb) {
  check_word("key", verb.key);
  check_word("value", verb.value);
  if (!verb.policy.empty()) check_word("--policy", verb.policy);
  std::optional<ControlClient> client = ControlClient::connect(verb.state_dir);
  if (!client) return none_governs(verb.state_dir, false, "settings");
  const std::string request = fmt::format("set {} {}{}{}", verb.key, verb.value,
                                          verb.policy.empty() ? "" : " ", verb.policy);
  write_result(client->ask(request) + "\n");
  return 0;
}

}  // namespace

Verb add_set(CLI::App& program) {
  auto verb = std::make_shared<SetVerb>();
  CLI::App* parser =
      program.add_subcommand("set", "Set something of the flyball that governs, until it ends");
  parser
      ->add_option("KEY", verb->key,
                   "epoch_ms (5 to 1000), min_khz and max_khz (limits of the clock), preference (0 "
                   "performance first, 1 battery first), exploration (of policies that explore)")
      ->required();
  parser->add_option("VALUE", verb->value, "A number, or 'default'")->required();
  parser->add_option("--policy", verb->policy, "Limits of this one, as 'policy4' (default: all)")
      ->type_name("NAME");
  state_dir_option(*parser, verb->state_dir);
  parser->footer(
      "Example:\n  sudo flyball set max_khz 1400000 --policy policy4\n"
      "Root, who runs the governor, and the group 'flyball' may.\n"
      "Exit status: 0 set, 3 no flyball governs, 2 wrong use, 1 denied or no answer.");
  return {parser, [verb] { return run_set(*verb); }};
}

}  // namespace flyball::cli
