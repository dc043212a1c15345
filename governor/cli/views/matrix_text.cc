#include "governor/cli/views/matrix_text.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/views/comparison.h"

namespace flyball::cli {
namespace {

struct Shown {
  const char* word;
  const char* sign;
  const char* colour;
};
constexpr std::array<Shown, 5> kMarks = {{{"", "", ""},
                                          {"best", " *", "\033[1;32m"},
                                          {"tied", " =", "\033[32m"},
                                          {"late", " !", "\033[31m"},
                                          {"yardstick", " ~", "\033[2m"}}};

constexpr std::array kTaus = {1.0, 1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0};

Json interval_json(const Interval& of) { return {number_or_null(of.lo), number_or_null(of.hi)}; }

Json standing_json(const Standing& of, const MetricField& field) {
  Json json{
      {"mean", number_or_null(of.mean)}, {"ci95", interval_json(of.ci95)}, {"cells", of.cells}};
  if (field.tail) {
    json["worst"] = number_or_null(of.worst);
    json["cvar10"] = number_or_null(of.cvar10);
  } else if (field.better != MetricField::Better::kNeither) {
    json["iqm"] = number_or_null(of.iqm);
    json["iqm_ci95"] = interval_json(of.iqm_ci95);
  }
  return json;
}

Json difference_json(const Difference& of, const MetricField& field) {
  return {{"mean", number_or_null(of.mean)},
          {"unit", field.ratio ? "%" : std::string(field.unit)},
          {"ci95", interval_json(of.ci95)},
          {"improvement", number_or_null(of.improvement)},
          {"improvement_ci95", interval_json(of.improvement_ci95)},
          {"p", number_or_null(of.p)},
          {"p_holm", number_or_null(of.p_holm)},
          {"effect_size", number_or_null(of.effect)},
          {"pairs", of.pairs}};
}

std::string with_ci95(double mean, const Interval& ci95, int decimals, bool sign = false) {
  if (!std::isfinite(mean)) return "-";
  const auto text = [&](double value) {
    return fmt::format("{}{}", sign && value >= 0 ? "+" : "", fixed(value, decimals));
  };
  if (!std::isfinite(ci95.lo)) return text(mean);
  return fmt::format("{} [{}, {}]", text(mean), text(ci95.lo), text(ci95.hi));
}

std::size_t index_of(const MatrixResults& results, const std::string& policy) {
  return static_cast<std::size_t>(std::ranges::find(results.policies, policy) -
                                  results.policies.begin());
}

Table overall(const MatrixResults& results, const MatrixStatistics& statistics,
              const std::vector<Rank>& ranking, bool colour) {
  const std::size_t against = index_of(results, results.against);
  const MetricField& energy = field_of(&Metrics::energy_mj_per_job);
  const MetricField& missed = field_of(&Metrics::deadline_miss_pct);
  const MetricField& gap = field_of(&Metrics::energy_gap_to_bound_pct);
  const MetricField& utility = field_of(&Metrics::utility_pct);
  const MetricField& heat = field_of(&Metrics::temp_peak_c);
  const std::vector<Difference> off = statistics.differences(against, energy);
  Table table({{"policy", ""},
               {"energy against " + results.against, "% [95 %]"},
               {"less in", "share of seeds"},
               {"p", "Holm"},
               {"effect", "d"},
               {"missed", "% [95 %]"},
               {"worst seed", "% missed"},
               {"worst tenth", "% missed"},
               {"utility", "% of best"},
               {"gap to bound", "% [95 %]"},
               {"optimality gap", "%"},
               {"hottest", "C"}});
  for (const Rank& rank : ranking) {
    const std::size_t p = rank.policy;
    const Standing misses = statistics.standing(p, missed);
    const Standing to_bound = statistics.standing(p, gap);
    const bool self = p == against;
    table.add_row({marked(results.policies[p], rank.mark, colour),
                   self ? "" : with_ci95(off[p].mean, off[p].ci95, 1, true),
                   self ? "" : fixed(off[p].improvement, 2), self ? "" : fixed(off[p].p_holm, 3),
                   self ? "" : fixed(off[p].effect, 1), with_ci95(misses.mean, misses.ci95, 2),
                   fixed(misses.worst, 2), fixed(misses.cvar10, 2),
                   fixed(statistics.standing(p, utility).mean, 1),
                   with_ci95(to_bound.mean, to_bound.ci95, 1),
                   fixed(statistics.optimality_gap_pct(p).mean, 1),
                   fixed(statistics.standing(p, heat).worst, 1)});
  }
  return table;
}

Table chosen(const MatrixResults& results, const MatrixStatistics& statistics,
             const std::vector<Rank>& ranking, const std::vector<const MetricField*>& metrics,
             bool colour) {
  std::vector<Table::Column> columns = {{"policy", ""}};
  for (const MetricField* field : metrics)
    columns.push_back({std::string(field->heading), std::string(field->unit)});
  Table table(std::move(columns));
  for (const Rank& rank : ranking) {
    std::vector<std::string> cells = {marked(results.policies[rank.policy], rank.mark, colour)};
    for (const MetricField* field : metrics) {
      const Standing standing = statistics.standing(rank.policy, *field);
      cells.push_back(with_ci95(standing.mean, standing.ci95, field->decimals));
    }
    table.add_row(std::move(cells));
  }
  return table;
}

/// A row per cell, a column per policy.
Table by_cell(const MatrixResults& results, const std::vector<Rank>& ranking,
              const MetricField& field) {
  std::vector<Table::Column> columns = {{std::string(field.heading), std::string(field.unit)}};
  for (const Rank& rank : ranking) columns.push_back({results.policies[rank.policy], ""});
  Table table(std::move(columns));
  for (std::size_t c = 0; c < results.cells.size(); ++c) {
    const Comparison comparison = results.comparison(c);
    if (comparison.policies.front().per_seed.empty()) continue;
    std::vector<std::string> row = {
        fmt::format("{} on {}", results.cells[c].scenario, results.cells[c].platform)};
    for (const Rank& rank : ranking) {
      std::vector<double> values;
      for (const Metrics& metrics : comparison.policies[rank.policy].per_seed)
        values.push_back(metrics.*field.value);
      row.push_back(fixed(estimate(values).mean, field.decimals));
    }
    table.add_row(std::move(row));
  }
  return table;
}

}  // namespace

std::string marked(const std::string& policy, Rank::Mark mark, bool colour) {
  const Shown& shown = kMarks[static_cast<std::size_t>(mark)];
  if (!colour || *shown.colour == '\0') return policy + shown.sign;
  return shown.colour + policy + shown.sign + "\033[0m";
}

std::string marks_legend(const MatrixStatistics& statistics) {
  std::string text = fmt::format(
      "Best first: {} of those that keep their deadlines (miss at most {:g} % of the jobs that "
      "could "
      "be met{}). * best, = not to be told apart from it (sign-flip test of pairs, Holm's "
      "correction, "
      "5 %), ! late, ~ a yardstick, which cannot be deployed.",
      statistics.criterion().key == "utility_pct" ? "most utility" : "least energy", kOnTimeMissPct,
      ", in each scenario");
  if (statistics.pairs() < statistics.pairs_needed())
    text += fmt::format(
        " No ties are marked: {} seed{} cannot tell so many policies apart, {} could.",
        statistics.pairs(), statistics.pairs() == 1 ? "" : "s", statistics.pairs_needed());
  return text;
}

Json ranking_json(const MatrixResults& results, const MatrixStatistics& statistics) {
  Json json{{"by", statistics.criterion().key},
            {"pairs", statistics.pairs()},
            {"pairs_needed", statistics.pairs_needed()}};
  Json& rows = json["policies"] = Json::array();
  for (const Rank& rank : statistics.ranking()) {
    const std::string word = kMarks[static_cast<std::size_t>(rank.mark)].word;
    rows.push_back({{"policy", results.policies[rank.policy]},
                    {"mark", word.empty() ? Json(nullptr) : Json(word)}});
  }
  return json;
}

std::string matrix_text(const MatrixResults& results, const ComparisonOutput& output) {
  const MatrixStatistics statistics(results);
  const std::vector<Rank> ranking = statistics.ranking();
  const Terminal terminal = Terminal::of(STDOUT_FILENO);
  const bool colour = terminal.colour && !output.markdown;
  const auto drawn = [&](const Table& table) {
    return output.markdown ? table.markdown() : table.render(terminal.columns);
  };
  std::string text = fmt::format("{} comparisons, {}, simulated\n\n", results.cells.size(),
                                 seeds_text(results, " each"));
  text += drawn(overall(results, statistics, ranking, colour)) + '\n';
  if (!output.columns.empty())
    text += drawn(chosen(results, statistics, ranking, output.columns, colour)) + '\n';
  text += wrapped(marks_legend(statistics), terminal.columns);
  text += wrapped(
      "Every comparison weighs alike. In brackets 95 % intervals by a bootstrap that draws seeds "
      "within each comparison, for all policies alike; energy is a geometric mean of ratios.",
      terminal.columns);
  text += fmt::format("\n{}\n{}\n",
                      drawn(by_cell(results, ranking, field_of(&Metrics::energy_mj_per_job))),
                      drawn(by_cell(results, ranking, field_of(&Metrics::deadline_miss_pct))));
  std::vector<std::string> said;
  for (const CellContext& cell : results.cells) {
    for (const auto* notes : {&cell.notes, &cell.footnotes}) {
      for (const std::string& note : *notes) {
        const std::string sentence = note.ends_with('.') ? note : note + '.';
        if (std::ranges::find(said, sentence) == said.end()) said.push_back(sentence);
      }
    }
  }
  for (const std::string& sentence : said) text += wrapped(sentence, terminal.columns);
  return text;
}

Json matrix_json(const MatrixResults& results, const MatrixStatistics& statistics) {
  const std::size_t against = index_of(results, results.against);
  std::vector<Json> policies, differences;
  for (const std::string& policy : results.policies) {
    policies.push_back({{"policy", policy}});
    differences.push_back({{"policy", policy}});
  }
  for (const MetricField& field : metric_fields()) {
    const std::string key(field.key);
    if (field.measured && !results.times) continue;
    for (std::size_t p = 0; p < policies.size(); ++p) {
      const Standing standing = statistics.standing(p, field);
      policies[p][key] = standing_json(standing, field);
      if (!std::isfinite(standing.mean) && !field.absent.empty())
        policies[p]["absent"][key] = field.absent;
    }
    if (field.measured) continue;
    const std::vector<Difference> off = statistics.differences(against, field);
    for (std::size_t p = 0; p < policies.size(); ++p)
      if (p != against) differences[p][key] = difference_json(off[p], field);
  }
  Json profiles{{"tau", kTaus}};
  Json& rows = profiles["policies"] = Json::array();
  for (std::size_t p = 0; p < policies.size(); ++p) {
    const Standing gap = statistics.optimality_gap_pct(p);
    policies[p]["optimality_gap_pct"] = {{"mean", number_or_null(gap.mean)},
                                         {"ci95", interval_json(gap.ci95)},
                                         {"cells", gap.cells}};
    Json shares = Json::array(), intervals = Json::array();
    for (const double tau : kTaus) {
      const Standing share = statistics.profile(p, tau);
      shares.push_back(number_or_null(share.mean));
      intervals.push_back(interval_json(share.ci95));
    }
    rows.push_back({{"policy", results.policies[p]}, {"share", shares}, {"ci95", intervals}});
  }
  differences.erase(differences.begin() + static_cast<std::ptrdiff_t>(against));
  return {{"policies", policies},
          {"differences", {{"against", results.against}, {"policies", differences}}},
          {"performance_profiles", profiles},
          {"ranking", ranking_json(results, statistics)}};
}

}  // namespace flyball::cli
