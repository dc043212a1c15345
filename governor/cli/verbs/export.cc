#include <fmt/format.h>

#include <memory>

#include "governor/cli/verbs/record.h"

namespace flyball::cli {

Verb add_export(CLI::App& program) {
  auto verb = std::make_shared<RecordExport>();
  verb->format = "csv";
  verb->option = "--csv";
  CLI::App* parser = program.add_subcommand(
      "export", "Turn a recording of 'run' into CSV files: 'record export csv' by its older name");
  recording_option(*parser, verb->record);
  parser->add_option("--csv", verb->out, "The folder for epochs.csv and jobs.csv, made when absent")
      ->required()
      ->type_name("DIR");
  json_option(*parser, verb->json);
  parser->footer(
      "A recording that is not complete is exported as far as it goes, with status 1.\n"
      "Example:\n  flyball export run.flyrec --csv run-csv");
  return {parser, [verb] { return run_record_export(*verb); }};
}

}  // namespace flyball::cli
