#include <memory>

#include "governor/cli/options.h"
#include "governor/cli/verbs/import_verb.h"

namespace flyball::cli {
namespace {

CLI::App* add_format(CLI::App& import, const std::shared_ptr<ImportVerb>& verb, const char* name,
                     const char* help, const char* out, bool several) {
  CLI::App* parser = import.add_subcommand(name, help);
  CLI::Option* files =
      parser->add_option("files", verb->files, several ? "The files to read" : "The file to read")
          ->required()
          ->type_name("FILE");
  if (!several) files->expected(1);
  parser->add_option("--out", verb->out, std::string(out) + ", or - for standard output")
      ->required()
      ->type_name("FILE");
  json_option(*parser, verb->json);
  return parser;
}

void figure_option(CLI::App& parser, ImportVerb& verb) {
  parser
      .add_option("--figure", verb.figure,
                  "A picture of power against clock as well, with what was flagged")
      ->type_name("FILE.svg|png");
}

}  // namespace

std::vector<Verb> add_import(CLI::App& program) {
  CLI::App* import = program.add_subcommand(
      "import",
      "Turn what other tools measured into scenarios and tables, and flag what cannot be true");
  import->require_subcommand(0, 1);
  import->footer("Example:\n  flyball import csv log.csv --out table.csv");
  std::vector<Verb> verbs;

  auto trace = std::make_shared<ImportVerb>();
  CLI::App* parser = add_format(*import, trace, "ftrace",
                                "Text of ftrace or 'trace-cmd report': its threads as plain load",
                                "The load, rt-app's JSON, which --scenario takes", false);
  parser
      ->add_option("--clocks", trace->clocks, "A table of each CPU's clock and busy share as well")
      ->type_name("FILE.csv");
  number_option(*parser, "--window-ms", trace->window_ms, 1, 3'600'000, "MS",
                "How long each row of --clocks is (default 100)");
  parser
      ->add_option("--capacity", trace->capacity,
                   "What each CPU does at its highest clock, as /sys's cpu_capacity: 446x4,1024x2")
      ->type_name("N,...");
  integer_option(*parser, "--threads", trace->threads, 1, 64,
                 "How many threads are kept, those that work most (default 32)");
  parser->footer(
      "It wants the events sched_switch and sched_wakeup, and cpu_frequency to scale the work.\n"
      "Example:\n  flyball import ftrace trace.txt --out load.json --clocks clocks.csv\n"
      "  flyball compare --platform odroid_xu3 --scenario load.json --policies "
      "schedutil,plain_load");
  verbs.push_back({parser, [trace, parser] {
                     trace->window_asked = parser->count("--window-ms") > 0;
                     return import_ftrace(*trace);
                   }});

  auto prime = std::make_shared<ImportVerb>();
  parser = add_format(
      *import, prime, "prime", "A log of the PRiME framework's logger",
      "Its knobs and monitors over time, CSV; FILE.flyrec: a record, with --platform", false);
  parser
      ->add_option("--table", prime->table,
                   "Power at each clock as well, for 'fit --data'; needs --platform")
      ->type_name("FILE.csv");
  parser
      ->add_option("--platform", prime->platform,
                   "The board whose operating points the log's clocks are the numbers of")
      ->type_name("NAME|FILE");
  figure_option(*parser, *prime);
  parser->footer(
      "Example:\n  flyball import prime log.txt --out log.csv --table table.csv --platform "
      "odroid_xu3");
  verbs.push_back({parser, [prime] { return import_prime(*prime); }});

  auto freqbench = std::make_shared<ImportVerb>();
  parser = add_format(*import, freqbench, "freqbench",
                      "Results of freqbench: the rows that hold together",
                      "The table without what was flagged, for 'fit --data'", true);
  parser->footer("Example:\n  flyball import freqbench results.csv --out table.csv");
  verbs.push_back({parser, [freqbench] { return import_freqbench(*freqbench); }});

  auto csv = std::make_shared<ImportVerb>();
  parser = add_format(*import, csv, "csv",
                      "A log of time, clock, power and temperature: power at each clock",
                      "The table, for 'fit --data'; FILE.flyrec: a record, with --platform", true);
  parser
      ->add_option("--platform", csv->platform,
                   "With --out FILE.flyrec: the board whose clusters the log's units are")
      ->type_name("NAME|FILE");
  figure_option(*parser, *csv);
  parser->footer(
      "Columns by their names, with units: time_s, freq_mhz, power_w, temp_c, unit, cores; "
      "freq_khz,\n"
      "power_mw, time_ms and such are as good.\n"
      "Example:\n  flyball import csv log.csv --out table.csv && flyball fit --data table.csv");
  verbs.push_back({parser, [csv] { return import_csv(*csv); }});
  return verbs;
}

}  // namespace flyball::cli
