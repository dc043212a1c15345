#include <fmt/format.h>

#include <memory>

#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/record/recording.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct ExportVerb {
  std::string record;
  std::string csv;
  bool json = false;
};

int run_export(const ExportVerb& verb) {
  const RecordingReport report = export_csv(verb.record, verb.csv);
  const auto [epochs, jobs] = csv_files(verb.csv);
  const std::string problem = report.problem();
  if (verb.json) {
    write_result(json_text({{"schema", 1},
                            {"record", verb.record},
                            {"platform", report.info.platform.name},
                            {"scenario", report.info.scenario},
                            {"policy", report.info.policy},
                            {"seed", report.info.seed},
                            {"epochs", report.epochs},
                            {"jobs", report.jobs},
                            {"complete", report.complete},
                            {"ended", report.ended},
                            {"damaged_blocks", report.damaged_blocks},
                            {"missing_blocks", report.missing_blocks},
                            {"torn_bytes", report.torn_bytes},
                            {"problem", problem.empty() ? Json(nullptr) : Json(problem)},
                            {"files", {epochs, jobs}}}));
  } else {
    write_result(
        fmt::format("{}: {} on {}, scenario {}, seed {}\nwrote {} ({} epochs) and {} ({} "
                    "jobs)\n",
                    verb.record, report.info.policy, report.info.platform.name, report.info.scenario,
                    report.info.seed, epochs, report.epochs, jobs, report.jobs));
  }
  if (!report.complete) {
    failure(fmt::format("recording {}", verb.record), "is not complete: " + problem,
            fmt::format("what is readable, {} epochs and {} jobs, was exported", report.epochs,
                        report.jobs));
  }
  return 0;
}

}  // namespace

Verb add_export(CLI::App& program) {
  auto verb = std::make_shared<ExportVerb>();
  CLI::App* parser = program.add_subcommand("export", "Turn a recording of 'run' into CSV files");
  parser->add_option("recording", verb->record, "The file that 'run --record' wrote")
      ->required()
      ->type_name("FILE");
  parser->add_option("--csv", verb->csv, "The folder for epochs.csv and jobs.csv, made when absent")
      ->required()
      ->type_name("DIR");
  json_option(*parser, verb->json);
  parser->footer(
      "A recording that is not complete is exported as far as it goes, with status 1.\n"
      "Example:\n  flyball export run.flyrec --csv run-csv");
  return {parser, [verb] { return run_export(*verb); }};
}

}  // namespace flyball::cli
