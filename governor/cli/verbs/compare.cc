#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "agents/agent.h"
#include "env/config/yaml.h"
#include "env/model/declared.h"
#include "env/scenario/plain_tasks.h"
#include "governor/cli/build_id.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/compared_policies.h"
#include "governor/cli/verbs/compared_records.h"
#include "governor/cli/views/accuracy.h"
#include "governor/cli/views/comparison_report.h"
#include "governor/cli/views/warnings.h"
#include "governor/compare/matrix.h"
#include "governor/compare/matrix_file.h"
#include "governor/machine/governed_platform.h"
#include "kernels/base/error.h"
#include "kernels/base/hash.h"
#include "kernels/base/output_file.h"
#include "kernels/base/whole_file.h"

namespace flyball::cli {
namespace {

struct CompareVerb {
  std::vector<std::string> platforms, scenarios;
  std::string profile;
  std::vector<std::string> policies = {"performance", "schedutil",  "ondemand",    "rule",
                                       "prime",       "q_learning", "static_best", "oracle"};
  FilesByPolicy policy_files, priors;
  std::string belief;
  int seeds = 10;
  std::uint64_t first_seed = 1;
  std::string against;
  bool search = false;
  std::optional<bool> times;
  std::string resume;
  std::optional<Shard> shard;
  int threads = 0;  ///< 0: all cores
  ComparisonOutput output;
  bool check = false;
  bool seeds_asked = false;
};

/// A platform with a scenario, as loaded.
struct LoadedCell {
  GovernedPlatform governed;
  Belief belief;
  Scenario scenario;
  std::vector<PolicyChoice> choices;
  std::optional<ComparedRecord> record;
};

/// The bytes of a file that was read; nothing of one that was not.
void add_file(Fnv1a& hash, const std::string& path) {
  constexpr std::size_t kMaxBytes = 64 << 20;
  std::string bytes;
  read_whole_file(path, kMaxBytes, bytes);
  hash.add(bytes);
}

/// Of all that runs depend on beside what a comparison's own options say.
std::string inputs_of(const CompareVerb& verb, const std::string& platform,
                      const std::string& scenario, const LoadedCell& cell) {
  Fnv1a hash;
  add_file(hash, find_config("platforms", platform));
  if (!scenario.empty())
    add_file(hash, scenario.ends_with(".json") ? scenario : find_config("scenarios", scenario));
  if (cell.record) add_file(hash, cell.record->file);
  if (!verb.belief.empty()) add_file(hash, find_config("platforms", verb.belief));
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

std::unique_ptr<LoadedCell> load_cell(const CompareVerb& verb,
                                      const std::vector<ComparedPolicy>& policies,
                                      const std::string& platform, const std::string& scenario,
                                      CellContext& context) {
  auto cell = std::make_unique<LoadedCell>();
  cell->governed = load_governed_platform(platform, verb.profile);
  cell->belief = load_belief(verb.belief, cell->governed);
  const PlatformSpec& spec = cell->governed.spec;
  // With a recorded run among the policies there need not be a scenario: it has one.
  const bool own_workload = scenario.empty();
  if (!own_workload) {
    add_task_profiles(scenario, cell->governed.spec);
    add_task_profiles(scenario, cell->belief.mean);
    cell->scenario = load_scenario(scenario, as_declared(spec, cell->belief));
  }
  if (record_among(policies) != nullptr)
    cell->record = load_compared_record(policies, as_declared(spec, cell->belief), cell->belief,
                                        own_workload, cell->scenario, context);
  context.platform = spec.name;
  context.scenario = cell->scenario.name;
  context.profile = cell->governed.profile;
  context.belief = verb.belief;
  context.plain_load = cell->scenario.plain_load;
  context.energy_wanted = energy_is_wanted(cell->scenario);
  cell->choices = starting_choices(policies, verb.policy_files, verb.priors, cell->belief,
                                   cell->governed.times_hash, context);
  context.warnings = warnings_of(spec, {cell->scenario});
  context.footnotes = accuracy_notes(spec, cell->scenario);
  context.footnotes.insert(context.footnotes.end(), cell->governed.notes.begin(),
                           cell->governed.notes.end());
  context.inputs = inputs_of(verb, platform, scenario, *cell);
  return cell;
}

void check_distinct_cells(const std::vector<CellContext>& cells) {
  for (std::size_t c = 0; c < cells.size(); ++c) {
    for (std::size_t other = 0; other < c; ++other) {
      if (cells[c].platform == cells[other].platform && cells[c].scenario == cells[other].scenario)
        input_error(fmt::format("{} on {}", cells[c].scenario, cells[c].platform),
                    "two of the files have these names, and results could not be told apart",
                    "rename one in its file");
    }
  }
}

/// What of the shard is left to run.
std::vector<MatrixCell> cells_to_run(const CompareVerb& verb, const MatrixResults& results,
                                     const std::vector<std::unique_ptr<LoadedCell>>& loaded) {
  std::vector<MatrixCell> cells;
  for (std::size_t c = 0; c < loaded.size(); ++c) {
    MatrixCell& cell = cells.emplace_back();
    cell.platform = &loaded[c]->governed.spec;
    cell.scenario = &loaded[c]->scenario;
    cell.options.policies = loaded[c]->choices;
    cell.options.belief = &loaded[c]->belief;
    cell.options.believes_truth = verb.belief.empty();
    cell.options.search = verb.search;
    cell.options.static_best = results.cells[c].static_best;
    cell.options.seeds = verb.seeds;
    cell.options.first_seed = results.first_seed;
    const std::size_t first = c * static_cast<std::size_t>(verb.seeds);
    for (std::size_t s = 0; s < static_cast<std::size_t>(verb.seeds); ++s)
      if (results.shard.has(first + s) && !results.seeds_done.contains({c, s}))
        cell.seeds.push_back(s);
  }
  return cells;
}

/// Runs what is left of it.
void run_cells(const CompareVerb& verb, const std::vector<std::unique_ptr<LoadedCell>>& loaded,
               MatrixState* state, const std::atomic<bool>& stop, MatrixResults& results) {
  Progress bar(results.cells.size() == 1
                   ? fmt::format("{} on {}", results.cells[0].scenario, results.cells[0].platform)
                   : fmt::format("{} comparisons", results.cells.size()));
  const double before = static_cast<double>(results.seeds_done.size()) /
                        static_cast<double>(std::max<std::size_t>(1, results.units_of_shard()));
  MatrixProgress progress;
  progress.done = [&](double done) { bar.update(before + (1 - before) * done); };
  progress.on_prepared = [&](std::size_t c, const Contest& contest) {
    CellContext& cell = results.cells[c];
    if (cell.prepared) return;
    cell.prepared = true;
    cell.agents = contest.agents();
    if (const auto& record = loaded[c]->record)
      cell.agents.insert(cell.agents.begin() + static_cast<std::ptrdiff_t>(record->index),
                         record->info.policy);
    cell.static_best = contest.static_best();
    cell.no_bound_reason = contest.why_no_bound();
    if (state != nullptr) state->add_cell(results, c);
  };
  const auto shows = [&](const MetricField& field) {
    if (!field.measured) return true;
    // Unless somebody asks, one measured time is enough in what else is repeatable.
    return results.times &&
           (field.key == "decide_p50_ns" || verb.times.value_or(false) ||
            std::ranges::find(verb.output.columns, &field) != verb.output.columns.end());
  };
  progress.on_seed = [&](std::size_t c, std::size_t seed, SeedFigures figures) {
    if (const auto& record = loaded[c]->record)
      figures.policies.insert(figures.policies.begin() + static_cast<std::ptrdiff_t>(record->index),
                              record->metrics);
    for (Metrics& metrics : figures.policies)
      for (const MetricField& field : metric_fields())
        if (!shows(field)) metrics.*field.value = Metrics::kAbsent;
    if (state != nullptr) state->add_seed(c, seed, figures);
    results.seeds_done[{c, seed}] = std::move(figures);
  };
  const unsigned threads = verb.threads > 0 ? static_cast<unsigned>(verb.threads)
                                            : std::max(1u, std::thread::hardware_concurrency());
  run_matrix(cells_to_run(verb, results, loaded), threads, &stop, progress);
  bar.stop();
}

/// After what there is was printed.
[[noreturn]] void interrupted(const CompareVerb& verb, const MatrixResults& results) {
  if (results.seeds_done.empty() && verb.resume.empty())
    failure("compare", "interrupted before every run was done", "run it again");
  failure("compare",
          fmt::format("interrupted after {} of {} seeds", results.seeds_done.size(),
                      results.units_of_shard()),
          verb.resume.empty() ? "run it again; with --resume FILE it would go on"
                              : "run it again, and it goes on");
}

/// A run is one seed of one scenario on one platform, and is there once.
void check_with_record(const CompareVerb& verb, const ComparedPolicy& record) {
  const auto refuse = [&](const std::string& what, const std::string& why) {
    input_error(what,
                fmt::format("the recorded run {} is among the policies, and {}", record.file, why),
                "leave one of the two out");
  };
  if (verb.platforms.size() > 1) refuse("--platform", "was on one platform");
  if (verb.scenarios.size() > 1) refuse("--scenario", "was of one scenario");
  if (verb.seeds_asked) refuse("--seeds, --seed", "was of one seed");
  if (verb.shard) refuse("--shard", "is not run in parts");
  if (!verb.resume.empty()) refuse("--resume", "is not run again");
  if (verb.policies.size() == 1 && verb.policies[0].find(',') == std::string::npos)
    refuse("--policies", "there is nothing to compare it with");
}

int run_compare(CompareVerb verb) {
  check_comparison_output(verb.output);
  check_distinct({{"--resume " + verb.resume, verb.resume},
                  {"--csv " + verb.output.csv, verb.output.csv == "-" ? "" : verb.output.csv}});
  const std::vector<ComparedPolicy> policies = parse_compared(verb.policies);
  MatrixResults results;
  results.build = fmt::format("{} {}", FLYBALL_VERSION, kBuildId);
  for (const ComparedPolicy& policy : policies) results.policies.push_back(policy.label);
  check_requirements(verb.output.required, results.policies);
  results.against = verb.against.empty() ? results.policies.front() : verb.against;
  if (std::ranges::find(results.policies, results.against) == results.policies.end()) {
    input_error("--against " + verb.against, "it is not among the policies compared",
                "add it to --policies");
  }
  check_policy_files("--policy-file", verb.policy_files, policies);
  check_policy_files("--from", verb.priors, policies);
  // What it prints is JSON, whether that is asked for or not.
  if (verb.shard && (verb.output.markdown || !verb.output.csv.empty() ||
                     !verb.output.required.empty() || !verb.output.columns.empty()))
    input_error("--shard", "a part of the seeds has no result of its own",
                "give what is to be printed or required to 'flyball merge'");
  if (const ComparedPolicy* record = record_among(policies)) {
    check_with_record(verb, *record);
    verb.seeds = 1;
    verb.first_seed = read_recording(record->file, {}).info.seed;
    if (verb.scenarios.empty()) verb.scenarios = {""};
  } else if (verb.scenarios.empty()) {
    input_error("compare", "--scenario is required, since no policy is a recorded run",
                "add --scenario NAME; 'flyball list' shows them");
  }
  results.seeds = verb.seeds;
  results.first_seed = verb.first_seed;
  results.search = verb.search;
  results.shard = verb.shard.value_or(Shard{});
  std::vector<std::unique_ptr<LoadedCell>> loaded;
  for (const std::string& platform : verb.platforms)
    for (const std::string& scenario : verb.scenarios)
      loaded.push_back(load_cell(verb, policies, platform, scenario, results.cells.emplace_back()));
  check_distinct_cells(results.cells);
  // What is measured differs from run to run, so that it is left out of what is put together.
  results.times =
      verb.times.value_or(results.cells.size() == 1 && !verb.shard && verb.resume.empty());
  if (verb.check) return 0;
  std::optional<MatrixState> state;
  if (!verb.resume.empty()) state.emplace(verb.resume, results);

  show_warnings(warnings_of(results));
  const InterruptScope interrupt;
  run_cells(verb, loaded, state ? &*state : nullptr, interrupt.stop(), results);
  if (verb.shard && !results.complete()) interrupted(verb, results);
  if (verb.shard) {
    write_result(shard_text(results));
    return 0;
  }
  if (results.complete()) return report_comparison(results, verb.output);
  if (!results.seeds_done.empty()) report_comparison(results, verb.output);
  interrupted(verb, results);
}

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto index = std::from_chars(text.data(), end, shard.index);
  const bool slash = index.ec == std::errc() && index.ptr != end && *index.ptr == '/';
  const auto count = std::from_chars(slash ? index.ptr + 1 : end, end, shard.count);
  if (!slash || count.ec != std::errc() || count.ptr != end || shard.index < 1 ||
      shard.index > shard.count || shard.count > 100'000)
    input_error("--shard " + text, "is not of the form I/N with I from 1 to N",
                "write for example --shard 1/4");
  return shard;
}

/// Names or files, each option as often as one likes; a file may have commas in its name.
void places_option(CLI::App& parser, const std::string& flag, std::vector<std::string>& values,
                   const std::string& help, bool required) {
  parser
      .add_option_function<std::vector<std::string>>(
          flag,
          [flag, &values](const std::vector<std::string>& texts) {
            std::error_code ignored;
            for (const std::string& text : texts) {
              if (std::filesystem::is_regular_file(text, ignored)) {
                values.push_back(text);
                continue;
              }
              for (const std::string& name : split_names(flag, text)) values.push_back(name);
            }
            std::vector<std::string> sorted = values;
            std::ranges::sort(sorted);
            if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
              input_error(fmt::format("{} '{}'", flag, *twice), "is named twice", "name each once");
          },
          help)
      ->required(required)
      ->type_name("NAME|FILE[,...]")
      ->expected(1)
      ->take_all();
}

void files_option(CLI::App& parser, const std::string& flag, FilesByPolicy& files,
                  const std::string& help) {
  parser
      .add_option_function<std::vector<std::string>>(
          flag,
          [flag, &files](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) add_policy_file(flag, text, files);
          },
          help)
      ->type_name("NAME=FILE")
      ->expected(1)
      ->take_all();
}

}  // namespace

Verb add_compare(CLI::App& program) {
  auto verb = std::make_shared<CompareVerb>();
  CLI::App* parser = program.add_subcommand(
      "compare", "Run policies side by side in simulation, on the same seeds");
  places_option(*parser, "--platform", verb->platforms,
                "Platforms' names or files; each runs every scenario", true);
  places_option(
      *parser, "--scenario", verb->scenarios,
      "Scenarios' names or files; FILE.json is rt-app's. Required but beside a recorded run",
      false);
  profile_option(*parser, verb->profile);
  belief_option(*parser, verb->belief);
  parser
      ->add_option_function<std::vector<std::string>>(
          "--policies,--policy",
          [verb](const std::vector<std::string>& texts) { verb->policies = texts; },
          "What to compare: names, policy files, recorded runs, or NAME=FILE or NAME=POLICY under a "
          "name of its "
          "own "
          "(default: " +
              joined(verb->policies) + ")")
      ->type_name("NAME|FILE|NAME=FILE[,...]")
      ->expected(1)
      ->take_all();
  files_option(*parser, "--policy-file", verb->policy_files,
               "What a policy has learned; may be repeated, also for another platform");
  files_option(
      *parser, "--from", verb->priors,
      "The same of another platform, taken as a prior of what its clusters are alike; may be "
      "repeated");
  integer_option(*parser, "--seeds", verb->seeds, 1, 10000,
                 "How many seeds each policy runs (default 10)");
  seed_option(*parser, verb->first_seed, "The first of them (default 1)");
  parser
      ->add_option("--against", verb->against,
                   "The policy that the others are compared with seed by seed (default: the first)")
      ->type_name("POLICY");
  parser->add_flag("--bounds", verb->search,
                   "Look longer for the best schedule that gaps are to: try static_best and other "
                   "policies told the true board too, listed or not");
  parser
      ->add_option(
          "--resume", verb->resume,
          "Keep each seed in this file when it is done, and go on from those that are in it")
      ->type_name("FILE");
  parser
      ->add_option_function<std::string>(
          "--shard", [verb](const std::string& text) { verb->shard = parse_shard(text); },
          "Run one part of N of the seeds, and print it for 'flyball merge'")
      ->type_name("I/N");
  parser->add_flag_function(
      "--times,!--no-times", [verb](std::int64_t count) { verb->times = count > 0; },
      "With or without what is measured on this machine, which never is the same twice (default: "
      "with one platform and scenario, and neither --shard nor --resume)");
  integer_option(*parser, "--threads", verb->threads, 1, 4096,
                 "How many threads (default: as many as cores); results do not depend on it");
  add_comparison_output(*parser, verb->output);
  // For programs that run the parts and print the result by itself: what it would be refused for.
  parser->add_flag("--check", verb->check, "Check what was asked for, and do nothing")->group("");
  parser->footer(
      "Interrupted, it prints the seeds that are done, marked as partial, and ends with status 1.\n"
      "Example:\n  flyball compare --platform odroid_xu3 --scenario background --policies "
      "schedutil,q_learning,oracle\n"
      "  flyball compare --platform odroid_xu3,jetson_nano --scenario background,bursty --policies "
      "schedutil,mine=xu3.policy --resume runs.state\n"
      "A recorded run (one, FILE.flyrec) stands with the figures that it had. Without --scenario "
      "the\n"
      "others are simulated on its workload, as 'flyball replay' does, and a note says how far its "
      "own\n"
      "decisions come out otherwise there; with the very scenario that it is of, they run on its "
      "seed.\n"
      "It is one run: there are no intervals, and its gaps to bounds are absent.\n"
      "  flyball compare --platform odroid_xu3 --policies schedutil,q_learning,mine=run.flyrec");
  return {parser, [verb, parser] {
            verb->seeds_asked = parser->count("--seeds") + parser->count("--seed") > 0;
            return run_compare(*verb);
          }};
}

}  // namespace flyball::cli
