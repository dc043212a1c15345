#include "governor/fit/fit.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "env/model/platform_spec.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/views/fit_report.h"
#include "governor/fit/platform_text.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/error.h"
#include "kernels/base/file_descriptor.h"
#include "governor/cli/verbs/made_file.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

struct FitVerb {
  std::vector<std::string> data;
  std::string voltages;
  std::string out;
  std::vector<std::string> cores;
  std::string name;
  std::string app;
  std::string description;
  std::string source;
  bool json = false;
};

constexpr OutputKind kPlatformOutput{"a platform file that 'fit' made", kPlatformTextStart};

std::map<std::string, int> cores_of(const FitVerb& verb) {
  std::map<std::string, int> cores;
  for (const std::string& each : verb.cores) {
    const std::size_t equals = each.find('=');
    const std::string unit = unit_name(each.substr(0, equals));
    const std::string count = equals == each.npos ? "" : each.substr(equals + 1);
    const bool digits =
        !count.empty() && count.size() < 4 && count.find_first_not_of("0123456789") == count.npos;
    const int number = digits ? std::stoi(count) : 0;
    if (unit.empty() || number < 1 || number > 255)
      input_error("--cores " + each, "is no unit with a number of cores from 1 to 255",
                  "write '--cores 4=3'");
    cores[unit] = number;
  }
  return cores;
}

/// As a platform file's names may be.
void check_name(const char* option, const std::string& name) {
  const bool plain =
      name.size() <= 32 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-';
      });
  if (!plain)
    input_error(fmt::format("{} {}", option, name), "is no plain name",
                "use up to 32 letters, digits, '_' and '-'");
  if (is_null_word(name))
    input_error(fmt::format("{} {}", option, name), "is YAML's word for nothing", "name it otherwise");
}

/// A table may make a board that no platform can be, one whose leakage runs away for example. Its
/// file would be refused by every other verb, so it is not written.
void check_loads(const std::string& text) {
  std::string path = (std::filesystem::temp_directory_path() / "flyball-fit-XXXXXX.yaml").string();
  const FileDescriptor file(mkstemps(path.data(), 5));
  if (!file) failure(path, "cannot be made", "check the folder, or set TMPDIR to another");
  std::string problem;
  try {
    write_file_atomically(path, text);
    load_platform(path);
  } catch (const Error& error) {
    problem = error.what();
  }
  unlink(path.c_str());
  if (problem.empty()) return;
  if (problem.starts_with(path)) problem = "line" + problem.substr(path.size());
  input_error("--out", fmt::format("what was fitted is no platform: {}", problem),
              "check the units of the table's numbers");
}

int run_fit(FitVerb verb) {
  check_name("--name", verb.name);
  check_name("--app", verb.app);
  if (verb.app == "busy")
    input_error("--app busy", "is the name of the plain load that every fit has", "name another");
  check_standard_output(verb.out, verb.json);
  if (!verb.out.empty() && !is_standard_output(verb.out))
    check_output("--out " + verb.out, verb.out, kPlatformOutput);
  const std::map<std::string, int> cores = cores_of(verb);
  Measurements measurements;
  for (const std::string& file : verb.data) read_table(file, measurements);
  const Voltages voltages = verb.voltages.empty() ? Voltages{} : read_voltages(verb.voltages);
  const FittedPlatform platform = fit_platform(measurements, voltages, cores);
  if (verb.name.empty()) {
    const std::filesystem::path path(verb.out.empty() || is_standard_output(verb.out) ? verb.data.front() : verb.out);
    verb.name = unit_name(path.stem().string());
    if (verb.name.empty()) verb.name = "fitted";
  }
  const std::string text =
      verb.out.empty()
          ? ""
          : platform_text(platform, {verb.name, verb.app, verb.description, verb.source});
  if (!verb.out.empty()) {
    check_loads(text);
    write_made(verb.out, text);
    if (is_standard_output(verb.out)) return 0;
  }
  if (verb.json) {
    write_result(json_text(fit_json(platform)));
  } else {
    write_result(fit_report(platform) +
                 (verb.out.empty() ? "" : fmt::format("\nwrote {}\n", verb.out)));
  }
  return 0;
}

}  // namespace

Verb add_fit(CLI::App& program) {
  auto verb = std::make_shared<FitVerb>();
  CLI::App* parser =
      program.add_subcommand("fit", "Fit a platform to tables of measured power, time and clocks");
  parser
      ->add_option(
          "--data", verb->data,
          "Tables with a heading: unit, mhz, cores, width_pct, time_ms, power_mw, energy_mj, "
          "temp_c, "
          "voltage_mv, accuracy_pct, idle, or freqbench's; several are devices of one kind")
      ->required()
      ->type_name("FILE...");
  parser
      ->add_option("--voltages", verb->voltages,
                   "Voltages where the tables have none: CPU.KHZ=UV, blank-separated")
      ->type_name("FILE");
  parser->add_option("--out", verb->out, "The platform file to write")->type_name("PLATFORM.yaml");
  parser
      ->add_option("--cores", verb->cores,
                   "How many cores a unit has, where the tables do not show it")
      ->delimiter(',')
      ->type_name("UNIT=N");
  parser->add_option("--name", verb->name, "The platform's name (default: that of its file)")
      ->type_name("NAME");
  parser
      ->add_option("--app", verb->app,
                   "The name of the job that was measured (default dynamic_cnn, which the shipped "
                   "scenarios run; "
                   "coremark of freqbench's tables)")
      ->type_name("NAME");
  parser
      ->add_option("--description", verb->description,
                   "What it is, for 'flyball list'; kept in the file")
      ->type_name("TEXT");
  parser->add_option("--source", verb->source, "Who measured it, and the licence; kept in the file")
      ->type_name("TEXT");
  json_option(*parser, verb->json);
  parser->footer(
      "Rows that cannot be true, or lie far off what the others say, are named and not used.\n"
      "Example:\n  flyball fit --data sdm845.csv --cores 4=4 --out sdm845.yaml");
  return {parser, [verb] { return run_fit(*verb); }};
}

}  // namespace flyball::cli
