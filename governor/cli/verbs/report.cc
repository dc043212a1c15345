#include "governor/report/report.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "governor/cli/build_id.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/figure_output.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

constexpr OutputKind kPageOutput{"a report that 'report' made", report::kPageStart};

struct ReportVerb {
  std::vector<std::string> inputs;
  std::string out, figure;
  report::Options options;
  bool json = false;
};

int run_report(const ReportVerb& verb) {
  check_standard_output(verb.out, verb.json);
  if (verb.figure.empty() && !is_standard_output(verb.out))
    check_output("--out " + verb.out, verb.out, kPageOutput);
  if (!verb.figure.empty()) check_figure_output(verb.out);
  const report::Report report = report::read_inputs(verb.inputs, verb.options);
  std::size_t figures = 0, points = 0;
  if (verb.figure.empty()) {
    for (const report::Section& section : report.sections) {
      figures += section.figures.size();
      for (const report::Figure& figure : section.figures) points += figure.points();
    }
    write_made(
        verb.out,
        report::html_of(report, fmt::format("flyball {} (build {})", FLYBALL_VERSION, kBuildId)));
  } else {
    const report::Figure& figure = report::figure_of(report, verb.figure);
    figures = 1;
    points = figure.points();
    write_figure(verb.out, figure);
  }
  if (is_standard_output(verb.out)) return 0;
  if (verb.json)
    write_result(json_text({{"schema", 1},
                            {"inputs", verb.inputs},
                            {"figures", figures},
                            {"points", points},
                            {"out", verb.out}}));
  else
    write_result(fmt::format("wrote {} ({} figure{}, {} points)\n", verb.out, figures,
                             figures == 1 ? "" : "s", points));
  return 0;
}

}  // namespace

Verb add_report(CLI::App& program) {
  auto verb = std::make_shared<ReportVerb>();
  CLI::App* parser = program.add_subcommand(
      "report",
      "Turn comparisons, recordings, operating points and policies into one page of plots");
  parser
      ->add_option(
          "inputs", verb->inputs,
          "Recordings, policy files, and what 'compare', 'characterise' or 'train' print with "
          "--json")
      ->required()
      ->type_name("FILE");
  parser
      ->add_option("--out", verb->out,
                   "The page to write, HTML that needs nothing else; with --figure an .svg or a .png; - is "
                   "standard output (SVG)")
      ->required()
      ->type_name("FILE");
  parser
      ->add_option("--figure", verb->figure,
                   "Only this figure, as a static picture; a name that there is not lists them")
      ->type_name("NAME");
  parser
      ->add_option_function<std::string>(
          "--max-miss-pct",
          [verb](const std::string& text) {
            double& value = verb->options.max_miss_pct;
            const char* end = text.data() + text.size();
            const auto [stop, code] = std::from_chars(text.data(), end, value);
            if (code != std::errc() || stop != end || !(value >= 0 && value <= 100))
              input_error("--max-miss-pct " + text, "is not a number from 0 to 100",
                          "give one, as in '--max-miss-pct 1'");
          },
          "How much of the jobs that could be met a policy may miss and still be said to keep its "
          "deadlines (default 1)")
      ->type_name("N");
  json_option(*parser, verb->json);
  parser->footer(
      "Example:\n  flyball report xu3.json run.flyrec --out report.html\nwith xu3.json made by\n"
      "  flyball compare --platform odroid_xu3 --scenario background --json > xu3.json\nand\n"
      "  flyball report xu3.json --figure energy_latency --out energy.svg\n"
      "  flyball report xu3.policy --figure q_mappings --out learned.svg    # what q_learning "
      "learned"
      "\n    of each mapping in each state that it met, as a heat map");
  return {parser, [verb] { return run_report(*verb); }};
}

}  // namespace flyball::cli
