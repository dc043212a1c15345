#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "governor/cli/build_id.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/compare_options.h"
#include "governor/cli/verbs/compared_cell.h"
#include "governor/cli/views/comparison_report.h"
#include "governor/cli/views/warnings.h"
#include "governor/compare/matrix.h"
#include "governor/compare/matrix_file.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

struct CompareVerb {
  std::vector<std::string> platforms, scenarios;
  CellSources sources;
  std::vector<std::string> policies = {"performance", "schedutil",  "ondemand",    "rule",
                                       "prime",       "q_learning", "static_best", "oracle"};
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
    cell.options.believes_truth = verb.sources.belief.empty();
    cell.options.search = verb.search;
    cell.options.static_best = results.cells[c].static_best;
    cell.options.seeds = verb.seeds;
    cell.options.first_seed = results.first_seed;
    cell.options.seed_list = results.seed_list;
    const std::size_t first = c * static_cast<std::size_t>(verb.seeds);
    for (std::size_t s = 0; s < static_cast<std::size_t>(verb.seeds); ++s)
      if (results.shard.has(first + s) && !results.seeds_done.contains({c, s}))
        cell.seeds.push_back(s);
  }
  return cells;
}

/// Where all that is compared are recorded runs: nothing is run.
void take_recorded(const std::vector<std::unique_ptr<LoadedCell>>& loaded, MatrixResults& results,
                   const MatrixProgress& progress) {
  for (std::size_t c = 0; c < loaded.size(); ++c) {
    CellContext& cell = results.cells[c];
    cell.prepared = true;
    loaded[c]->recorded.put_agents(cell.agents);
    cell.no_bound_reason = "all are recorded runs, and nothing was simulated to hold them against";
    for (std::size_t s = 0; s < static_cast<std::size_t>(results.seeds); ++s)
      progress.on_seed(c, s, {});
  }
}

/// Runs what is left of it.
void run_cells(const CompareVerb& verb, const std::vector<std::unique_ptr<LoadedCell>>& loaded,
               bool only_records, MatrixState* state, const std::atomic<bool>& stop,
               MatrixResults& results) {
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
    loaded[c]->recorded.put_agents(cell.agents);
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
    loaded[c]->recorded.put_figures(seed, figures.policies);
    for (Metrics& metrics : figures.policies)
      for (const MetricField& field : metric_fields())
        if (!shows(field)) metrics.*field.value = Metrics::kAbsent;
    if (state != nullptr) state->add_seed(c, seed, figures);
    results.seeds_done[{c, seed}] = std::move(figures);
  };
  const unsigned threads = verb.threads > 0 ? static_cast<unsigned>(verb.threads)
                                            : std::max(1u, std::thread::hardware_concurrency());
  if (only_records)
    take_recorded(loaded, results, progress);
  else
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
void check_with_records(const CompareVerb& verb, std::size_t policies,
                        const ComparedRecords& records) {
  const bool one = records.runs.size() == 1;
  const auto refuse = [&](const std::string& what, const std::string& why) {
    input_error(what,
                fmt::format("the recorded run {} is among the policies, and {}",
                            records.runs.front().file, why),
                "leave one of the two out");
  };
  if (one && verb.platforms.size() > 1) refuse("--platform", "was on one platform");
  if (one && verb.scenarios.size() > 1) refuse("--scenario", "was of one scenario");
  if (verb.seeds_asked) refuse("--seeds, --seed", "was of one seed");
  if (verb.shard) refuse("--shard", "is not run in parts");
  if (!verb.resume.empty()) refuse("--resume", "is not run again");
  if (records.alone && verb.search)
    input_error("--bounds", "all that is compared are recorded runs, and nothing is simulated",
                "leave it out, or add a policy");
  if (policies == 1)
    input_error(
        "--policies",
        fmt::format("all there is of them is the recorded policy {}, and there is nothing to "
                    "compare it with",
                    records.runs.front().label),
        one ? "add another policy"
            : "add another policy, or give one of the runs a name of its own");
}

/// What takes the place of seeds and scenarios that are named.
void follow_records(CompareVerb& verb, std::size_t policies, ComparedRecords& records) {
  check_with_records(verb, policies, records);
  records.choose_others(!verb.scenarios.empty());
  if (!verb.scenarios.empty()) return;
  if (records.others == ComparedRecords::Others::kOwnWorkload)
    verb.scenarios = {""};
  else
    verb.scenarios = records.scenarios();
}

