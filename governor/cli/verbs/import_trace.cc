#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "governor/cli/options.h"
#include "governor/cli/verbs/import_verb.h"
#include "governor/cli/verbs/made_file.h"
#include "governor/fit/table_text.h"
#include "governor/import/ftrace.h"
#include "governor/import/trace_load.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

constexpr OutputKind kLoadOutput{"a load that 'import' made", "{\n  \"tasks\": {\n"};

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

}  // namespace

int import_ftrace(const ImportVerb& verb) {
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

}  // namespace flyball::cli
