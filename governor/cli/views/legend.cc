#include "governor/cli/views/legend.h"

#include <fmt/format.h>

#include <sstream>
#include <utility>

#include "governor/cli/terminal.h"

namespace flyball::cli {
namespace {

constexpr int kWord = 12;  // columns of the words on the left

/// "2 cores of cpu" of "cpux2".
std::string cores_text(const PlatformSpec& platform, const Mapping& mapping) {
  std::string text;
  for (std::size_t c = 0; c < platform.clusters.size(); ++c) {
    if (mapping.cores[c] == 0) continue;
    if (!text.empty()) text += " and ";
    text += fmt::format("{} core{} of cluster {}", mapping.cores[c],
                        mapping.cores[c] == 1 ? "" : "s", platform.clusters[c].name);
  }
  return text;
}

}  // namespace

std::vector<std::string> legend(const PlatformSpec& platform, int columns) {
  std::vector<std::pair<std::string, std::string>> words;
  if (!platform.mappings.empty()) {
    const Mapping& mapping = platform.mappings.back();
    words.emplace_back(mapping.name, "the job runs on " + cores_text(platform, mapping));
  }
  words.emplace_back("width",
                     "share of the network's channels that runs; int8: in 8-bit arithmetic");
  words.emplace_back("demand",
                     "least time the job can take, as a share of the time until it is due");
  words.emplace_back("slack", "the rest of that time");
  words.emplace_back("floor", "accuracy that is asked for at least, in %");
  words.emplace_back("throttled", "heat held the clock below its highest since the last look");
  words.emplace_back("infeasible", "no setting of the knobs could have met that deadline");
  words.emplace_back("spread", "of a profile: half from first to last decile, in % of the median");
  words.emplace_back("..._x", "in a scenario: times what the job takes at full speed");
  std::vector<std::string> lines;
  for (const auto& [word, meaning] : words) {
    std::istringstream each(wrapped(meaning, columns - kWord - 3));
    std::string margin = fmt::format("  {:<{}} ", word, kWord);
    for (std::string line; std::getline(each, line); margin.assign(margin.size(), ' '))
      lines.push_back(margin + line);
  }
  return lines;
}

}  // namespace flyball::cli
