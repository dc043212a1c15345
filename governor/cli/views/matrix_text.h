#pragma once

#include <string>

#include "governor/cli/json.h"
#include "governor/cli/views/comparison_report.h"
#include "governor/compare/standing.h"

namespace flyball::cli {

/// "rule *": how the marks of a ranking are written behind a name, in colour on a terminal.
std::string marked(const std::string& policy, Rank::Mark mark, bool colour);
/// What they mean, and when there are too few seeds to tell; for people.
std::string marks_legend(const MatrixStatistics& statistics);
Json ranking_json(const MatrixResults& results, const MatrixStatistics& statistics);

/// All cells together, best first, then energy and misses cell by cell.
std::string matrix_text(const MatrixResults& results, const ComparisonOutput& output);
/// What all cells together say, beside each cell's own JSON.
Json matrix_json(const MatrixResults& results, const MatrixStatistics& statistics);

}  // namespace flyball::cli
