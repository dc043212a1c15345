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
    halves.push_back(row.per_seed.size() > 1 ? fixed((figure.hi - figure.lo) / 2, view.decimals)
                                             : "");
    widest = std::max(widest, halves.back().size());
  }
  std::vector<std::string> cells;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::string sign = halves[r].empty() || halves[r] == "-" ? "" : plus_minus();
    cells.push_back(sign.empty() ? means[r]
                                 : fmt::format("{} {} {:>{}}", means[r], sign, halves[r], widest));
  }
  return cells;
}

}  // namespace

const std::vector<MetricView>& metric_views() {
  static const std::vector<MetricView> views = {
      {"energy_mj_per_job", "energy", "mJ/job", 2, &Metrics::energy_mj_per_job},
      {"deadline_miss_pct", "missed", "% of jobs", 2, &Metrics::deadline_miss_pct},
      {"infeasible_pct", "infeasible", "% of jobs", 2, &Metrics::infeasible_pct},
      {"accuracy_pct", "accuracy", "% top-1", 2, &Metrics::accuracy_pct},
      {"latency_p50_ms", "latency p50", "ms", 2, &Metrics::latency_p50_ms},
      {"latency_p99_ms", "latency p99", "ms", 2, &Metrics::latency_p99_ms},
      {"power_mean_mw", "mean power", "mW", 0, &Metrics::power_mean_mw},
      {"temp_peak_c", "peak temp", "C", 1, &Metrics::temp_peak_c},
      {"throttled_s", "throttled", "s", 1, &Metrics::throttled_s},
      {"transitions", "clock changes", "", 0, &Metrics::transitions},
      {"migrations", "migrations", "", 0, &Metrics::migrations},
      {"width_switches", "width switches", "", 0, &Metrics::width_switches},
      {"decide_p50_ns", "decide p50", "ns", 0, &Metrics::decide_p50_ns},
      {"energy_gap_to_oracle_pct", "gap to oracle", "% energy", 1,
       &Metrics::energy_gap_to_oracle_pct},
  };
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
