#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "governor/cli/terminal.h"
#include "governor/cli/views/status_report.h"

namespace flyball::cli {

/// What was counted since the look before; NaN where nobody counts, or it is not ours to know.
struct TopCounters {
  double ipc = kUnknown;
  double misses_per_1000 = kUnknown;  ///< cache misses per 1000 instructions
};

/// The picture of `flyball top`.
struct TopPicture {
  StatusShown shown;
  std::vector<StatusSecond> seconds;
  std::optional<PlainDecision> last;
  std::array<TopCounters, kMaxClusters> counters{};
  bool counters_denied = false;
  bool keys = false;    ///< are read
  bool legend = false;  ///< is asked for
};

/// Lines no wider than the terminal.
std::vector<std::string> top_block(const TopPicture& picture, const Terminal& terminal);
/// The same in one line, for a file or a pipe.
std::string top_line(const TopPicture& picture);

}  // namespace flyball::cli
