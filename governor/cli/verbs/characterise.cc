#include "env/model/characterise.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <memory>

#include "env/config/yaml.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/views/accuracy.h"
#include "governor/cli/views/levels.h"
#include "governor/cli/views/warnings.h"
#include "governor/machine/governed_platform.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct CharacteriseOptions {
  std::string platform;
  std::string profile;
  std::string app = "dynamic_cnn";
  bool json = false;
};

/// 1800 rather than 1800.0; the Jetson's GPU has 76.8.
Json whole_or_real(double value) {
  return value == std::floor(value) ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

/// Energy, time and accuracy belong to a job: a plain load, which never ends, has none.
Json to_json(const GovernedPlatform& governed, const AppProfile& app,
             const std::vector<CharacteriseRow>& rows) {
  Json json{{"schema", 1}, {"platform", governed.spec.name}, {"app", app.name}};
  json["profile"] = governed.profile.empty() ? Json(nullptr) : Json(governed.profile);
  json["times_source"] = governed.notes;
  json["warnings"] = warnings_of(governed.spec);
  Json& list = json["rows"] = Json::array();
  const auto of_job = [&](double value) {
    return app.plain_load ? Json(nullptr) : number_or_null(value);
  };
  for (const CharacteriseRow& row : rows) {
    Json one{{"unit", row.unit}, {"mhz", whole_or_real(row.mhz)}, {"cores", row.cores}};
    add_level(one, app, row.level);
    one["time_ms"] = of_job(row.time_ms);
    one["power_mw"] = number_or_null(row.power_mw);
    one["energy_mj"] = of_job(row.energy_mj);
    one["accuracy_pct"] = of_job(row.accuracy_pct);
    one["temp_c"] = number_or_null(row.temp_c);
    list.push_back(std::move(one));
  }
  return json;
}

std::string to_text(const PlatformSpec& platform, const AppProfile& app,
                    const std::vector<CharacteriseRow>& rows) {
  std::vector<Table::Column> table_columns = level_columns(app);
  table_columns.insert(table_columns.begin(), {{"unit", ""}, {"clock", "MHz"}, {"cores", ""}});
  table_columns.insert(
      table_columns.end(),
      {{"time", "ms"}, {"power", "mW"}, {"energy", "mJ"}, {"accuracy", "% top-1"}, {"temp", "C"}});
  Table table(std::move(table_columns));
  const auto of_job = [&](double value, int decimals) {
    return app.plain_load ? "-" : fixed(value, decimals);
  };
  for (const CharacteriseRow& row : rows) {
    std::vector<std::string> cells = level_cells(app, row.level);
    cells.insert(cells.begin(),
                 {row.unit, fmt::format("{:g}", row.mhz), fmt::to_string(row.cores)});
    cells.insert(cells.end(),
                 {of_job(row.time_ms, 2), fixed(row.power_mw, 1), of_job(row.energy_mj, 2),
                  of_job(row.accuracy_pct, 1), fixed(row.temp_c, 1)});
    table.add_row(std::move(cells));
  }
  std::string text =
      fmt::format("{} on {}, from the model: each row alone, settled at 25 C ambient\n\n", app.name,
                  platform.name);
  const int columns = Terminal::of(STDOUT_FILENO).columns;
  text += table.render(columns);
  text += "\nPower is that of the unit's rail; temp is the hottest node's.\n";
  if (app.plain_load)
    text +=
        fmt::format("{} is a plain load: it has no time, energy or accuracy per job.\n", app.name);
  for (const std::string& note : accuracy_notes(app)) text += wrapped(note, columns);
  return text;
}

std::string notes_text(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += wrapped(note, Terminal::of(STDOUT_FILENO).columns);
  return text;
}

int run_characterise(const CharacteriseOptions& options) {
  const GovernedPlatform governed = load_governed_platform(options.platform, options.profile);
  const PlatformSpec& platform = governed.spec;
  const AppProfile& app = platform.apps[find_app_or_throw(platform, options.app)];
  const std::vector<CharacteriseRow> rows = characterise(platform, app);
  write_result(options.json ? json_text(to_json(governed, app, rows))
                            : to_text(platform, app, rows) + notes_text(governed.notes) +
                                  notes_text(platform.warnings));
  return 0;
}

}  // namespace

Verb add_characterise(CLI::App& program) {
  auto options = std::make_shared<CharacteriseOptions>();
  CLI::App* parser = program.add_subcommand(
      "characterise",
      "Print time, power, energy and temperature of every unit, clock, core count and level");
  parser->add_option("--platform", options->platform, "A platform's name or its file")
      ->required()
      ->type_name("NAME|FILE");
  parser
      ->add_option("--app", options->app,
                   "What runs: dynamic_cnn, whetstone or busy (default dynamic_cnn)")
      ->type_name("NAME");
  profile_option(*parser, options->profile);
  json_option(*parser, options->json);
  parser->footer("Example:\n  flyball characterise --platform odroid_xu3 --app dynamic_cnn --json");
  return {parser, [options] { return run_characterise(*options); }};
}

}  // namespace flyball::cli
