#include "env/scenario/load_work.h"

#include <fmt/format.h>

#include <cmath>

namespace flyball {

std::vector<WorkTrend> load_work(const YamlMap& app, std::int64_t start_ns, std::int64_t stop_ns) {
  std::vector<WorkTrend> trends;
  if (!app.has("work")) return trends;
  const YamlMap work = app.map("work", {"drift_pct_per_s", "ramps"});
  const double start_s = static_cast<double>(start_ns) * 1e-9;
  const double stop_s = static_cast<double>(stop_ns) * 1e-9;
  if (work.has("drift_pct_per_s")) {
    const double per_s = work.number("drift_pct_per_s", -100, 1000) / 100;
    const double at_last = 1 + per_s * (stop_s - start_s);
    if (at_last < kLeastWork || at_last > kMostWork) {
      work.reject("drift_pct_per_s",
                  fmt::format("comes to {:.3g} times the work at {:g} s", at_last, stop_s),
                  fmt::format("let it come to {:g} to {:g} times", kLeastWork, kMostWork));
    }
    trends.push_back({start_ns, stop_ns, 1, at_last});
  }
  for (const YamlMap& ramp : work.list("ramps", {"from_s", "to_s", "factor"})) {
    const double from_s = ramp.number("from_s", 0, stop_s), to_s = ramp.number("to_s", 0, stop_s);
    if (to_s < from_s) ramp.reject("to_s", "it ends before it begins", "make it 'from_s' or later");
    trends.push_back({std::llround(from_s * 1e9), std::llround(to_s * 1e9), 1,
                      ramp.number("factor", kLeastWork, kMostWork)});
  }
  if (trends.empty()) {
    input_error(work.where(), "the work does not change", "give 'drift_pct_per_s' or 'ramps'");
  }
  return trends;
}

}  // namespace flyball
