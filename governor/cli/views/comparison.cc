#include "governor/cli/views/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

/// Of which the JSON has every seed, for those who look at distributions and pairs (`report`).
bool has_seeds(std::string_view key) {
  return key == "energy_mj_per_job" || key == "deadline_miss_pct" || key == "infeasible_pct" ||
         key == "latency_p99_ms" || key == "utility_pct";
}

PairedDifference difference(const PolicyResult& mine, const PolicyResult& theirs,
                            const MetricField& field) {
  return paired_difference(values_of(mine, field), values_of(theirs, field));
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

std::string absent_reason(const PolicyResult& result, const MetricField& field) {
  if (std::isfinite(estimate(values_of(result, field)).mean)) return "";
  return std::string(field.absent);
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
  if (!field.tail) return json;
  // The worst of what should be high is the lowest.
  const double sign = field.better == MetricField::Better::kMore ? -1 : 1;
  for (double& value : values) value *= sign;
  json["cvar10"] = number_or_null(sign * tail_mean(values));
  json["worst"] =
      std::isfinite(figure.mean) ? Json(sign * *std::ranges::max_element(values)) : Json(nullptr);
  return json;
}

Json differences_json(const std::vector<PolicyResult>& results, const std::string& against,
                      const MatrixStatistics& statistics) {
  const PolicyResult& theirs = *policy_of(results, against);
  Json json{{"against", against}};
  std::vector<Json> rows;
  for (const PolicyResult& mine : results) rows.push_back({{"policy", mine.policy}});
  const auto reference = static_cast<std::size_t>(&theirs - results.data());
  for (const MetricField& field : metric_fields()) {
    if (field.measured) continue;
    const std::vector<Difference> tested = statistics.differences(reference, field);
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (i == reference) continue;
      const PairedDifference off = difference(results[i], theirs, field);
      rows[i][std::string(field.key)] = {{"mean", number_or_null(off.mean)},
                                         {"ci95", {number_or_null(off.lo), number_or_null(off.hi)}},
                                         {"below", number_or_null(off.below)},
                                         {"improvement", number_or_null(tested[i].improvement)},
                                         {"p", number_or_null(tested[i].p)},
                                         {"p_holm", number_or_null(tested[i].p_holm)},
                                         {"effect_size", number_or_null(tested[i].effect)}};
    }
  }
  rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(reference));
  json["policies"] = std::move(rows);
  return json;
}

Json requirements_json(const std::vector<RequirementResult>& judged) {
  Json rows = Json::array();
  for (const RequirementResult& one : judged) {
    Json row{{"policy", one.policy}};
    if (!one.where.empty()) row["cell"] = one.where;
    row.update({{"metric", one.required.field->key},
                {"relation", one.required.at_most ? "<=" : ">="},
                {"bound", one.required.bound},
                {"value", number_or_null(one.value)},
                {"met", one.met}});
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string requirement_text(const RequirementResult& one) {
  return fmt::format(
      "{}{}: {} {}, required {} {:g}", one.policy,
      one.where.empty() ? "" : fmt::format(" in {}", one.where), one.required.field->key,
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
    const PairedDifference ratio =
        paired_ratio_pct(values_of(mine, energy), values_of(theirs, energy));
    table.add_row({mine.policy, interval_text(ratio, 2), fixed(off.below, 2),
                   interval_text(difference(mine, theirs, missed), 2),
                   interval_text(difference(mine, theirs, latency), 2)});
  }
  return table;
}

std::string seeds_text(const MatrixResults& results, std::string_view each) {
  const std::string count =
      fmt::format("{} seed{}{}", results.seeds, results.seeds == 1 ? "" : "s", each);
  if (results.seed_list.empty()) return fmt::format("{} from {}", count, results.first_seed);
  constexpr std::size_t kNamed = 10;
  return results.seed_list.size() > kNamed
             ? fmt::format("{} between {} and {}", count, results.seed_list.front(),
                           results.seed_list.back())
             : fmt::format("{} ({})", count, fmt::join(results.seed_list, ", "));
}

std::string comparison_csv(const MatrixResults& results) {
  std::string text = "platform,scenario,policy,seed";
  for (const MetricField& field : metric_fields()) text += fmt::format(",{}", field.key);
  text += '\n';
  for (std::size_t c = 0; c < results.cells.size(); ++c) {
    for (std::size_t p = 0; p < results.policies.size(); ++p) {
      for (int s = 0; s < results.seeds; ++s) {
        const auto found = results.seeds_done.find({c, static_cast<std::size_t>(s)});
        if (found == results.seeds_done.end()) continue;
        text += fmt::format("{},{},{},{}", csv_cell(results.cells[c].platform),
                            csv_cell(results.cells[c].scenario), csv_cell(results.policies[p]),
                            results.seed(static_cast<std::size_t>(s)));
        for (const MetricField& field : metric_fields()) {
          const double value = found->second.policies[p].*(field.value);
          text += std::isfinite(value) ? fmt::format(",{}", value) : ",";
        }
        text += '\n';
      }
    }
  }
  return text;
}

std::string explained(const MetricField& field) {
  constexpr std::string_view kBetter[] = {"less", "more", "neither"};
  return fmt::format("{}\n  shown as  {}\n  unit      {}\n  better    {}\n  formula   {}\n  {}{}",
                     field.key, field.heading, field.unit.empty() ? "a number" : field.unit,
                     kBetter[static_cast<std::size_t>(field.better)], field.formula,
                     field.definition,
                     field.absent.empty() ? "" : fmt::format("\n  Absent where {}.", field.absent));
}

}  // namespace flyball::cli
