#include "governor/cli/views/counterfactual.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "kernels/base/counted.h"

namespace flyball::cli {
namespace {

const std::vector<const MetricField*>& figures() {
  static const std::vector<const MetricField*> fields = [] {
    std::vector<const MetricField*> of;
    for (const auto value :
         {&Metrics::energy_mj_per_job, &Metrics::power_mean_mw, &Metrics::deadline_miss_pct,
          &Metrics::latency_p50_ms, &Metrics::latency_p99_ms, &Metrics::accuracy_pct,
          &Metrics::temp_peak_c, &Metrics::throttled_s})
      of.push_back(&field_of(value));
    return of;
  }();
  return fields;
}

/// With its sign.
std::string difference(double value, int decimals) {
  const std::string text = fixed(value, decimals);
  return text == "-" || text[0] == '-' ? text : "+" + text;
}

}  // namespace

Json counterfactual_json(const Counterfactual& found) {
  Json json{{"reason", found.refusal.empty() ? Json(nullptr) : Json(found.refusal)}};
  if (!found.refusal.empty()) return json;
  json["unknown_work_jobs"] = found.open_jobs;
  json["job_time_error_pct"] = number_or_null(found.time_error_pct);
  json["assumed"] = found.assumed;
  Json& of = json["figures"] = Json::object();
  for (const MetricField* field : figures()) {
    const double recorded = found.recorded.*field->value, replayed = found.replayed.*field->value;
    const double other = found.other.*field->value;
    of[std::string(field->key)] = {{"recorded", number_or_null(recorded)},
                                   {"replayed", number_or_null(replayed)},
                                   {"model_error", number_or_null(replayed - recorded)},
                                   {"policy", number_or_null(other)},
                                   {"difference", number_or_null(other - replayed)}};
  }
  return json;
}

std::string counterfactual_text(const Counterfactual& found, const std::string& policy,
                                int columns) {
  if (!found.refusal.empty()) return wrapped("No simulation: " + found.refusal + ".", columns);
  Table table({{"by simulation", "", true},
               {"unit", "", true},
               {"recorded", ""},
               {"replayed", ""},
               {"model error", ""},
               {policy, ""},
               {"difference", ""}});
  for (const MetricField* field : figures()) {
    const double recorded = found.recorded.*field->value, replayed = found.replayed.*field->value;
    const double other = found.other.*field->value;
    const int decimals = std::max(1, field->decimals);
    table.add_row({std::string(field->heading), std::string(field->unit), fixed(recorded, decimals),
                   fixed(replayed, decimals), difference(replayed - recorded, decimals),
                   fixed(other, decimals), difference(other - replayed, decimals)});
  }
  std::string text = table.render(columns) + '\n';
  text += wrapped(
      fmt::format(
          "Replayed: the record's own decisions in the simulation. What a simulation says is "
          "as good as its model, of which the model error is the measure{}. The difference is "
          "between "
          "{} and what was replayed.",
          std::isfinite(found.time_error_pct)
              ? fmt::format("; the jobs' times are met within {:.2g} % in the mean",
                            found.time_error_pct)
              : "",
          policy),
      columns);
  if (found.open_jobs > 0)
    text +=
        wrapped(fmt::format("{} dropped or open at the end: what that was is taken to be as the "
                            "others in the mean.",
                            counted(static_cast<std::int64_t>(found.open_jobs), "job") +
                                (found.open_jobs == 1 ? " was" : " were")),
                columns);
  for (const std::string& assumed : found.assumed)
    text += wrapped(fmt::format("Assumed: {}.", assumed), columns);
  return text;
}

}  // namespace flyball::cli
