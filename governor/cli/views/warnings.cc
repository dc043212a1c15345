#include "governor/cli/views/warnings.h"

#include <unistd.h>

#include "governor/cli/terminal.h"

namespace flyball::cli {

std::vector<std::string> warnings_of(const PlatformSpec& platform,
                                     const std::vector<Scenario>& scenarios) {
  std::vector<std::string> all = platform.warnings;
  for (const Scenario& scenario : scenarios)
    all.insert(all.end(), scenario.warnings.begin(), scenario.warnings.end());
  return all;
}

void show_warnings(const std::vector<std::string>& warnings) {
  const int columns = Terminal::of(STDERR_FILENO).columns;
  for (const std::string& warning : warnings)
    write_note(wrapped("Warning: " + warning, columns, 2));
}

}  // namespace flyball::cli
