#include "governor/cli/verbs/record.h"

#include <fmt/format.h>

#include <memory>

#include "governor/cli/terminal.h"
#include "governor/cli/verbs/made_file.h"
#include "governor/record/export.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

Verb add_record_export(CLI::App& record) {
  auto verb = std::make_shared<RecordExport>();
  CLI::App* parser = record.add_subcommand(
      "export", "Turn a recording into what other programs read: csv, json or perfetto");
  parser
      ->add_option_function<std::string>(
          "format",
          [verb](const std::string& format) {
            if (format != "csv" && format != "json" && format != "perfetto")
              input_error("format '" + format + "'", "there is none of that name",
                          "use one of csv, json, perfetto");
            verb->format = format;
          },
          "csv: epochs.csv and jobs.csv; json: the same in one document; perfetto: a trace for "
          "ui.perfetto.dev")
      ->required()
      ->type_name("FORMAT");
  recording_option(*parser, verb->record);
  parser->add_option("--out", verb->out, "The file to write, or - for standard output; of csv the folder, made when absent")
      ->required()
      ->type_name("FILE|DIR");
  json_option(*parser, verb->json);
  parser->footer(
      "A recording that is not complete is exported as far as it goes, with status 1.\n"
      "Example:\n  flyball record export perfetto run.flyrec --out run-trace.json");
  return {parser, [verb] { return run_record_export(*verb); }};
}

}  // namespace

int run_record_export(const RecordExport& verb) {
  check_standard_output(verb.out, verb.json);
  if (verb.format == "csv" && is_standard_output(verb.out))
    input_error(verb.option + " -", "CSV of a recording are two files", "name a folder for them");
  const RecordingReport report = verb.format == "csv"
                                     ? export_csv(verb.record, verb.out, verb.option)
                                 : verb.format == "json" ? export_json(verb.record, verb.out)
                                                         : export_perfetto(verb.record, verb.out);
  const auto [epochs, jobs] = csv_files(verb.out);
  if (is_standard_output(verb.out)) {
    // It is there already.
  } else if (verb.json) {
    Json json = recording_json(verb.record, report);
    json["files"] = verb.format == "csv" ? Json{epochs, jobs} : Json::array({verb.out});
    write_result(json_text(json));
  } else {
    const std::string wrote =
        verb.format == "csv"
            ? fmt::format("{} ({} epochs) and {} ({} jobs)", epochs, report.epochs, jobs,
                          report.jobs)
            : fmt::format("{} ({} epochs, {} jobs){}", verb.out, report.epochs, report.jobs,
                          verb.format == "json" ? "" : "; open it in https://ui.perfetto.dev");
    const std::string unlisted = report.unlisted();
    write_result(fmt::format("{}: {} on {}, scenario {}, seed {}\nwrote {}\n{}", verb.record,
                             report.info.policy, report.info.platform.name, report.info.scenario,
                             report.info.seed, wrote, unlisted.empty() ? "" : unlisted + "\n"));
  }
  check_complete(verb.record, report,
                 fmt::format("what is readable, {} epochs and {} jobs, was exported", report.epochs,
                             report.jobs));
  return 0;
}

void recording_option(CLI::App& parser, std::string& value) {
  parser.add_option("recording", value, "The file that 'run --record' wrote")
      ->required()
      ->type_name("FILE");
}

Json recording_json(const std::string& file, const RecordingReport& report) {
  const std::string problem = report.problem();
  return {{"schema", 1},
          {"record", file},
          {"platform", report.info.platform.name},
          {"scenario", report.info.scenario},
          {"policy", report.info.policy},
          {"seed", report.info.seed},
          {"epochs", report.epochs},
          {"jobs", report.jobs},
          {"jobs_unlisted", report.jobs_unlisted},
          {"complete", report.complete},
          {"ended", report.ended},
          {"damaged_blocks", report.damaged_blocks},
          {"missing_blocks", report.missing_blocks},
          {"torn_bytes", report.torn_bytes},
          {"problem", problem.empty() ? Json(nullptr) : Json(problem)}};
}

void check_complete(const std::string& file, const RecordingReport& report,
                    const std::string& done) {
  if (!report.complete)
    failure(fmt::format("recording {}", file), "is not complete: " + report.problem(), done);
}

std::vector<Verb> add_record(CLI::App& program) {
  CLI::App* record =
      program.add_subcommand("record", "Look at a recording of 'run', or turn it into other files");
  record->require_subcommand(0, 1);
  record->get_formatter()->label("SUBCOMMAND", "VERB");
  record->get_formatter()->label("Subcommands", "Verbs");
  record->footer("Example:\n  flyball record show run.flyrec");
  return {add_record_show(*record), add_record_export(*record)};
}

}  // namespace flyball::cli
