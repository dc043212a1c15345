#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#include "env/model/platform_spec.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/figure_output.h"
#include "governor/cli/verbs/import_record.h"
#include "governor/cli/verbs/made_file.h"
#include "governor/cli/views/power_figure.h"
#include "governor/fit/fit.h"
#include "governor/fit/table_text.h"
#include "governor/import/clean_table.h"
#include "governor/import/flags.h"
#include "governor/import/ftrace.h"
#include "governor/import/prime_log.h"
#include "governor/import/samples.h"
#include "governor/import/trace_load.h"
#include "governor/record/recording_header.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

// How what is made here begins, so that it takes the place of nothing else.
constexpr OutputKind kLoadOutput{"a load that 'import' made", "{\n  \"tasks\": {\n"};
constexpr OutputKind kWindowOutput{"a table of clocks that 'import' made",
                                   "time_s,cpu,freq_khz,busy_pct\n"};
constexpr OutputKind kPrimeOutput{"a table of values that 'import' made",
                                  "time_s,of,process,kind,"};
constexpr OutputKind kTableOutput{"a table that 'import' made", "# Made by 'flyball import'"};

struct ImportVerb {
  std::vector<std::string> files;
  std::string out, clocks, table, platform, figure, capacity;
  double window_ms = 100;
  bool window_asked = false;
  int threads = 32;
  bool json = false;
};

/// What an importer found, beside what it wrote.
struct Imported {
  const char* format;
  std::size_t points = 0, used = 0;  ///< samples, rows or events; of them those used
  std::string made;                  ///< "load.json: 32 threads, 6.7 s"
  std::vector<std::string> notes;
  Json more = Json::object();
};

bool makes_record(const ImportVerb& verb) { return verb.out.ends_with(".flyrec"); }

void check_outputs(const ImportVerb& verb, const OutputKind& table_kind) {
  const OutputKind& kind = makes_record(verb) ? kRecordingOutput : table_kind;
  check_standard_output(verb.out, verb.json);
  if (!is_standard_output(verb.out)) check_output("--out " + verb.out, verb.out, kind);
  if (!verb.clocks.empty()) check_output("--clocks " + verb.clocks, verb.clocks, kWindowOutput);
  if (!verb.table.empty()) check_output("--table " + verb.table, verb.table, kTableOutput);
  if (!verb.figure.empty()) check_figure_output(verb.figure, "--figure");
  check_distinct({{"--out", verb.out},
                  {"--clocks", verb.clocks},
                  {"--table", verb.table},
                  {"--figure", verb.figure}});
}

const char* named(const std::string& out) {
  return is_standard_output(out) ? "standard output" : out.c_str();
}

int tell(const ImportVerb& verb, const Imported& imported, const ImportFlags& flags) {
  if (verb.json) {
    Json all = Json::array();
    for (const ImportFlag& flag : flags.all())
      all.push_back({{"file", flag.file}, {"lines", flag.lines}, {"why", flag.why}});
    Json json = {{"schema", 1},
                 {"format", imported.format},
                 {"inputs", verb.files},
                 {"points", imported.points},
                 {"used", imported.used},
                 {"flagged", flags.lines()},
                 {"flags", std::move(all)},
                 {"notes", imported.notes},
                 {"out", verb.out}};
    if (imported.more.is_object()) json.update(imported.more);
    write_result(json_text(json));
    return 0;
  }
  std::string text;
  for (const ImportFlag& flag : flags.all())
    text += fmt::format("not used: {}\n", printable(flag_line(flag)));
  if (!flags.all().empty())
    text += fmt::format("{} line{} flagged and not used\n", flags.lines(),
                        flags.lines() == 1 ? "" : "s");
  for (const std::string& note : imported.notes) text += "note: " + printable(note) + '\n';
  text += "wrote " + imported.made + '\n';
  // What is made may be standard output itself.
  is_standard_output(verb.out) ? write_note(text) : write_result(text);
  return 0;
}

std::vector<double> capacities_of(const std::string& text) {
  std::vector<double> all;
  for (const std::string& one :
       text.empty() ? std::vector<std::string>() : split_names("--capacity", text)) {
    // "446x4" is four times 446.
    const std::size_t times = one.find('x');
    double value = 0, count = 1;
    const bool good =
        to_number(one.substr(0, times), value) && value > 0 && value <= 1e6 &&
        (times == one.npos || (to_number(one.substr(times + 1), count) && count >= 1 &&
                               count <= 1024 && count == std::floor(count)));
    if (!good)
      input_error("--capacity " + text, "is no list of positive numbers",
                  "write for example '446x4,1024x2'");
    all.insert(all.end(), static_cast<std::size_t>(count), value);
  }
  return all;
}

