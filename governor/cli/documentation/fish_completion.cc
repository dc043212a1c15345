#include <fmt/format.h>
#include <fmt/ranges.h>

#include "governor/cli/documentation/program_description.h"

namespace flyball::cli {
namespace {

std::string fish_quoted(const std::string& text) { return "'" + escaped(text, "'\\", "\\") + "'"; }

std::string fish_value(const OptionDescription& option) {
  if (option.value.empty()) return "";
  const ValueChoice& choice = option.choice;
  std::string text = choice.files || choice.folders ? " -r -F" : " -x";
  if (choice.words.empty()) return text;
  const std::string words = fmt::format("{}", fmt::join(choice.words, " "));
  return text + " -a " +
         fish_quoted(choice.list ? fmt::format("(__fish_append , {})", words) : words);
}

}  // namespace

DocumentationFile fish_completion(const std::vector<VerbDescription>& verbs) {
  std::string names, lines;
  for (const VerbDescription& verb : verbs) {
    if (!verb.name.empty()) names += " " + fish_quoted(verb.name);
    const std::string at = fmt::format("complete -c flyball -n {}",
                                       fish_quoted("__flyball_at " + fish_quoted(verb.name)));
    for (const std::string& within : verb.verbs) {
      const std::string whole = verb.name.empty() ? within : verb.name + ' ' + within;
      for (const VerbDescription& each : verbs) {
        if (each.name == whole)
          lines += fmt::format("{} -a {} -d {}\n", at, within, fish_quoted(each.summary));
      }
    }
    for (const OptionDescription& option : verb.options) {
      std::string flags;
      for (auto name = option.names.rbegin(); name != option.names.rend(); ++name) {
        if (!option.positional)
          flags += name->starts_with("--") ? " -l " + name->substr(2) : " -s " + name->substr(1);
      }
      if (!option.positional || option.choice.files || !option.choice.words.empty())
        lines += at + flags +
                 (option.positional ? fish_value(option).substr(3) : fish_value(option)) + " -d " +
                 fish_quoted(option.help) + "\n";
    }
  }
  return {"fish/vendor_completions.d/flyball.fish",
          "# Completion of flyball for fish, made from its own options by the build.\n"
          "function __flyball_at\n    set -l verb\n    for word in (commandline -opc)[2..-1]\n"
          "        if contains -- (string join -- ' ' $verb $word)" +
              names +
              "\n            set -a verb $word\n        end\n    end\n"
              "    test (string join -- ' ' x $verb) = (string trim \"x $argv[1]\")\nend\n\n"
              "complete -c flyball -f\n" +
              lines};
}

}  // namespace flyball::cli
