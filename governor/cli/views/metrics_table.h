#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "governor/cli/table.h"
#include "governor/metrics/metrics.h"

namespace flyball::cli {

using MetricView = MetricField;
/// Every figure that `compare` prints, in order.
const std::vector<MetricView>& metric_views();

struct MetricsRow {
  std::string name;
  std::vector<Metrics> per_seed;
};
/// A row per policy; "mean ± half width" where there are several seeds.
Table metrics_table(const std::vector<MetricsRow>& rows, const std::vector<MetricView>& views);

Estimate estimate_of(const std::vector<Metrics>& per_seed, double Metrics::*value);

/// "±", or "+-" where the locale cannot show it.
std::string plus_minus();

}  // namespace flyball::cli
