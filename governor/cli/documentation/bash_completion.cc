#include <fmt/format.h>
#include <fmt/ranges.h>

#include "governor/cli/documentation/program_description.h"

namespace flyball::cli {
namespace {

constexpr const char* kBashFunctions = R"sh(
_flyball() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= i words= kind=
  # bash takes --option=VALUE apart.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ " $_flyball_verbs " != *" ${verb:+$verb/}${COMP_WORDS[i]} "* ]] || verb=${verb:+$verb/}${COMP_WORDS[i]}
  done
  COMPREPLY=()
  if [[ $cur == -* ]]; then
    _flyball_options "$verb"
  elif [[ $prev == -* ]]; then
    _flyball_value "$verb" "$prev"
  fi
  [[ -n $words$kind ]] || _flyball_value "$verb" ''
  local before=
  if [[ $kind == *list* && $cur == *,* ]]; then
    before=${cur%,*}, cur=${cur##*,}
  fi
  mapfile -t COMPREPLY < <(
    compgen -P "$before" -W "$words" -- "$cur"
    [[ $kind != *file* ]] || compgen -f -- "$cur"
    [[ $kind != *folder* ]] || compgen -d -- "$cur"
  )
  [[ $kind != *file* && $kind != *folder* ]] || compopt -o filenames 2>/dev/null
  [[ $kind != *list* ]] || compopt -o nospace 2>/dev/null
}
complete -F _flyball flyball
)sh";

std::string bash_kind(const ValueChoice& choice) {
  return fmt::format("{}{}{}", choice.files ? "file " : "", choice.folders ? "folder " : "",
                     choice.list ? "list" : "");
}

std::string bash_values(const VerbDescription& verb) {
  const std::string at = joined_by(verb.name, '/');
  std::string text, kind, words = fmt::format("{}", fmt::join(verb.verbs, " "));
  for (const OptionDescription& option : verb.options) {
    if (option.value.empty()) continue;
    const std::string known = fmt::format("{}", fmt::join(option.choice.words, " "));
    if (option.positional) {
      words += ' ' + known;
      kind += bash_kind(option.choice);
      continue;
    }
    std::string names;
    for (const std::string& name : option.names)
      names += (names.empty() ? "" : "|") + fmt::format("'{} {}'", at, name);
    // What is not known stays the user's: there is nothing to offer, but that is said by 'none'.
    text += fmt::format("    {}) words='{}' kind='{}none' ;;\n", names, known,
                        bash_kind(option.choice));
  }
  return text + fmt::format("    '{} ') words='{}' kind='{}' ;;\n", at, words, kind);
}

}  // namespace

DocumentationFile bash_completion(const std::vector<VerbDescription>& verbs) {
  std::string names, options, values;
  for (const VerbDescription& verb : verbs) {
    const std::string at = joined_by(verb.name, '/');
    if (!verb.name.empty()) names += (names.empty() ? "" : " ") + at;
    std::string flags;
    for (const OptionDescription& option : verb.options) {
      if (!option.positional) flags += fmt::format("{} ", fmt::join(option.names, " "));
    }
    options += fmt::format("    '{}') words='{}' ;;\n", at, flags);
    values += bash_values(verb);
  }
  return {
      "bash-completion/completions/flyball",
      fmt::format("# Completion of flyball for bash, made from its own options by the build.\n"
                  "_flyball_verbs='{}'\n\n_flyball_options() {{\n  case \"$1\" in\n{}  esac\n}}\n\n"
                  "_flyball_value() {{\n  case \"$1 $2\" in\n{}  esac\n}}\n{}",
                  names, options, values, kBashFunctions)};
}

}  // namespace flyball::cli
