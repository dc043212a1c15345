#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace flyball::cli {

/// What may be written after an option, or in a positional's place.
struct ValueChoice {
  std::vector<std::string> words;  ///< that are known
  bool files = false, folders = false;
  bool list = false;  ///< several of the words, with commas between them
};

struct OptionDescription {
  std::vector<std::string> names;  ///< "-h", "--help"; of a positional "FILE"
  std::string value;               ///< "FILE"; empty: a flag
  std::string help;
  bool required = false, positional = false;
  ValueChoice choice;
};

struct VerbDescription {
  std::string name;  ///< "run", "network show"; empty: the program itself
  std::string summary, footer;
  std::vector<OptionDescription> options;
  std::vector<std::string> verbs;  ///< within it
};

/// The program first, then every verb that is shown, those within verbs after them: as the parser
/// has them, so that what is made from it never lags behind.
std::vector<VerbDescription> describe_program(const CLI::App& program);

/// A file, and the text for it.
struct DocumentationFile {
  std::string path;  ///< below the folder "share"
  std::string text;
};
std::vector<DocumentationFile> man_pages(const std::vector<VerbDescription>& verbs,
                                         const std::string& version);
DocumentationFile bash_completion(const std::vector<VerbDescription>& verbs);
DocumentationFile zsh_completion(const std::vector<VerbDescription>& verbs);
DocumentationFile fish_completion(const std::vector<VerbDescription>& verbs);

/// "policy_x" of "policy x" and the like: a name that shells and files take.
std::string joined_by(const std::string& name, char separator);
/// The text with `escape` before each of `characters`.
std::string escaped(const std::string& text, const std::string& characters,
                    const std::string& escape);

}  // namespace flyball::cli