/// Of what has no course of time with clocks and powers.
void refuse_record(const ImportVerb& verb, const char* why) {
  if (makes_record(verb))
    input_error("--out " + verb.out, why, "write what it has, under a name that ends otherwise");
}

int run_ftrace(const ImportVerb& verb) {
  refuse_record(verb, "a record needs power and temperatures, which a trace has not");
  if (verb.window_asked && verb.clocks.empty())
    input_error("--window-ms", "is how long each row of --clocks is, which was not asked for",
                "add --clocks FILE.csv, or leave it out");
  check_outputs(verb, kLoadOutput);
  ImportFlags flags;
  TraceOptions options;
  options.capacities = capacities_of(verb.capacity);
  if (!verb.clocks.empty()) options.window_ns = std::llround(verb.window_ms * 1e6);
  const Trace trace = read_trace(verb.files.front(), flags);
  const std::size_t flagged_before = flags.lines();  // those are not among its events
  TraceLoad load = load_of(trace, options, flags);
  Imported imported{"ftrace",
                    trace.events.size() + trace.refused_events,
                    trace.events.size() - (flags.lines() - flagged_before),
                    "",
                    {},
                    {}};
  const auto kept = std::min(load.threads.size(), static_cast<std::size_t>(verb.threads));
  const std::string text = rtapp_text(load, kept, load.notes);
  std::size_t activations = 0;
  double work_ns = 0;
  for (std::size_t t = 0; t < kept; ++t) {
    activations += load.threads[t].activations.size();
    work_ns += static_cast<double>(load.threads[t].work_ns);
  }
  if (!verb.clocks.empty()) write_made(verb.clocks, window_text(load));
  write_made(verb.out, text);
  const double seconds = static_cast<double>(load.length_ns) * 1e-9;
  imported.made = fmt::format(
      "{}: {} threads that wake {} times and work {:.3f} s at full speed, in {:.3f} s{}",
      named(verb.out), kept, activations, work_ns * 1e-9, seconds,
      verb.clocks.empty() ? "" : "; and " + verb.clocks);
  imported.notes = load.notes;
  imported.more = {{"cpus", trace.cpus},
                   {"threads", kept},
                   {"activations", activations},
                   {"work_s", work_ns * 1e-9},
                   {"length_s", seconds}};
  return tell(verb, imported, flags);
}

/// Of samples that were checked: the record of a run.
void add_record(const ImportVerb& verb, const char* format, const SampleLog& log,
                Imported& imported) {
  const ImportedRecord record = write_record(verb.out, log, load_platform(verb.platform), format);
  imported.made =
      fmt::format("{}: a record of {} epochs, {:.1f} s", verb.out, record.epochs, record.length_s);
  imported.notes.insert(imported.notes.end(), record.notes.begin(), record.notes.end());
  imported.more["epochs"] = record.epochs;
  imported.more["length_s"] = record.length_s;
}

/// Of samples: what fits, and the picture.
Imported import_samples(const ImportVerb& verb, const char* format, SampleLog log,
                        const std::string& table, ImportFlags& flags) {
  check_samples(log, flags);
  const std::vector<SampledPoint> points = sampled_points(log);
  if (!verb.figure.empty()) write_figure(verb.figure, power_figure(log, points));
  write_made(table, point_table(log, points));
  const auto used = static_cast<std::size_t>(std::count_if(
      log.samples.begin(), log.samples.end(), [](const Sample& sample) { return sample.used; }));
  Imported imported{format, log.samples.size(), used, "", log.notes, {}};
  imported.made = fmt::format("{}: {} operating points, medians of {} samples", named(table),
                              points.size(), used);
  imported.more = {{"operating_points", points.size()}};
  return imported;
}

int run_csv(const ImportVerb& verb) {
  check_outputs(verb, kTableOutput);
  if (makes_record(verb) != !verb.platform.empty())
    input_error(makes_record(verb) ? "--out " + verb.out : "--platform",
                "a record needs --platform, and a table has no use for it",
                "name the board whose clusters the log's units are, and --out FILE.flyrec");
  ImportFlags flags;
  SampleLog log;
  for (const std::string& file : verb.files) read_samples(file, log);
  if (makes_record(verb)) {
    if (!verb.figure.empty())
      input_error("--figure", "is a picture of the table's points, and a record is made",
                  "leave it out; 'flyball report' shows records");
    if (log.files.size() > 1)
      input_error("--out " + verb.out, "a record is of one log", "give one file");
    check_samples(log, flags);
    Imported imported{
        "csv",
        log.samples.size(),
        static_cast<std::size_t>(std::ranges::count(log.samples, true, &Sample::used)),
        "",
        log.notes,
        Json::object()};
    add_record(verb, "csv", log, imported);
    return tell(verb, imported, flags);
  }
  return tell(verb, import_samples(verb, "csv", std::move(log), verb.out, flags), flags);
}

