#pragma once

#include <string>
#include <vector>

#include "governor/compare/matrix_results.h"
#include "governor/compare/requirements.h"

namespace CLI {
class App;
}

namespace flyball::cli {

/// How `compare` and `merge` print what was found, and what they judge by it.
struct ComparisonOutput {
  bool json = false, markdown = false;
  std::string csv;  ///< where to, "-": standard output; empty: nowhere
  std::vector<MetricRequirement> required;
  std::vector<const MetricField*> columns;  ///< in the tables; empty: as always
};
void add_comparison_output(CLI::App& parser, ComparisonOutput& output);
/// Throws Error (kInput) on what cannot be had together or written.
void check_comparison_output(const ComparisonOutput& output);

/// Writes it, the seeds that are there. The exit code; throws Error (kFailure) where something is required
/// and not met.
int report_comparison(const MatrixResults& results, const ComparisonOutput& output);

}  // namespace flyball::cli
