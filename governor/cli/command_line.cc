#include "governor/cli/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "env/config/yaml.h"
#include "governor/cli/terminal.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

/// "network show" of a verb within a verb.
std::string full_name(const CLI::App& parser) {
  const CLI::App* parent = parser.get_parent();
  const bool nested = parent != nullptr && parent->get_parent() != nullptr;
  return nested ? full_name(*parent) + ' ' + parser.get_name() : parser.get_name();
}

/// What comes before a verb's own name.
std::string prefix_of(const CLI::App& parser) {
  const std::string name = "flyball " + full_name(parser);
  return name.substr(0, name.size() - parser.get_name().size() - 1);
}

std::string help_of(const CLI::App* parser) {
  return parser ? fmt::format("see 'flyball {} --help'", full_name(*parser))
                : "see 'flyball --help'";
}

std::vector<const CLI::App*> verbs_of(const CLI::App& parser) {
  return parser.get_subcommands([](const CLI::App*) { return true; });
}

/// A verb in no group is for whoever builds the program, and shown to nobody.
std::vector<std::string> names_of(const std::vector<const CLI::App*>& verbs) {
  std::vector<std::string> names;
  for (const CLI::App* verb : verbs) {
    if (!verb->get_group().empty()) names.push_back(verb->get_name());
  }
  return names;
}

std::vector<std::string> option_names(const CLI::App& parser) {
  std::vector<std::string> names;
  for (const CLI::Option* option : parser.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

bool looks_like_option(const std::string& argument) {
  return argument.size() > 1 && argument[0] == '-' &&
         (argument[1] == '-' || std::isalpha(static_cast<unsigned char>(argument[1])));
}

void check_option(const CLI::App& parser, const CLI::App* verb, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  if (parser.get_option_no_throw(name)) return;
  const std::vector<std::string> known = option_names(parser);
  input_error(
      fmt::format("option '{}'", name),
      (verb ? fmt::format("'{}' has none of that name", full_name(*verb)) : "is not known here") +
          did_you_mean(name, known),
      fmt::format("use one of {}, or {}", joined(known), help_of(verb)));
}

/// No option and no argument has a use for an empty value: it comes of a variable that is not set.
void check_not_empty(const std::string& argument, const std::string& before) {
  const bool of_option = looks_like_option(before) && before.find('=') == std::string::npos;
  const bool assigned = looks_like_option(argument) && argument.back() == '=';
  if (!argument.empty() && !assigned) return;
  input_error(assigned    ? argument
              : of_option ? before + " ''"
                          : "argument ''",
              "is empty", "give it a value, or leave it out");
}

bool asks_for_help(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [](const char* argument) {
    return std::string_view(argument) == "--help" || std::string_view(argument) == "-h";
  });
}

/// How many arguments that are not of an option a verb takes.
int positionals_of(const CLI::App& parser) {
  constexpr int kMost = 1'000'000;
  int sum = 0;
  for (const CLI::Option* option : parser.get_options()) {
    if (option->get_positional()) sum += std::min(kMost, option->get_items_expected_max());
  }
  return sum;
}

/// CLI11 reports what it met first, which is seldom what the user got wrong. Verbs and options are
/// checked before it runs.
const CLI::App* check_names(const CLI::App& program, int argc, char** argv) {
  const CLI::App* verb = nullptr;
  for (int i = 1; i < argc; ++i) check_not_empty(argv[i], i > 1 ? argv[i - 1] : "");
  const bool helps = asks_for_help(argc, argv);
  int values = 0;       // that the option before may still have
  std::string needing;  // the option whose value comes next
  int positionals = 0;
  const auto check_value = [&] {
    if (needing.empty()) return;
    input_error(needing, "needs a value", "write it after the option; " + help_of(verb));
  };
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--" || (verb && verb->get_prefix_command())) break;
    const CLI::App& parser = verb ? *verb : program;
    const std::string name = argument.substr(0, argument.find('='));
    const CLI::Option* option =
        looks_like_option(argument) ? parser.get_option_no_throw(name) : nullptr;
    if (option != nullptr) check_value();  // it is no value of the one before
    if (looks_like_option(argument)) check_option(parser, verb, argument);
    if (option != nullptr) {
      const bool assigned = name.size() < argument.size();
      values = option->get_items_expected_max() - (assigned ? 1 : 0);
      needing = !assigned && option->get_items_expected_min() > 0 ? name : "";
      continue;
    }
    needing.clear();
    if (values > 0) {
      --values;
      continue;
    }
    const std::vector<const CLI::App*> within = verbs_of(verb ? *verb : program);
    if (within.empty()) {  // a positional argument
      if (!helps && ++positionals > positionals_of(parser))
        input_error(fmt::format("'{}'", argument), "is more than the verb takes",
                    "leave it out; " + help_of(verb));
      continue;
    }
    const auto found = std::find_if(within.begin(), within.end(), [&](const CLI::App* each) {
      return each->get_name() == argument;
    });
    if (found == within.end()) {
      const std::vector<std::string> known = names_of(within);
      input_error(fmt::format("verb '{}{}'", verb ? full_name(*verb) + ' ' : "", argument),
                  "there is none of that name" + did_you_mean(argument, known),
                  fmt::format("use one of {}, or {}", joined(known), help_of(verb)));
    }
    verb = *found;
  }
  check_value();
  return verb;
}

[[noreturn]] void rethrow(const CLI::ParseError& error, const CLI::App* verb) {
  const std::string message = error.what();
  const std::string first = message.substr(0, message.find_first_of(": "));
  if (dynamic_cast<const CLI::RequiredError*>(&error)) {
    input_error(first, "is missing", "add it; " + help_of(verb));
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error)) {
    if (message.find("missing") != std::string::npos ||
        message.find("At least") != std::string::npos) {
      input_error(first, "needs a value", "write it after the option; " + help_of(verb));
    }
    input_error(first, "takes one value and was given more", "give it once; " + help_of(verb));
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    const std::size_t last = message.rfind(": ");
    input_error(fmt::format("'{}'", last == std::string::npos ? message : message.substr(last + 2)),
                "is more than the verb takes", "leave it out; " + help_of(verb));
  }
  input_error("command line", message, help_of(verb));
}

}  // namespace

const Verb* parse_command_line(CLI::App& program, const std::vector<Verb>& verbs, int argc,
                               char** argv) {
  if (argc <= 1) {  // the overview that somebody who types the name alone is after
    write_result(program.help());
    return nullptr;
  }
  const CLI::App* named = check_names(program, argc, argv);
  try {
    program.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    write_result(named ? named->help(prefix_of(*named)) : program.help());
    return nullptr;
  } catch (const CLI::CallForVersion& version) {
    write_result(fmt::format("{}\n", version.what()));
    return nullptr;
  } catch (const CLI::ParseError& error) {
    rethrow(error, named);
  }
  for (const Verb& verb : verbs) {
    if (verb.parser->parsed()) return &verb;
  }
  const std::string what = named ? fmt::format("verb '{}'", named->get_name()) : "command line";
  input_error(what, named ? "it needs one of its own" : "no verb was given",
              fmt::format("use one of {}, or {}",
                          joined(names_of(verbs_of(named ? *named : program))), help_of(named)));
}

}  // namespace flyball::cli
