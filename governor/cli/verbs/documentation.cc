#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "governor/cli/documentation/program_description.h"
#include "governor/cli/options.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {

Verb add_documentation(CLI::App& program) {
  auto folder = std::make_shared<std::string>();
  CLI::App* parser = program.add_subcommand(
      "documentation", "Write the man pages and the completions for shells, as for /usr/share");
  parser->group("");  // for the build
  parser->add_option("DIR", *folder, "The folder for them")->required();
  return {parser, [folder, &program] {
            const std::vector<VerbDescription> verbs = describe_program(program);
            std::vector<DocumentationFile> files = man_pages(verbs, FLYBALL_VERSION);
            for (const DocumentationFile& file :
                 {bash_completion(verbs), zsh_completion(verbs), fish_completion(verbs)})
              files.push_back(file);
            for (const DocumentationFile& file : files) {
              const std::string path = *folder + "/" + file.path;
              make_output_folder("DIR " + *folder,
                                 std::filesystem::path(path).parent_path().string());
              write_file_atomically(path, file.text);
            }
            return 0;
          }};
}

}  // namespace flyball::cli
