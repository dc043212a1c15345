#include "governor/cli/views/warnings.h"

#include <unistd.h>

#include <algorithm>

#include "governor/cli/terminal.h"

namespace flyball::cli {

std::vector<std::string> warnings_of(const PlatformSpec& platform, const std::vector<Scenario>& scenarios) {
  std::vector<std::string> all = platform.warnings;
  for (const Scenario& scenario : scenarios)
    all.insert(all.end(), scenario.warnings.begin(), scenario.warnings.end());
  return all;
}

std::vector<std::string> warnings_of(const MatrixResults& results) {
  std::vector<std::string> all;
  for (const CellContext& cell : results.cells)
    for (const std::string& one : cell.warnings)
      if (std::ranges::find(all, one) == all.end()) all.push_back(one);
  return all;
}

void show_warnings(const std::vector<std::string>& warnings) {
  const int columns = Terminal::of(STDERR_FILENO).columns;
  for (const std::string& warning : warnings)
    write_note(wrapped("Warning: " + warning, columns, 2));
}

}  // namespace flyball::cli
