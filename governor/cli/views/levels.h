#pragma once

#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "governor/cli/json.h"
#include "governor/cli/table.h"

namespace flyball::cli {

/// Adds a key for each of the application's own knobs ("width_pct": 75, "precision": "int8").
void add_level(Json& json, const AppProfile& app, int level);

/// Columns of a table that has one for each of them, and their cells; what qualifies another knob
/// stands behind its value ("75 int8").
std::vector<Table::Column> level_columns(const AppProfile& app);
std::vector<std::string> level_cells(const AppProfile& app, int level);

}  // namespace flyball::cli
