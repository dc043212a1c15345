#include "governor/cli/views/comparison_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "agents/agent.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/terminal.h"
#include "governor/cli/views/bounds.h"
#include "governor/cli/views/comparison.h"
#include "governor/cli/views/matrix_text.h"
#include "governor/cli/views/metrics_table.h"
#include "governor/cli/views/statistic_words.h"
#include "governor/compare/standing.h"
#include "governor/metrics/paired.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/error.h"
#include "kernels/base/output_file.h"

namespace flyball::cli {
namespace {

constexpr OutputKind kCsvOutput{"what 'compare --csv' made", "platform,scenario,policy,seed"};

/// What no configuration could have met is nobody's fault: said apart from the misses. The oracle's
/// figure where it is among the policies, since a late policy finds some jobs already lost.
std::string infeasible_note(const std::vector<PolicyResult>& results) {
  const auto oracle = std::find_if(results.begin(), results.end(), [](const PolicyResult& r) {
    const AgentInfo* info = find_agent(r.policy);
    return info != nullptr && info->knows_future;
  });
  const PolicyResult& shown = oracle == results.end() ? results.front() : *oracle;
  const double share = estimate_of(shown.per_seed, &Metrics::infeasible_pct).mean;
  if (!std::isfinite(share)) return "";
  if (share <= 0)
    return "No job was infeasible: some configuration could have met each, taken alone.\n";
  return fmt::format(
      "{} % of the jobs could not be met by any configuration (the oracle misses them too).\n",
      fixed(share, 2));
}

/// Why a gap to what was found is absent; empty when none is.
std::string gap_note(const CellContext& cell, const std::vector<PolicyResult>& results) {
  if (cell.plain_load) return "";
  if (!cell.energy_wanted)
    return "No gaps of energy: an application wants accuracy or low latency instead.";
  std::string who;
  for (const PolicyResult& result : results) {
    if (std::ranges::find(cell.recorded, result.policy) != cell.recorded.end()) continue;
    const auto absent = [](const Metrics& one) {
      return one.jobs > 0 && (std::isnan(one.energy_gap_to_best_found_pct) ||
                              std::isnan(one.energy_gap_to_informed_pct));
    };
    if (std::ranges::any_of(result.per_seed, absent))
      who += (who.empty() ? "" : ", ") + result.policy;
  }
  const std::string recorded =
      cell.recorded.empty()
          ? ""
          : fmt::format("No gap of {}: a recorded run is held against no simulation.",
                        fmt::join(cell.recorded, ", "));
  if (who.empty()) return recorded;
  return recorded + (recorded.empty() ? "" : " ") +
         fmt::format(
             "No gap to what leaves fewer jobs unmet by more than {} points: {}. The gap to the "
             "bound "
             "is to that of the jobs that a policy met itself.",
             kUnmetPoints, who);
}

/// Why rt-app's efficiency is absent; empty when it is not.
std::string efficiency_note(const CellContext& cell, const std::vector<PolicyResult>& results) {
  if (!cell.plain_load)
    return "rt-app's efficiency is of plain load: with other applications a policy chooses the "
           "work.";
  for (const PolicyResult& result : results) {
    for (const Metrics& one : result.per_seed) {
      if (std::isnan(one.efficiency_pct))
        return "No efficiency: 'powersave' and 'performance' lose the same slack, or no job "
               "finished.";
    }
  }
  return "";
}

std::string differences_heading(const std::string& against) {
  return fmt::format(
      "Against '{}', seed by seed (below 0: less; 95 % interval by paired bootstrap):", against);
}

/// Why figures are absent; empty when none is.
std::string no_jobs_reason(const PolicyResult& result) {
  const auto none = std::count_if(result.per_seed.begin(), result.per_seed.end(),
                                  [](const Metrics& m) { return m.jobs == 0; });
  if (none == 0) return "";
  return fmt::format("no job finished with {} of {} seeds", none, result.per_seed.size());
}

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

/// One cell as if nothing else had been compared, with statistics of its own.
MatrixResults only(const MatrixResults& results, std::size_t cell) {
  MatrixResults one;
  one.policies = results.policies;
  one.against = results.against;
  one.seeds = results.seeds;
  one.first_seed = results.first_seed;
  one.seed_list = results.seed_list;
  one.times = results.times;
  one.cells = {results.cells[cell]};
  for (auto it = results.seeds_done.lower_bound({cell, 0});
       it != results.seeds_done.end() && it->first.first == cell; ++it)
    one.seeds_done[{0, it->first.second}] = it->second;
  return one;
}

constexpr const char* kTwoSeeds =
    "two seeds say next to nothing of others: intervals are as wide as one degree of freedom makes "
    "them "
    "(t is 12.7)";

/// What there are too few seeds for, or hardly enough.
void add_seed_notes(Json& json, int seeds) {
  if (seeds == 2) json["wide_interval_reason"] = kTwoSeeds;
  if (static_cast<std::size_t>(seeds) < kTailValues)
    json["no_cvar10_reason"] = fmt::format(
        "of fewer than {} seeds the worst is all that is known of the worst tenth", kTailValues);
}

Json cell_json(const MatrixResults& results) {
  const CellContext& cell = results.cells.front();
  const Comparison comparison = results.comparison(0);
  const MatrixStatistics statistics(results);
  Json json{{"schema", 1},
            {"platform", cell.platform},
            {"scenario", cell.scenario},
            {"seeds", results.seeds}};
  json["first_seed"] = results.first_seed;
  if (!results.seed_list.empty()) json["seed_list"] = results.seed_list;
  json["profile"] = or_null(cell.profile);
  json["belief"] = or_null(cell.belief);
  Json& files = json["policy_files"] = Json::object();
  for (const auto& [policy, file] : cell.policy_files) files[policy] = or_null(file);
  json["notes"] = cell.notes;
  if (!cell.recorded.empty()) json["recorded"] = cell.recorded;
  json["bounds"] = bounds_json(comparison);
  json["no_gap_reason"] = or_null(gap_note(cell, comparison.policies));
  json["no_efficiency_reason"] = or_null(efficiency_note(cell, comparison.policies));
  if (results.seeds < 2)
    json["no_interval_reason"] = "one seed says nothing of how far others are from it";
  add_seed_notes(json, results.seeds);
  json["warnings"] = cell.warnings;
  json["energy_wanted"] = cell.energy_wanted;
  Json& rows = json["policies"] = Json::array();
  for (const PolicyResult& result : comparison.policies) {
    Json row{{"policy", result.policy}};
    Json absent = Json::object();
    for (const MetricField& field : metric_fields()) {
      const std::string key(field.key);
      row[key] = figure_json(result, field);
      if (const std::string why = absent_reason(result, field); !why.empty()) absent[key] = why;
    }
    if (!absent.empty()) row["absent"] = absent;
    if (const std::string reason = no_jobs_reason(result); !reason.empty()) row["reason"] = reason;
    rows.push_back(row);
  }
  json["differences"] = differences_json(comparison.policies, results.against, statistics);
  json["ranking"] = ranking_json(results, statistics);
  return json;
}

/// A failure where something is required and not met; the result has been written.
int comparison_verdict(const std::vector<RequirementResult>& judged) {
  std::string unmet;
  for (const RequirementResult& one : judged)
    if (!one.met) unmet += (unmet.empty() ? "" : "; ") + requirement_text(one);
  if (!unmet.empty()) failure("--require", unmet, "choose another policy, or require less");
  return 0;
}

std::string cell_text(const MatrixResults& results, const ComparisonOutput& output) {
  const CellContext& cell = results.cells.front();
  const Comparison comparison = results.comparison(0);
  const MatrixStatistics statistics(results);
  const Terminal terminal = Terminal::of(STDOUT_FILENO);
  std::vector<PolicyResult> ranked;
  std::vector<MetricsRow> rows;
  for (const Rank& rank : statistics.ranking()) {
    ranked.push_back(comparison.policies[rank.policy]);
    // One alone is the best of nothing.
    const Rank::Mark mark = results.policies.size() > 1 ? rank.mark : Rank::Mark::kNone;
    rows.push_back({marked(ranked.back().policy, mark, terminal.colour && !output.markdown),
                    ranked.back().per_seed});
  }
  std::string text =
      fmt::format("{} on {}, {}, {}\n\n", cell.scenario, cell.platform, seeds_text(results, ""),
                  cell.recorded.size() == results.policies.size() ? "recorded" : "simulated");
  std::vector<MetricView> columns = metric_views();
  const auto none_has = [&](double Metrics::*value) {
    return std::ranges::none_of(ranked, [&](const PolicyResult& result) {
      return std::ranges::any_of(result.per_seed,
                                 [&](const Metrics& m) { return std::isfinite(m.*value); });
    });
  };
  std::erase_if(columns, [&](const MetricView& v) {
    return v.key == "infeasible_pct" ||
           (v.key == "over_budget_pct" && none_has(&Metrics::over_budget_pct)) ||
           (v.measured && !results.times) || (v.key == "efficiency_pct" && !cell.plain_load) ||
           (cell.plain_load && (v.key == "accuracy_pct" || v.key == "utility_pct" ||
                                v.key.starts_with("energy_gap_")));
  });
  if (!output.columns.empty()) {
    columns.clear();
    for (const MetricField* field : output.columns) columns.push_back(*field);
  }
  if (output.markdown) {
    text += metrics_table(rows, columns).markdown();
    if (ranked.size() > 1)
      text += fmt::format("\n{}\n\n", differences_heading(results.against)) +
              differences(ranked, results.against).markdown();
    return text;
  }
  text += metrics_table(rows, columns).render(terminal.columns) + '\n';
  if (results.seeds == 1)
    text += "One seed: there are no intervals.\n";
  else
    text +=
        fmt::format("Mean {} half the width of its 95 % interval over the seeds.\n", plus_minus());
  if (results.seeds == 2) text += wrapped(fmt::format("Note: {}.", kTwoSeeds), terminal.columns);
  if (ranked.size() > 1) {
    text += wrapped(marks_legend(statistics), terminal.columns);
    text += fmt::format("\n{}\n\n", differences_heading(results.against));
    text += differences(ranked, results.against).render(terminal.columns) + '\n';
  }
  const std::vector<PolicyResult>& policies = comparison.policies;
  // Of records alone nobody tried any other configuration.
  if (cell.recorded.size() < policies.size()) text += infeasible_note(policies);
  if (const std::string bounds = bounds_text(comparison); !bounds.empty())
    text += wrapped(bounds, terminal.columns);
  if (const std::string note = gap_note(cell, policies); !note.empty())
    text += wrapped(note, terminal.columns);
  if (const std::string note = efficiency_note(cell, policies); cell.plain_load && !note.empty())
    text += wrapped(note, terminal.columns);
  for (const PolicyResult& result : policies) {
    if (const std::string reason = no_jobs_reason(result); !reason.empty())
      text += wrapped(fmt::format("{}: {}: '-' has no figure.", result.policy, reason),
                      terminal.columns);
  }
  for (const MetricField* field : output.columns) {
    if (none_has(field->value) && !field->absent.empty())
      text += wrapped(fmt::format("No {}: {}.", field->key, field->absent), terminal.columns);
  }
  for (const std::string& note : cell.notes) text += wrapped(note + ".", terminal.columns);
  for (const std::string& note : cell.footnotes) text += wrapped(note, terminal.columns);
  return text;
}

std::vector<RequirementResult> judged_by(const MatrixResults& results,
                                         const std::vector<MetricRequirement>& required) {
  std::vector<RequirementResult> all;
  for (std::size_t c = 0; c < results.cells.size(); ++c) {
    for (RequirementResult one : judge_requirements(required, results.comparison(c).policies)) {
      if (results.cells.size() > 1)
        one.where = fmt::format("{} on {}", results.cells[c].scenario, results.cells[c].platform);
      all.push_back(std::move(one));
    }
  }
  return all;
}

/// Cells that have no seed yet have nothing to show.
MatrixResults with_seeds(const MatrixResults& results) {
  MatrixResults some = results;
  some.cells.clear();
  some.seeds_done.clear();
  for (std::size_t c = 0; c < results.cells.size(); ++c) {
    const std::size_t to = some.cells.size();
    bool any = false;
    for (const auto& [unit, figures] : results.seeds_done) {
      if (unit.first != c) continue;
      some.seeds_done[{to, unit.second}] = figures;
      any = true;
    }
    if (any) some.cells.push_back(results.cells[c]);
  }
  return some;
}

Json whole_json(const MatrixResults& results, bool single) {
  if (single) return cell_json(results);
  Json json{{"schema", 2}, {"seeds", results.seeds}, {"first_seed", results.first_seed}};
  if (!results.seed_list.empty()) json["seed_list"] = results.seed_list;
  if (results.seeds < 2)
    json["no_interval_reason"] = "one seed says nothing of how far others are from it";
  add_seed_notes(json, results.seeds);
  json.update(matrix_json(results, MatrixStatistics(results)));
  Json& cells = json["cells"] = Json::array();
  for (std::size_t c = 0; c < results.cells.size(); ++c)
    cells.push_back(cell_json(only(results, c)));
  return json;
}

}  // namespace

void add_comparison_output(CLI::App& parser, ComparisonOutput& output) {
  parser
      .add_option_function<std::string>(
          "--require",
          [&output](const std::string& text) {
            output.required = parse_requirements("--require", text);
          },
          "Fail (exit 1) unless the means are so, as in "
          "'deadline_miss_pct<=1,rule:accuracy_pct>=62'; "
          "without a policy, of all but those that know the future")
      ->type_name("METRIC<=X,...");
  parser
      .add_option_function<std::string>(
          "--columns",
          [&output](const std::string& text) {
            output.columns.clear();
            for (const MetricField& field : metric_fields())
              if (text == "all") output.columns.push_back(&field);
            if (text == "all") return;
            for (const std::string& key : split_names("--columns", text))
              output.columns.push_back(&metric_of("--columns", key));
          },
          "Which to show in tables: keys of the JSON, or 'all'")
      ->type_name("METRIC[,METRIC...]");
  parser
      .add_option_function<std::string>(
          "--explain",
          [](const std::string& key) {
            if (const std::string text = explained_statistic(key); !text.empty())
              throw CLI::CallForVersion(text, CLI::ExitCodes::Success);
            throw CLI::CallForVersion(explained(metric_of("--explain", key)),
                                      CLI::ExitCodes::Success);
          },
          "Say what a metric is, or what is made of it (" + statistic_names() +
              "), and do nothing else")
      ->type_name("METRIC");
  json_option(parser, output.json);
  parser
      .add_option_function<std::string>(
          "--csv", [&output](const std::string& file) { output.csv = file.empty() ? "-" : file; },
          "Every seed's figures as CSV, into a file beside the result, or in place of it ('-', or "
          "no "
          "name)")
      ->type_name("FILE|-")
      ->expected(0, 1);
  parser.add_flag("--markdown", output.markdown, "Print the tables as Markdown");
}

void check_comparison_output(const ComparisonOutput& output) {
  const char* const result = output.json ? "--json" : "--markdown";
  if (output.csv == "-" && (output.json || output.markdown))
    input_error(fmt::format("--csv and {}", result), "both would be standard output",
                "leave one out, or name a file for --csv");
  if (output.json && output.markdown)
    input_error("--json and --markdown", "both would be standard output", "leave one out");
  if (!output.csv.empty() && output.csv != "-")
    check_output("--csv " + output.csv, output.csv, kCsvOutput);
}

int report_comparison(const MatrixResults& all, const ComparisonOutput& output) {
  const bool single = all.cells.size() == 1;
  const MatrixResults results = with_seeds(all);
  const std::vector<RequirementResult> judged = judged_by(results, output.required);
  if (!output.csv.empty() && output.csv != "-")
    write_file_atomically(output.csv, comparison_csv(results));
  const std::size_t lacking = all.units_of_shard() - all.seeds_done.size();
  if (output.csv == "-") {
    write_result(comparison_csv(results));
  } else if (output.json) {
    Json json = whole_json(results, single);
    if (lacking > 0)
      json["partial"] = {{"seeds_done", all.seeds_done.size()}, {"seeds", all.units_of_shard()}};
    if (!output.required.empty()) json["requirements"] = requirements_json(judged);
    write_result(json_text(json));
  } else {
    std::string text;
    if (lacking > 0)
      text = fmt::format(
          "PARTIAL: {} of {} seeds done, in each comparison the same for all policies.\n",
          all.seeds_done.size(), all.units_of_shard());
    text += single ? cell_text(results, output) : matrix_text(results, output);
    if (!output.markdown)
      for (const RequirementResult& one : judged)
        text += fmt::format("{}: {}\n", one.met ? "met" : "NOT MET", requirement_text(one));
    write_result(text);
  }
  return lacking > 0 ? 0 : comparison_verdict(judged);
}

}  // namespace flyball::cli
