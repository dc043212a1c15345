#include "env/model/characterise.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <memory>

#include "env/config/yaml.h"
#include "env/model/best_point.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/figure_output.h"
#include "governor/cli/views/accuracy.h"
#include "governor/cli/views/levels.h"
#include "governor/cli/views/warnings.h"
#include "governor/machine/governed_platform.h"
#include "governor/report/sections.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct CharacteriseOptions {
  std::string platform;
  std::string profile;
  std::string app;
  Budget budget;
  bool has_budget = false;
  std::string figure, out;
  bool only_front = false;
  bool json = false;
};

/// What was asked for; else the network that the shipped scenarios run, where there is one; else the
/// first that has jobs.
const AppProfile& app_of(const PlatformSpec& platform, const std::string& name) {
  if (!name.empty()) return platform.apps[find_app_or_throw(platform, name)];
  if (const int cnn = platform.find_app("dynamic_cnn"); cnn >= 0) return platform.apps[cnn];
  const auto job = std::find_if(platform.apps.begin(), platform.apps.end(),
                                [](const AppProfile& app) { return !app.plain_load; });
  return job == platform.apps.end() ? platform.apps.front() : *job;
}

/// 1800 rather than 1800.0; the Jetson's GPU has 76.8.
Json whole_or_real(double value) {
  return value == std::floor(value) ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

/// Energy, time and accuracy belong to a job: a plain load, which never ends, has none, and no front.
Json row_json(const AppProfile& app, const CharacteriseRow& row, bool on_front) {
  const auto of_job = [&](double value) {
    return app.plain_load ? Json(nullptr) : number_or_null(value);
  };
  Json one{{"unit", row.unit}, {"mhz", whole_or_real(row.mhz)}, {"cores", row.cores}};
  add_level(one, app, row.level);
  one["time_ms"] = of_job(row.time_ms);
  one["power_mw"] = number_or_null(row.power_mw);
  one["energy_mj"] = of_job(row.energy_mj);
  one["accuracy_pct"] = of_job(row.accuracy_pct);
  one["temp_c"] = number_or_null(row.temp_c);
  if (!app.plain_load) one["pareto"] = on_front;
  return one;
}

struct Points {
  std::vector<CharacteriseRow> rows;
  std::vector<bool> front;  ///< of each
};

/// "best" is null when nothing meets the budget, and only then there is a "nearest".
void add_best(const AppProfile& app, const Points& points, const Budget& budget, Json& json) {
  Json& asked = json["budget"] = Json::object();
  if (std::isfinite(budget.time_ms)) asked["time_ms"] = whole_or_real(budget.time_ms);
  if (std::isfinite(budget.energy_mj)) asked["energy_mj"] = whole_or_real(budget.energy_mj);
  if (budget.accuracy_pct > 0) asked["accuracy_pct"] = whole_or_real(budget.accuracy_pct);
  const auto best = best_within(points.rows, budget);
  const std::size_t row = best.value_or(nearest_to(points.rows, budget));
  json["best"] = nullptr;
  json[best ? "best" : "nearest"] = row_json(app, points.rows[row], points.front[row]);
}

Json to_json(const GovernedPlatform& governed, const AppProfile& app, const Points& points,
             const CharacteriseOptions& options) {
  Json json{{"schema", 1}, {"platform", governed.spec.name}, {"app", app.name}};
  Json& apps = json["apps"] = Json::array();
  for (const AppProfile& each : governed.spec.apps) apps.push_back(each.name);
  json["profile"] = governed.profile.empty() ? Json(nullptr) : Json(governed.profile);
  json["times_source"] = governed.notes;
  json["warnings"] = warnings_of(governed.spec);
  if (options.has_budget) add_best(app, points, options.budget, json);
  Json& list = json["rows"] = Json::array();
  for (std::size_t r = 0; r < points.rows.size(); ++r)
    if (!options.only_front || points.front[r])
      list.push_back(row_json(app, points.rows[r], points.front[r]));
  return json;
}

/// "A7 at 700 MHz, 1 core, 100 %: 504 ms, 71 mJ, 141 mW, 71.2 % top-1".
std::string point_text(const AppProfile& app, const CharacteriseRow& row) {
  return fmt::format("{} at {:g} MHz, {} core{}, {}: {} ms, {} mJ ({} mW), {} % top-1", row.unit,
                     row.mhz, row.cores, row.cores == 1 ? "" : "s", app.level_text(row.level),
                     fixed(row.time_ms, 2), fixed(row.energy_mj, 2), fixed(row.power_mw, 1),
                     fixed(row.accuracy_pct, 1));
}

std::string best_text(const AppProfile& app, const Points& points, const Budget& budget) {
  std::vector<std::string> asked;
  if (std::isfinite(budget.time_ms)) asked.push_back(fmt::format("{:g} ms", budget.time_ms));
  if (std::isfinite(budget.energy_mj)) asked.push_back(fmt::format("{:g} mJ", budget.energy_mj));
  if (budget.accuracy_pct > 0) asked.push_back(fmt::format("{:g} % top-1", budget.accuracy_pct));
  const std::string within = joined(asked);
  if (const auto best = best_within(points.rows, budget))
    return fmt::format("Best of {} within {}: {}\n", app.name, within,
                       point_text(app, points.rows[*best]));
  return fmt::format("Nothing that {} can do meets {}; nearest: {}\n", app.name, within,
                     point_text(app, points.rows[nearest_to(points.rows, budget)]));
}

std::string to_text(const PlatformSpec& platform, const AppProfile& app, const Points& points,
                    bool only_front) {
  std::vector<Table::Column> table_columns = level_columns(app);
  table_columns.insert(table_columns.begin(), {{"unit", ""}, {"clock", "MHz"}, {"cores", ""}});
  table_columns.insert(table_columns.end(), {{"time", "ms"},
                                             {"power", "mW"},
                                             {"energy", "mJ"},
                                             {"accuracy", "% top-1"},
                                             {"temp", "C"},
                                             {"front", ""}});
  Table table(std::move(table_columns));
  const auto of_job = [&](double value, int decimals) {
    return app.plain_load ? "-" : fixed(value, decimals);
  };
  for (std::size_t r = 0; r < points.rows.size(); ++r) {
    const CharacteriseRow& row = points.rows[r];
    if (only_front && !points.front[r]) continue;
    std::vector<std::string> cells = level_cells(app, row.level);
    cells.insert(cells.begin(),
                 {row.unit, fmt::format("{:g}", row.mhz), fmt::to_string(row.cores)});
    cells.insert(cells.end(),
                 {of_job(row.time_ms, 2), fixed(row.power_mw, 1), of_job(row.energy_mj, 2),
                  of_job(row.accuracy_pct, 1), fixed(row.temp_c, 1), points.front[r] ? "*" : ""});
    table.add_row(std::move(cells));
  }
  std::string text =
      fmt::format("{} on {}, from the model: each row alone, settled at 25 C ambient\n\n", app.name,
                  platform.name);
  const int columns = Terminal::of(STDOUT_FILENO).columns;
  text += table.render(columns);
  text += "\nPower is that of the unit's rail; temp is the hottest node's.\n";
  if (!app.plain_load)
    text += "* is the Pareto front: nothing else is as quick, as cheap and as accurate.\n";
  if (app.plain_load)
    text +=
        fmt::format("{} is a plain load: it has no time, energy or accuracy per job.\n", app.name);
  if (platform.apps.size() > 1) {
    std::vector<std::string> names;
    for (const AppProfile& each : platform.apps) names.push_back(each.name);
    text += wrapped(fmt::format("--app takes one of {}.", joined(names)), columns);
  }
  for (const std::string& note : accuracy_notes(app)) text += wrapped(note, columns);
  return text;
}

std::string notes_text(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += wrapped(note, Terminal::of(STDOUT_FILENO).columns);
  return text;
}

int run_characterise(const CharacteriseOptions& options) {
  if (options.figure.empty() != options.out.empty())
    input_error(options.out.empty() ? "--figure " + options.figure : "--out " + options.out,
                "a figure has a name and a file", "give both, --figure NAME --out FILE.svg");
  check_standard_output(options.out, options.json);
  if (!options.out.empty()) check_figure_output(options.out);
  const GovernedPlatform governed = load_governed_platform(options.platform, options.profile);
  const PlatformSpec& platform = governed.spec;
  const AppProfile& app = app_of(platform, options.app);
  if (app.plain_load && (options.has_budget || options.only_front))
    input_error(fmt::format("application '{}'", app.name),
                "is a plain load, which has no jobs that take time and energy",
                "name another with '--app', or leave out the budget and '--pareto'");
  Points points{characterise(platform, app), {}};
  points.front = app.plain_load ? std::vector<bool>(points.rows.size()) : pareto_front(points.rows);
  if (!options.figure.empty()) {
    // The same figures as a report of this verb's JSON has.
    const report::Figure figure =
        report::characterise_figure(to_json(governed, app, points, options), options.figure);
    write_figure(options.out, figure);
    if (is_standard_output(options.out)) return 0;
    write_result(options.json
                     ? json_text({{"schema", 1}, {"points", figure.points()}, {"out", options.out}})
                     : fmt::format("wrote {} ({} points)\n", options.out, figure.points()));
  } else if (options.json) {
    write_result(json_text(to_json(governed, app, points, options)));
  } else if (options.has_budget) {
    write_result(best_text(app, points, options.budget) + notes_text(governed.notes) +
                 notes_text(platform.warnings));
  } else {
    write_result(to_text(platform, app, points, options.only_front) + notes_text(governed.notes) +
                 notes_text(platform.warnings));
  }
  return 0;
}

/// A part of the budget: a positive number.
void budget_option(CLI::App& parser, const std::string& flag, CharacteriseOptions& options,
                   double Budget::*part, double most, const std::string& help) {
  parser
      .add_option_function<std::string>(
          flag,
          [=, &options](const std::string& text) {
            double value{};
            const char* end = text.data() + text.size();
            const auto [stop, code] = std::from_chars(text.data(), end, value);
            if (code != std::errc() || stop != end || !(value > 0 && value <= most))
              input_error(fmt::format("{} {}", flag, text),
                          fmt::format("is not a number above 0, up to {:g}", most),
                          fmt::format("give one, as in '{} 50'", flag));
            options.budget.*part = value;
            options.has_budget = true;
          },
          help)
      ->type_name("N");
}

}  // namespace

