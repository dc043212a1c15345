#pragma once

#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "governor/compare/matrix_results.h"

namespace flyball::cli {

/// What was found doubtful in the files that a verb loaded, a line each; shown by every verb that
/// loads them, in JSON as "warnings".
std::vector<std::string> warnings_of(const PlatformSpec& platform,
                                     const std::vector<Scenario>& scenarios = {});
/// Those of all its cells, each once.
std::vector<std::string> warnings_of(const MatrixResults& results);
/// On standard error, before the work.
void show_warnings(const std::vector<std::string>& warnings);

}  // namespace flyball::cli