/// Those that all of the recorded policies have, on which the others run.
void take_recorded_seeds(CompareVerb& verb, const std::vector<ComparedPolicy>& policies,
                         ComparedRecords& records,
                         const std::vector<std::unique_ptr<LoadedCell>>& loaded,
                         MatrixResults& results) {
  std::vector<RecordedFigures*> figures;
  for (const auto& cell : loaded) figures.push_back(&cell->recorded);
  records.keep_common_seeds(policies, figures, results.cells);
  verb.seeds = static_cast<int>(records.seeds.size());
  verb.first_seed = records.seeds.front();
  if (records.seeds.back() - records.seeds.front() != records.seeds.size() - 1)
    results.seed_list = records.seeds;
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
  check_policy_files("--policy-file", verb.sources.policy_files, policies);
  check_policy_files("--from", verb.sources.priors, policies);
  // What it prints is JSON, whether that is asked for or not.
  if (verb.shard && (verb.output.markdown || !verb.output.csv.empty() ||
                     !verb.output.required.empty() || !verb.output.columns.empty()))
    input_error("--shard", "a part of the seeds has no result of its own",
                "give what is to be printed or required to 'flyball merge'");
  ComparedRecords records = records_among(policies);
  if (!records.runs.empty()) {
    follow_records(verb, policies.size(), records);
  } else if (verb.scenarios.empty()) {
    input_error("compare", "--scenario is required, since no policy is a recorded run",
                "add --scenario NAME; 'flyball list' shows them");
  }
  results.search = verb.search;
  results.shard = verb.shard.value_or(Shard{});
  std::vector<std::unique_ptr<LoadedCell>> loaded;
  for (const std::string& platform : verb.platforms)
    for (const std::string& scenario : verb.scenarios)
      loaded.push_back(load_cell(verb.sources, policies, records, platform, scenario,
                                 results.cells.emplace_back()));
  records.check_places(results.cells);
  if (!records.runs.empty()) take_recorded_seeds(verb, policies, records, loaded, results);
  results.seeds = verb.seeds;
  results.first_seed = verb.first_seed;
  check_distinct_cells(results.cells);
  // What is measured differs from run to run, so that it is left out of what is put together.
  results.times =
      verb.times.value_or(results.cells.size() == 1 && !verb.shard && verb.resume.empty());
  if (verb.check) return 0;
  std::optional<MatrixState> state;
  if (!verb.resume.empty()) state.emplace(verb.resume, results);

  show_warnings(warnings_of(results));
  // In the text for people it stands among the notes.
  if (verb.output.json || verb.output.markdown || !verb.output.csv.empty()) {
    for (const auto& cell : loaded)
      for (const std::string& one : cell->differs) write_note(one + ".\n");
  }
  const InterruptScope interrupt;
  run_cells(verb, loaded, records.others == ComparedRecords::Others::kNone,
            state ? &*state : nullptr, interrupt.stop(), results);
  if (verb.shard && !results.complete()) interrupted(verb, results);
  if (verb.shard) {
    write_result(shard_text(results));
    return 0;
  }
  if (results.complete()) return report_comparison(results, verb.output);
  if (!results.seeds_done.empty()) report_comparison(results, verb.output);
  interrupted(verb, results);
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
  profile_option(*parser, verb->sources.profile);
  belief_option(*parser, verb->sources.belief);
  parser
      ->add_option_function<std::vector<std::string>>(
          "--policies,--policy",
          [verb](const std::vector<std::string>& texts) { verb->policies = texts; },
          "What to compare: names, policy files, recorded runs, or NAME=FILE or NAME=POLICY under "
          "a "
          "name of its "
          "own "
          "(default: " +
              joined(verb->policies) + ")")
      ->type_name("NAME|FILE|NAME=FILE[,...]")
      ->expected(1)
      ->take_all();
  files_option(*parser, "--policy-file", verb->sources.policy_files,
               "What a policy has learned; may be repeated, also for another platform");
  files_option(
      *parser, "--from", verb->sources.priors,
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
      "A recorded run (FILE.flyrec) stands with the figures that it had. With one, and without\n"
      "--scenario, the others are simulated on its workload, as 'flyball replay' does, and a note\n"
      "says how far its own decisions come out otherwise there; with the very scenario that it is "
      "of\n"
      "they run on its seed. Several are seeds of one policy where they have one name\n"
      "(mine=a.flyrec,mine=b.flyrec), and policies of their own otherwise; compared are the "
      "seeds\n"
      "that all have in each scenario on each platform. Records alone need no --scenario, and "
      "nothing\n"
      "is simulated beside them. Gaps of a record to bounds of a simulation are absent.\n"
      "  flyball compare --platform odroid_xu3 --policies schedutil,q_learning,mine=run.flyrec");
  return {parser, [verb, parser] {
            verb->seeds_asked = parser->count("--seeds") + parser->count("--seed") > 0;
            return run_compare(*verb);
          }};
}

}  // namespace flyball::cli