int run_prime(const ImportVerb& verb) {
  check_outputs(verb, kPrimeOutput);
  if (verb.table.empty() && !verb.figure.empty())
    input_error("--figure", "shows what --table has, which was not asked for",
                "add --table and --platform");
  if (makes_record(verb) && verb.platform.empty())
    input_error("--out " + verb.out, "a record needs --platform",
                "name the board whose clocks the log's numbers are, as in '--platform odroid_xu3'");
  if (verb.table.empty() != verb.platform.empty() && !makes_record(verb))
    input_error("--table", "needs --platform, and the other way round",
                "name the board whose clocks the log's numbers are, as in '--platform odroid_xu3'");
  ImportFlags flags;
  PrimeLog log = read_prime_log(verb.files.front(), flags);
  Imported imported{"prime", log.rows.size(), 0, "", {}, {}};
  if (!verb.table.empty()) {
    const Imported table = import_samples(
        verb, "prime", prime_samples(log, load_platform(verb.platform)), verb.table, flags);
    imported.notes = table.notes;
    imported.made = "; and " + table.made;
    imported.more = table.more;
  }
  SampleLog samples;
  if (makes_record(verb)) {
    samples = prime_samples(log, load_platform(verb.platform));
    ImportFlags again;  // the table's were the same
    check_samples(samples, verb.table.empty() ? flags : again);
    if (verb.table.empty()) imported.notes = samples.notes;
  }
  // What is wrong beside the platform's clocks is wrong in the log too. A line has one value or none.
  for (const ImportFlag& flag : flags.all())
    for (const long line : flag.lines) {
      const auto row =
          std::lower_bound(log.rows.begin(), log.rows.end(), line,
                           [](const PrimeRow& one, long wanted) { return one.line < wanted; });
      if (row != log.rows.end() && row->line == line) row->used = false;
    }
  imported.used = static_cast<std::size_t>(std::count_if(
      log.rows.begin(), log.rows.end(), [](const PrimeRow& row) { return row.used; }));
  if (makes_record(verb)) {
    const std::string table = imported.made;
    add_record(verb, "prime", samples, imported);
    imported.made += table;
    if (log.applications > 0)
      imported.notes.push_back(
          "Applications' knobs and monitors are no jobs: they are in the CSV.");
    imported.more["applications"] = log.applications;
    return tell(verb, imported, flags);
  }
  write_made(verb.out, prime_text(log));
  const double seconds = log.rows.back().time_s;
  imported.made = fmt::format("{}: {} values of knobs and monitors, {} application{}, {:.1f} s{}",
                              named(verb.out), log.rows.size(), log.applications,
                              log.applications == 1 ? "" : "s", seconds, imported.made);
  imported.more["applications"] = log.applications;
  imported.more["length_s"] = seconds;
  return tell(verb, imported, flags);
}

int run_freqbench(const ImportVerb& verb) {
  refuse_record(verb, "a record is of a run, and freqbench has points of many");
  check_outputs(verb, kTableOutput);
  ImportFlags flags;
  CleanTable table = clean_table(verb.files, flags);
  write_made(verb.out, table.text);
  Imported imported{"freqbench", table.rows, table.kept, "", std::move(table.notes), {}};
  imported.made = fmt::format("{}: {} of {} rows", named(verb.out), table.kept, table.rows);
  return tell(verb, imported, flags);
}

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
                     return run_ftrace(*trace);
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
  verbs.push_back({parser, [prime] { return run_prime(*prime); }});

  auto freqbench = std::make_shared<ImportVerb>();
  parser = add_format(*import, freqbench, "freqbench",
                      "Results of freqbench: the rows that hold together",
                      "The table without what was flagged, for 'fit --data'", true);
  parser->footer("Example:\n  flyball import freqbench results.csv --out table.csv");
  verbs.push_back({parser, [freqbench] { return run_freqbench(*freqbench); }});

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
  verbs.push_back({parser, [csv] { return run_csv(*csv); }});
  return verbs;
}

}  // namespace flyball::cli
