#include <fmt/format.h>

#include <algorithm>

#include "env/model/platform_spec.h"
#include "governor/cli/verbs/figure_output.h"
#include "governor/cli/verbs/import_record.h"
#include "governor/cli/verbs/import_verb.h"
#include "governor/cli/verbs/made_file.h"
#include "governor/cli/views/power_figure.h"
#include "governor/import/prime_log.h"
#include "governor/import/samples.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

constexpr OutputKind kPrimeOutput{"a table of values that 'import' made",
                                  "time_s,of,process,kind,"};

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

}  // namespace

int import_csv(const ImportVerb& verb) {
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

int import_prime(const ImportVerb& verb) {
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

}  // namespace flyball::cli
