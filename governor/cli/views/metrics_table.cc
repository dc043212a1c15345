#include "governor/cli/views/metrics_table.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "governor/cli/terminal.h"

namespace flyball::cli {
namespace {

/// Padded to one width per column, so that the signs stand below each other.
std::vector<std::string> estimates_column(const std::vector<MetricsRow>& rows,
                                          const MetricView& view) {
  std::vector<std::string> means, halves;
  std::size_t widest = 0;
  for (const MetricsRow& row : rows) {
    const Estimate figure = estimate_of(row.per_seed, view.value);
    means.push_back(fixed(figure.mean, view.decimals));
    halves.push_back(fixed((figure.hi - figure.lo) / 2, view.decimals));
    widest = std::max(widest, halves.back().size());
  }
  std::vector<std::string> cells;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::string sign = halves[r] == "-" ? "" : plus_minus();
    cells.push_back(sign.empty() ? means[r]
                                 : fmt::format("{} {} {:>{}}", means[r], sign, halves[r], widest));
  }
  return cells;
}

}  // namespace

const std::vector<MetricView>& metric_views() {
  static const std::vector<MetricView> views = [] {
    std::vector<MetricView> shown = metric_fields();
    std::erase_if(shown, [](const MetricField& field) { return !field.shown; });
    return shown;
  }();
  return views;
}

Table metrics_table(const std::vector<MetricsRow>& rows, const std::vector<MetricView>& views) {
  std::vector<Table::Column> columns = {{"policy", ""}};
  std::vector<std::vector<std::string>> cells(rows.size());
  for (std::size_t r = 0; r < rows.size(); ++r) cells[r].push_back(rows[r].name);
  for (const MetricView& view : views) {
    columns.push_back({std::string(view.heading), std::string(view.unit)});
    const std::vector<std::string> column = estimates_column(rows, view);
    for (std::size_t r = 0; r < rows.size(); ++r) cells[r].push_back(column[r]);
  }
  Table table(std::move(columns));
  for (auto& row : cells) table.add_row(std::move(row));
  return table;
}

Estimate estimate_of(const std::vector<Metrics>& per_seed, double Metrics::*value) {
  std::vector<double> values;
  for (const Metrics& metrics : per_seed) values.push_back(metrics.*value);
  return estimate(values);
}

std::string plus_minus() { return Terminal::of(STDOUT_FILENO).unicode ? "±" : "+-"; }

}  // namespace flyball::cli
