#include "governor/cli/views/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "governor/metrics/paired.h"

namespace flyball::cli {
namespace {

std::vector<double> values_of(const PolicyResult& result, const MetricField& field) {
  std::vector<double> values;
  for (const Metrics& metrics : result.per_seed) values.push_back(metrics.*(field.value));
  return values;
}

/// Whose tail matters as much as the mean.
bool has_tail(std::string_view key) {
  return key == "deadline_miss_pct" || key == "temp_peak_c" || key == "throttled_s";
}

/// Of which the JSON has every seed, for those who look at distributions and pairs (`report`).
bool has_seeds(std::string_view key) {
  return key == "energy_mj_per_job" || key == "deadline_miss_pct" || key == "infeasible_pct" ||
         key == "latency_p99_ms";
}

PairedDifference difference(const PolicyResult& mine, const PolicyResult& theirs,
                            const MetricField& field) {
  return paired_difference(values_of(mine, field), values_of(theirs, field));
}

/// As shares of the other's mean, %.
PairedDifference relative(PairedDifference off, const PolicyResult& theirs,
                          const MetricField& field) {
  const double per_pct = 100 / estimate(values_of(theirs, field)).mean;
  off.mean *= per_pct, off.lo *= per_pct, off.hi *= per_pct;
  return off;
}

std::string interval_text(const PairedDifference& off, int decimals) {
  if (!std::isfinite(off.mean)) return "-";
  if (off.pairs < 2) return fmt::format("{:+.{}f}", off.mean, decimals);
  return fmt::format("{:+.{}f} [{:+.{}f}, {:+.{}f}]", off.mean, decimals, off.lo, decimals, off.hi,
                     decimals);
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of("\",\n") == text.npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace

const PolicyResult* policy_of(const std::vector<PolicyResult>& results, const std::string& policy) {
  const auto found = std::ranges::find(results, policy, &PolicyResult::policy);
  return found == results.end() ? nullptr : &*found;
}

Json figure_json(const PolicyResult& result, const MetricField& field) {
  std::vector<double> values = values_of(result, field);
  const Estimate figure = estimate(values);
  Json json{{"mean", number_or_null(figure.mean)},
            {"ci95", {number_or_null(figure.lo), number_or_null(figure.hi)}}};
  if (has_seeds(field.key)) {
    Json& seeds = json["per_seed"] = Json::array();
    for (const double value : values) seeds.push_back(number_or_null(value));
  }
  if (!has_tail(field.key)) return json;
  json["cvar10"] = number_or_null(tail_mean(values));
  json["worst"] =
      std::isfinite(figure.mean) ? Json(*std::ranges::max_element(values)) : Json(nullptr);
  return json;
}

Json differences_json(const std::vector<PolicyResult>& results, const std::string& against) {
  const PolicyResult& theirs = *policy_of(results, against);
  Json json{{"against", against}};
  Json& rows = json["policies"] = Json::array();
  for (const PolicyResult& mine : results) {
    if (&mine == &theirs) continue;
    Json row{{"policy", mine.policy}};
    for (const MetricField& field : metric_fields()) {
      if (!field.shown || field.value == &Metrics::decide_p50_ns) continue;
      const PairedDifference off = difference(mine, theirs, field);
      row[std::string(field.key)] = {{"mean", number_or_null(off.mean)},
                                     {"ci95", {number_or_null(off.lo), number_or_null(off.hi)}},
                                     {"below", number_or_null(off.below)}};
    }
    rows.push_back(row);
  }
  return json;
}

Json requirements_json(const std::vector<RequirementResult>& judged) {
  Json rows = Json::array();
  for (const RequirementResult& one : judged) {
    rows.push_back({{"policy", one.policy},
                    {"metric", one.required.field->key},
                    {"relation", one.required.at_most ? "<=" : ">="},
                    {"bound", one.required.bound},
                    {"value", number_or_null(one.value)},
                    {"met", one.met}});
  }
  return rows;
}

std::string requirement_text(const RequirementResult& one) {
  return fmt::format(
      "{}: {} {}, required {} {:g}", one.policy, one.required.field->key,
      std::isfinite(one.value) ? fmt::format("is {:.6g}", one.value) : "has no figure",
      one.required.at_most ? "<=" : ">=", one.required.bound);
}

Table differences(const std::vector<PolicyResult>& results, const std::string& against) {
  const PolicyResult& theirs = *policy_of(results, against);
  const auto field = [](std::string_view key) {
    return *std::ranges::find(metric_fields(), key, &MetricField::key);
  };
  const MetricField energy = field("energy_mj_per_job"), missed = field("deadline_miss_pct"),
                    latency = field("latency_p99_ms");
  Table table({{"policy", ""},
               {"energy", "%"},
               {"less energy", "share of seeds"},
               {"missed", "points"},
               {"latency p99", "ms"}});
  for (const PolicyResult& mine : results) {
    if (mine.policy == against) continue;
    const PairedDifference off = difference(mine, theirs, energy);
    table.add_row({mine.policy, interval_text(relative(off, theirs, energy), 2),
                   fixed(off.below, 2), interval_text(difference(mine, theirs, missed), 2),
                   interval_text(difference(mine, theirs, latency), 2)});
  }
  return table;
}

std::string comparison_csv(const std::vector<PolicyResult>& results, const std::string& platform,
                           const std::string& scenario, std::uint64_t first_seed) {
  std::string text = "platform,scenario,policy,seed";
  for (const MetricField& field : metric_fields()) text += fmt::format(",{}", field.key);
  text += '\n';
  for (const PolicyResult& result : results) {
    for (std::size_t i = 0; i < result.per_seed.size(); ++i) {
      text += fmt::format("{},{},{},{}", csv_cell(platform), csv_cell(scenario),
                          csv_cell(result.policy), first_seed + i);
      for (const MetricField& field : metric_fields()) {
        const double value = result.per_seed[i].*(field.value);
        text += std::isfinite(value) ? fmt::format(",{}", value) : ",";
      }
      text += '\n';
    }
  }
  return text;
}

std::string explained(const MetricField& field) {
  return fmt::format("{}\n  shown as  {}\n  unit      {}\n  {}", field.key, field.heading,
                     field.unit.empty() ? "a number" : field.unit, field.definition);
}

}  // namespace flyball::cli
