#include <fmt/format.h>

#include <memory>

#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/record/recording.h"

namespace flyball::cli {
namespace {

struct ExportVerb {
  std::string record;
  std::string csv;
  bool json = false;
};

int run_export(const ExportVerb& verb) {
  const RecordingReport report = export_csv(verb.record, verb.csv);
  if (verb.json) {
    write_result(json_text({{"schema", 1},
                            {"record", verb.record},
                            {"platform", report.info.platform},
                            {"scenario", report.info.scenario},
                            {"policy", report.info.policy},
                            {"seed", report.info.seed},
                            {"epochs", report.epochs},
                            {"jobs", report.jobs},
                            {"complete", report.complete},
                            {"damaged_blocks", report.damaged_blocks},
                            {"missing_blocks", report.missing_blocks},
                            {"torn_bytes", report.torn_bytes},
                            {"files", {verb.csv + "/epochs.csv", verb.csv + "/jobs.csv"}}}));
    return 0;
  }
  std::string text =
      fmt::format("{}: {} on {}, scenario {}, seed {}\n", verb.record, report.info.policy,
                  report.info.platform, report.info.scenario, report.info.seed);
  text += fmt::format("wrote {0}/epochs.csv ({1} epochs) and {0}/jobs.csv ({2} jobs)\n", verb.csv,
                      report.epochs, report.jobs);
  if (!report.complete) {
    text += fmt::format(
        "the recording is not complete: {} blocks damaged, {} missing, {} bytes cut off at the "
        "end\n",
        report.damaged_blocks, report.missing_blocks, report.torn_bytes);
  }
  write_result(text);
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
  parser->footer("Example:\n  flyball export run.flyrec --csv run-csv");
  return {parser, [verb] { return run_export(*verb); }};
}

}  // namespace flyball::cli
