#include "governor/cli/documentation/program_description.h"

#include <algorithm>

#include "agents/agent.h"
#include "env/config/yaml.h"
#include "governor/cli/verbs/infer.h"
#include "governor/cli/verbs/linux_holding.h"
#include "governor/cli/verbs/list.h"
#include "governor/status/tuning_control.h"

namespace flyball::cli {
namespace {

std::vector<std::string> known_policies() {
  std::vector<std::string> names;
  for (const AgentInfo& agent : agent_catalogue()) names.emplace_back(agent.name);
  return names;
}

/// Words that an option takes, by its name; a verb of its own meaning has a line of its own.
std::vector<std::string> value_words(const std::string& verb, const std::string& option) {
  if (verb == "set") {
    if (option == "KEY") return tuning_keys();
    return option == "VALUE" ? std::vector<std::string>{"default"} : std::vector<std::string>{};
  }
  if (verb == "list") return list_kinds();
  static const std::vector<std::string> kPolicies = {"--policy",       "--agent",    "--agents",
                                                     "--compare-with", "--policies", "--against"};
  if (std::find(kPolicies.begin(), kPolicies.end(), option) != kPolicies.end())
    return known_policies();
  if (option == "--platform" || option == "--belief") {
    std::vector<std::string> names = list_configs("platforms");
    if (option == "--platform" && (verb == "run" || verb == "audit")) names.push_back("linux");
    return names;
  }
  if (option == "--scenario" || option == "--scenarios") return list_configs("scenarios");
  if (option == "--actuator") return actuator_names();
  if (option == "--objective") return infer_objectives();
  return {};
}

ValueChoice value_choice(const std::string& verb, const std::string& option,
                         const std::string& value) {
  ValueChoice choice;
  choice.words = value_words(verb, option);
  choice.files = value.find("FILE") != std::string::npos || option.find("FILE") == 0 ||
                 value.ends_with(".yaml");
  choice.folders = value.find("DIR") != std::string::npos || option == "DIR";
  choice.list = value.find(",") != std::string::npos;
  if (value.ends_with("|none")) choice.words.push_back("none");
  return choice;
}

OptionDescription describe_option(const std::string& verb, const CLI::Option& option) {
  OptionDescription told;
  told.positional = option.get_positional();
  for (const std::string& name : option.get_snames()) told.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) told.names.push_back("--" + name);
  if (told.positional) told.names = {option.get_single_name()};
  if (option.get_items_expected_max() > 0) told.value = option.get_type_name();
  if (told.positional) told.value = told.names.back();
  told.help = option.get_description();
  told.required = option.get_required();
  if (!told.value.empty()) told.choice = value_choice(verb, told.names.back(), told.value);
  return told;
}

void describe_verb(const CLI::App& parser, const std::string& name,
                   std::vector<VerbDescription>& all) {
  VerbDescription verb;
  verb.name = name;
  verb.summary = parser.get_description();
  std::replace(verb.summary.begin(), verb.summary.end(), '\n', ' ');
  verb.footer = parser.get_footer();
  for (const CLI::Option* option : parser.get_options()) {
    if (!option->get_group().empty()) verb.options.push_back(describe_option(name, *option));
  }
  const std::vector<const CLI::App*> within =
      parser.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
  for (const CLI::App* each : within) verb.verbs.push_back(each->get_name());
  all.push_back(std::move(verb));
  for (const CLI::App* each : within)
    describe_verb(*each, name.empty() ? each->get_name() : name + ' ' + each->get_name(), all);
}

}  // namespace

std::vector<VerbDescription> describe_program(const CLI::App& program) {
  std::vector<VerbDescription> all;
  describe_verb(program, "", all);
  return all;
}

std::string joined_by(const std::string& name, char separator) {
  std::string joined = name;
  std::replace(joined.begin(), joined.end(), ' ', separator);
  return joined;
}

std::string escaped(const std::string& text, const std::string& characters,
                    const std::string& escape) {
  std::string out;
  for (const char c : text) {
    if (characters.find(c) != std::string::npos) out += escape;
    out += c;
  }
  return out;
}

}  // namespace flyball::cli
