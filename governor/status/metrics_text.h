#pragma once

#include <string>
#include <vector>

#include "governor/status/status_page.h"

namespace flyball {

/// How a file of metrics begins, whatever the governor does.
inline constexpr const char* kMetricsStart = "# HELP flyball_info ";

/// A family of metrics as Prometheus names them: base units, and what is counted ends in "_total".
struct MetricFamily {
  const char* name;
  const char* type;  ///< "gauge" or "counter"
  const char* help;
};
/// All that there can be.
const std::vector<MetricFamily>& metric_families();

/// What a governor shows of itself in Prometheus' text format 0.0.4. What is not known is absent.
std::string metrics_text(const StatusFacts& facts, const StatusNow& now, std::int64_t at_ns);

}  // namespace flyball
