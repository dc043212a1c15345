#include <fmt/format.h>
#include <fmt/ranges.h>

#include "governor/cli/documentation/program_description.h"

namespace flyball::cli {
namespace {

/// Within single quotes.
std::string zsh_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string zsh_explained(const std::string& text) { return escaped(text, "[]:\\", "\\"); }

std::string zsh_action(const ValueChoice& choice) {
  const std::string words = fmt::format("{}", fmt::join(choice.words, " "));
  if (choice.list && !words.empty()) return "_values -s , name " + words;
  if (choice.files && !words.empty())
    return fmt::format("{{_alternative \"words:name:({})\" \"files:file:_files\"}}", words);
  if (choice.files) return "_files";
  if (choice.folders) return "_files -/";
  return words.empty() ? " " : "(" + words + ")";
}

std::string zsh_spec(const OptionDescription& option) {
  const std::string value =
      option.value.empty() ? ""
                           : ":" + zsh_explained(option.value) + ":" + zsh_action(option.choice);
  if (option.positional) return zsh_quoted(fmt::format(":{}", value));
  std::string text;
  for (const std::string& name : option.names) {
    const char* equals = !option.value.empty() && name.starts_with("--") ? "=" : "";
    if (!text.empty()) text += ' ';
    text += zsh_quoted(fmt::format("({}){}{}[{}]{}", fmt::join(option.names, " "), name, equals,
                                   zsh_explained(option.help), value));
  }
  return text;
}

std::string zsh_function(const VerbDescription& verb, const std::vector<VerbDescription>& all) {
  const std::string name = verb.name.empty() ? "" : "_" + joined_by(verb.name, '_');
  std::string text = fmt::format("_flyball{}() {{\n", name), specs;
  for (const OptionDescription& option : verb.options) {
    if (!option.positional || verb.verbs.empty()) specs += " \\\n    " + zsh_spec(option);
  }
  if (verb.verbs.empty()) return text + "  _arguments" + specs + "\n}\n\n";
  text += "  local curcontext=$curcontext state line\n  typeset -A opt_args\n  _arguments -C" +
          specs +
          " \\\n    '1:verb:->verb' '*::word:->words'\n  case $state in\n    verb)\n      local -a "
          "verbs=(";
  std::string cases;
  for (const std::string& within : verb.verbs) {
    const std::string whole = verb.name.empty() ? within : verb.name + ' ' + within;
    for (const VerbDescription& each : all) {
      if (each.name == whole)
        text += "\n        " + zsh_quoted(within + ":" + zsh_explained(each.summary));
    }
    cases += fmt::format("        {}) _flyball_{} ;;\n", within, joined_by(whole, '_'));
  }
  return text + ")\n      _describe verb verbs ;;\n    words)\n      case $words[1] in\n" + cases +
         "      esac ;;\n  esac\n}\n\n";
}

}  // namespace

DocumentationFile zsh_completion(const std::vector<VerbDescription>& verbs) {
  std::string text =
      "#compdef flyball\n# Completion of flyball for zsh, made from its own options by the "
      "build.\n\n";
  for (auto verb = verbs.rbegin(); verb != verbs.rend(); ++verb) text += zsh_function(*verb, verbs);
  return {"zsh/site-functions/_flyball", text + "_flyball \"$@\"\n"};
}

}  // namespace flyball::cli
