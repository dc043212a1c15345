#include "governor/cli/verbs/import_verb.h"

#include <fmt/format.h>

#include <algorithm>

#include "governor/cli/terminal.h"
#include "governor/cli/verbs/figure_output.h"
#include "governor/cli/verbs/made_file.h"
#include "governor/import/clean_table.h"
#include "governor/record/recording_header.h"
#include "kernels/base/control_character.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

constexpr OutputKind kWindowOutput{"a table of clocks that 'import' made",
                                   "time_s,cpu,freq_khz,busy_pct\n"};

}  // namespace

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

void refuse_record(const ImportVerb& verb, const char* why) {
  if (makes_record(verb))
    input_error("--out " + verb.out, why, "write what it has, under a name that ends otherwise");
}

int import_freqbench(const ImportVerb& verb) {
  refuse_record(verb, "a record is of a run, and freqbench has points of many");
  check_outputs(verb, kTableOutput);
  ImportFlags flags;
  CleanTable table = clean_table(verb.files, flags);
  write_made(verb.out, table.text);
  Imported imported{"freqbench", table.rows, table.kept, "", std::move(table.notes), {}};
  imported.made = fmt::format("{}: {} of {} rows", named(verb.out), table.kept, table.rows);
  return tell(verb, imported, flags);
}

}  // namespace flyball::cli
