#include "governor/cli/command_line.h"

#include <fmt/format.h>

#include <cctype>

#include "env/config/error.h"
#include "env/config/yaml.h"
#include "governor/cli/terminal.h"

namespace flyball::cli {
namespace {

std::string help_of(const CLI::App* parser) {
  return parser ? fmt::format("see 'flyball {} --help'", parser->get_name())
                : "see 'flyball --help'";
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
      (verb ? fmt::format("'{}' has none of that name", verb->get_name()) : "is not known here") +
          did_you_mean(name, known),
      fmt::format("use one of {}, or {}", joined(known), help_of(verb)));
}

/// CLI11 reports what it met first, which is seldom what the user got wrong. Verbs and options are
/// checked before it runs.
const CLI::App* check_names(const CLI::App& program, const std::vector<Verb>& verbs, int argc,
                            char** argv) {
  const CLI::App* verb = nullptr;
  std::vector<std::string> known;
  for (const Verb& v : verbs) known.push_back(v.parser->get_name());
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--") break;
    if (looks_like_option(argument)) {
      check_option(verb ? *verb : program, verb, argument);
    } else if (!verb) {
      for (const Verb& v : verbs) {
        if (v.parser->get_name() == argument) verb = v.parser;
      }
      if (!verb) {
        input_error(fmt::format("verb '{}'", argument),
                    "there is none of that name" + did_you_mean(argument, known),
                    fmt::format("use one of {}, or see 'flyball --help'", joined(known)));
      }
    }
  }
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
  const CLI::App* named = check_names(program, verbs, argc, argv);
  try {
    program.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    write_result(named ? named->help("flyball") : program.help());
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
  std::vector<std::string> known;
  for (const Verb& verb : verbs) known.push_back(verb.parser->get_name());
  input_error("command line", "no verb was given",
              fmt::format("use one of {}, or see 'flyball --help'", joined(known)));
}

}  // namespace flyball::cli
