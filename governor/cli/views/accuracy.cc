#include "governor/cli/views/accuracy.h"

#include <fmt/format.h>

#include <set>
#include <utility>
#include <vector>

#include "kernels/base/error.h"
#include "env/config/yaml.h"
#include "governor/cli/options.h"

namespace flyball::cli {

std::vector<std::string> accuracy_notes(const AppProfile& app) {
  if (app.plain_load || app.highest_accuracy_pct() == 0) return {};  // a task of plain load
  std::vector<std::pair<std::string, std::vector<std::string>>> by_source;
  for (int l = 0; l < app.level_count(); ++l) {
    const LevelProfile& level = app.levels[static_cast<std::size_t>(l)];
    const std::string figure = fmt::format("{:.4g} % at {}", level.accuracy_pct, app.level_text(l));
    if (by_source.empty() || by_source.back().first != level.accuracy_source) {
      by_source.push_back({level.accuracy_source, {}});
    }
    by_source.back().second.push_back(figure);
  }
  std::vector<std::string> notes;
  for (const auto& [source, figures] : by_source) {
    notes.push_back(
        fmt::format("Accuracy of {}: {} ({}).", app.name, joined(figures),
                    source.empty() ? "source not stated in the platform file" : source));
  }
  return notes;
}

std::vector<std::string> accuracy_notes(const PlatformSpec& platform, const Scenario& scenario) {
  std::vector<std::string> notes;
  std::set<int> seen;
  for (const AppSpec& app : scenario.apps) {
    // Of one that came over the channel the platform knows nothing.
    if (app.profile < 0 || !seen.insert(app.profile).second) continue;
    for (std::string& note : accuracy_notes(platform.apps[app.profile]))
      notes.push_back(std::move(note));
  }
  return notes;
}

int find_app_or_throw(const PlatformSpec& platform, const std::string& name) {
  const int index = platform.find_app(name);
  if (index >= 0) return index;
  std::vector<std::string> known;
  for (const AppProfile& app : platform.apps) known.push_back(app.name);
  input_error(fmt::format("application '{}'", name),
              fmt::format("platform '{}' has none of that name{}", platform.name,
                          did_you_mean(name, known)),
              "use one of " + joined(known));
}

}  // namespace flyball::cli
