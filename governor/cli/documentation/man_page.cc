#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "governor/cli/documentation/program_description.h"

namespace flyball::cli {
namespace {

/// As text: a hyphen that can be copied, and no line that is a request.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
      out += c;
    }
  }
  return out;
}

std::string man_name(const std::string& verb) {
  return verb.empty() ? "flyball" : "flyball-" + joined_by(verb, '-');
}

std::string man_synopsis(const VerbDescription& verb) {
  std::string text = ".B flyball";
  if (!verb.name.empty()) text += " " + roff(verb.name);
  text += "\n";
  if (!verb.verbs.empty()) return text + ".I VERB\n.RI [ options ]\n";
  text += ".RI [ options ]\n";
  for (const OptionDescription& option : verb.options) {
    if (!option.positional) continue;
    text += option.required ? fmt::format(".I {}\n", roff(option.names[0]))
                            : fmt::format(".RI [ {} ]\n", roff(option.names[0]));
  }
  return text;
}

std::string man_options(const VerbDescription& verb, bool positional) {
  std::string text;
  for (const OptionDescription& option : verb.options) {
    if (option.positional != positional) continue;
    std::string names;
    for (const std::string& name : option.names)
      names += (names.empty() ? "" : ", ") + fmt::format("\\fB{}\\fR", roff(name));
    if (positional) names = fmt::format("\\fI{}\\fR", roff(option.names[0]));
    if (!positional && !option.value.empty())
      names += fmt::format(" \\fI{}\\fR", roff(option.value));
    text += fmt::format(".TP\n{}\n{}.{}\n", names, roff(option.help),
                        option.required ? " Required." : "");
  }
  return text;
}

/// The footer of --help: an example, what follows from it, and what the exit status says.
std::string man_footer(const std::string& footer, const std::string& standard_status) {
  std::string examples, notes, status;
  std::istringstream lines(footer);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kStatus = "Exit status: ";
    if (line.empty() || line == "Example:" || line == "Examples:") continue;
    if (line.starts_with(kStatus)) {
      status = line.substr(kStatus.size());
    } else if (line.starts_with("  ")) {
      examples += roff(line.substr(2)) + "\n";
    } else {
      notes += ".PP\n" + roff(line) + "\n";
    }
  }
  std::string text;
  if (!notes.empty()) text += ".SH NOTES\n" + notes.substr(4);
  if (!examples.empty()) text += ".SH EXAMPLES\n.nf\n" + examples + ".fi\n";
  return text + ".SH EXIT STATUS\n" + roff(status.empty() ? standard_status : status) + "\n";
}

std::string man_files(const std::string& verb) {
  if (verb != "run" && !verb.empty()) return "";
  return ".SH FILES\n.TP\n.I /etc/flyball/flyball.yaml\nSettings of\n.BR \"flyball run "
         "\\-\\-platform "
         "linux\" ,\neach explained where it stands.\n.TP\n.I /run/flyball\nWhat was changed of "
         "the "
         "machine, until it is given back, and the control socket.\n";
}

std::string man_see_also(const VerbDescription& verb) {
  std::vector<std::string> pages;
  for (const std::string& within : verb.verbs)
    pages.push_back(man_name(verb.name.empty() ? within : verb.name + ' ' + within));
  if (!verb.name.empty()) pages.push_back("flyball");
  std::string text = ".SH SEE ALSO\n";
  for (const std::string& page : pages)
    text += fmt::format(".BR {} (1){}\n", roff(page), page == pages.back() ? "" : ",");
  return text;
}

std::string man_page(const VerbDescription& verb, const std::vector<VerbDescription>& all,
                     const std::string& version) {
  std::string upper = man_name(verb.name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  std::string text =
      fmt::format(".TH {} 1 \"\" \"flyball {}\" \"Flyball\"\n", roff(upper), version);
  text += fmt::format(".SH NAME\n{} \\- {}\n", roff(man_name(verb.name)), roff(verb.summary));
  text += ".SH SYNOPSIS\n" + man_synopsis(verb);
  text += fmt::format(".SH DESCRIPTION\n{}.\n",
                      roff(verb.summary.substr(0, verb.summary.find_last_not_of('.') + 1)));
  if (!verb.verbs.empty()) {
    text += ".SH VERBS\n";
    for (const std::string& name : verb.verbs) {
      const std::string whole = verb.name.empty() ? name : verb.name + ' ' + name;
      const auto found = std::find_if(all.begin(), all.end(),
                                      [&](const auto& each) { return each.name == whole; });
      text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(name), roff(found->summary));
    }
  }
  if (const std::string words = man_options(verb, true); !words.empty())
    text += ".SH ARGUMENTS\n" + words;
  if (const std::string options = man_options(verb, false); !options.empty())
    text += ".SH OPTIONS\n" + options;
  return text +
         man_footer(verb.footer, "0 done, 1 failed or only in part, 2 wrong use or bad input.") +
         man_files(verb.name) + man_see_also(verb);
}

}  // namespace

std::vector<DocumentationFile> man_pages(const std::vector<VerbDescription>& verbs,
                                         const std::string& version) {
  std::vector<DocumentationFile> pages;
  for (const VerbDescription& verb : verbs)
    pages.push_back({"man/man1/" + man_name(verb.name) + ".1", man_page(verb, verbs, version)});
  return pages;
}

}  // namespace flyball::cli