Verb add_characterise(CLI::App& program) {
  auto options = std::make_shared<CharacteriseOptions>();
  CLI::App* parser = program.add_subcommand(
      "characterise",
      "Print time, power, energy and temperature of every unit, clock, core count and level, the "
      "Pareto front, or the best of them within a budget");
  parser->add_option("--platform", options->platform, "A platform's name or its file")
      ->required()
      ->type_name("NAME|FILE");
  parser
      ->add_option(
          "--app", options->app,
          "What runs (default dynamic_cnn, or the first with jobs); the result names all there are")
      ->type_name("NAME");
  budget_option(*parser, "--time-ms", *options, &Budget::time_ms, 1e9,
                "What a job may take: asks for the best point");
  budget_option(*parser, "--energy-mj", *options, &Budget::energy_mj, 1e9,
                "What a job may spend: asks for the best point");
  budget_option(*parser, "--accuracy-pct", *options, &Budget::accuracy_pct, 100,
                "What the level has to reach: asks for the best point");
  parser->add_flag("--pareto", options->only_front,
                   "Only the Pareto front of time, energy and accuracy");
  parser
      ->add_option("--figure", options->figure,
                   "Draw instead: energy_time (energy against time, with the front) or power_time")
      ->type_name("NAME");
  parser->add_option("--out", options->out, "The file for the figure, .svg or .png")->type_name("FILE");
  profile_option(*parser, options->profile);
  json_option(*parser, options->json);
  parser->footer(
      "The best point within a budget is the most accurate one, of those the cheapest.\n"
      "Example:\n  flyball characterise --platform odroid_xu3 --app dynamic_cnn --json\n"
      "  flyball characterise --platform odroid_xu3 --time-ms 200 --energy-mj 150\n"
      "  flyball characterise --platform odroid_xu3 --figure energy_time --out xu3.svg");
  return {parser, [options] { return run_characterise(*options); }};
}

}  // namespace flyball::cli
