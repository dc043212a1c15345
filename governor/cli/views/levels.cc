#include "governor/cli/views/levels.h"

#include <cmath>
#include <cstdint>

namespace flyball::cli {
namespace {

Json value_json(const std::string& value) {
  const std::optional<double> number = number_of(value);
  if (!number) return value;
  constexpr double kExact = 1e15;  // whole numbers up to here are whole in a double
  return *number == std::floor(*number) && std::abs(*number) < kExact
             ? Json(static_cast<std::int64_t>(*number))
             : Json(*number);
}

}  // namespace

void add_level(Json& json, const AppProfile& app, int level) {
  const KnobValues& values = app.levels[static_cast<std::size_t>(level)].knob;
  for (std::size_t k = 0; k < app.knobs.size(); ++k)
    json[column_name(app.knobs[k])] = value_json(app.knobs[k].values[values[k]]);
}

std::vector<Table::Column> level_columns(const AppProfile& app) {
  std::vector<Table::Column> columns;
  for (const QualityKnob& knob : app.knobs) {
    if (knob.qualifies) continue;
    Table::Column column{knob.name, knob.unit};
    column.left = !number_of(knob.values[0]);
    columns.push_back(column);
  }
  return columns;
}

std::vector<std::string> level_cells(const AppProfile& app, int level) {
  const KnobValues& values = app.levels[static_cast<std::size_t>(level)].knob;
  std::vector<std::string> cells;
  for (std::size_t k = 0; k < app.knobs.size(); ++k) {
    const QualityKnob& knob = app.knobs[k];
    if (!knob.qualifies)
      cells.push_back(knob.values[values[k]]);
    else if (values[k] + std::size_t{1} < knob.values.size())
      cells.back() += " " + knob.values[values[k]];
  }
  return cells;
}

}  // namespace flyball::cli
