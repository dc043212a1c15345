#include "governor/cli/verbs/compared_cell.h"

#include <fmt/format.h>

#include "env/config/yaml.h"
#include "env/model/declared.h"
#include "env/scenario/plain_tasks.h"
#include "governor/cli/views/accuracy.h"
#include "governor/cli/views/warnings.h"
#include "governor/replay/recorded_tasks.h"
#include "kernels/base/hash.h"
#include "kernels/base/whole_file.h"

namespace flyball::cli {
namespace {

/// The bytes of a file that was read; nothing of one that was not.
void add_file(Fnv1a& hash, const std::string& path) {
  constexpr std::size_t kMaxBytes = 64 << 20;
  std::string bytes;
  read_whole_file(path, kMaxBytes, bytes);
  hash.add(bytes);
}

/// Of all that runs depend on beside what a comparison's own options say.
std::string inputs_of(const CellSources& sources, const std::string& platform,
                      const std::string& scenario, const LoadedCell& cell) {
  Fnv1a hash;
  add_file(hash, find_config("platforms", platform));
  if (!scenario.empty())
    add_file(hash, scenario.ends_with(".json") ? scenario : find_config("scenarios", scenario));
  for (const std::string& file : cell.recorded.files) add_file(hash, file);
  if (!sources.belief.empty()) add_file(hash, find_config("platforms", sources.belief));
  for (const PlatformSpec* spec : {&cell.governed.spec, &cell.belief.mean}) {
    hash.add(spec->content_hash);
    for (const AppProfile& app : spec->apps) {
      hash.add(app.content_hash);
      for (const LevelProfile& level : app.levels) hash.add(level.accuracy_pct);
    }
  }
  hash.add(cell.governed.times_hash);
  for (const PolicyChoice& choice : cell.choices) {
    hash.add(choice.policy);
    hash.add(std::string_view(reinterpret_cast<const char*>(choice.learned.data()),
                              choice.learned.size()));
    hash.add(choice.as_prior ? 1 : 0);
  }
  return fmt::format("{:016x}", hash.value());
}

}  // namespace

std::unique_ptr<LoadedCell> load_cell(const CellSources& sources,
                                      const std::vector<ComparedPolicy>& policies,
                                      ComparedRecords& records, const std::string& platform,
                                      const std::string& scenario, CellContext& context) {
  using Others = ComparedRecords::Others;
  auto cell = std::make_unique<LoadedCell>();
  cell->governed = load_governed_platform(platform, sources.profile);
  cell->belief = load_belief(sources.belief, cell->governed);
  PlatformSpec& spec = cell->governed.spec;
  context.platform = spec.name;
  context.profile = cell->governed.profile;
  context.belief = sources.belief;
  const bool simulated = records.runs.empty() || records.others != Others::kNone;
  const bool loads = records.runs.empty() || records.loads_scenario;
  if (loads) {
    add_task_profiles(scenario, spec);
    add_task_profiles(scenario, cell->belief.mean);
    cell->scenario = load_scenario(scenario, as_declared(spec, cell->belief));
  } else if (records.others == Others::kOwnWorkload) {
    const std::vector<PlainTask> tasks = recorded_tasks(records.runs.front().file, spec);
    add_task_profiles(tasks, spec);
    add_task_profiles(tasks, cell->belief.mean);
  } else {
    cell->scenario.name = scenario;
  }
  if (!records.runs.empty())
    cell->recorded =
        records.load(as_declared(spec, cell->belief), cell->belief, cell->scenario, context);
  context.scenario = cell->scenario.name;
  context.plain_load = cell->scenario.plain_load;
  context.energy_wanted = energy_is_wanted(cell->scenario);
  cell->choices = starting_choices(policies, sources.policy_files, sources.priors, cell->belief,
                                   cell->governed.times_hash, context, cell->differs);
  if (simulated) context.warnings = warnings_of(spec, {cell->scenario});
  context.footnotes = accuracy_notes(spec, cell->scenario);
  context.footnotes.insert(context.footnotes.end(), cell->governed.notes.begin(),
                           cell->governed.notes.end());
  context.inputs = inputs_of(sources, platform, loads ? scenario : "", *cell);
  return cell;
}

}  // namespace flyball::cli
