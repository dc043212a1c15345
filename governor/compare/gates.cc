#include "governor/compare/gates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "agents/agent.h"
#include "kernels/base/random.h"

namespace flyball {
namespace {

constexpr int kResamples = 1000;
constexpr std::uint64_t kResampleSeed = 1;

template <class Row>
using RowsOf = std::vector<const Row*>;
using Rows = RowsOf<EvaluateRow>;
using Figure = std::function<double(const EvaluateRow&)>;

/// Mean over the rows whose figure exists.
double mean(const Rows& rows, const Figure& figure) {
  double sum = 0;
  int count = 0;
  for (const EvaluateRow* row : rows) {
    const double value = figure(*row);
    if (!std::isfinite(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / count : EvaluateRow::kNothing;
}

/// Percentile bootstrap over seeds: all rows of a seed come or stay away together.
template <class Row, class Statistic>
Estimate bootstrap(const RowsOf<Row>& rows, const Statistic& statistic) {
  std::map<std::uint64_t, RowsOf<Row>> by_seed;
  for (const Row* row : rows) by_seed[row->seed].push_back(row);
  Estimate estimate;
  estimate.mean = statistic(rows);
  estimate.lo = estimate.hi = EvaluateRow::kNothing;
  if (by_seed.size() < 2) return estimate;
  std::vector<const RowsOf<Row>*> seeds;
  for (const auto& [seed, of_seed] : by_seed) seeds.push_back(&of_seed);
  Random random(kResampleSeed);
  std::vector<double> values;
  for (int i = 0; i < kResamples; ++i) {
    RowsOf<Row> sample;
    for (std::size_t s = 0; s < seeds.size(); ++s) {
      const RowsOf<Row>& one = *seeds[random.below(static_cast<std::uint32_t>(seeds.size()))];
      sample.insert(sample.end(), one.begin(), one.end());
    }
    const double value = statistic(sample);
    if (std::isfinite(value)) values.push_back(value);
  }
  if (values.empty()) return estimate;
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  estimate.lo = at(0.025);
  estimate.hi = at(0.975);
  return estimate;
}

double prior_gap(const EvaluateRow& row) { return row.prior_gap_pct; }
double gap(const EvaluateRow& row) { return row.gap_after_500_jobs_pct; }
double later_points(const EvaluateRow& row) { return row.later_gap_pct - row.prior_later_gap_pct; }
double jobs_lost(const EvaluateRow& row) { return row.jobs_lost; }

double gone_pct(const Rows& rows) {
  const double before = mean(rows, prior_gap);
  return before > 0 ? 100 * (1 - mean(rows, gap) / before) : EvaluateRow::kNothing;
}

GroupFigures figures(const std::vector<Rows>& pairs) {
  GroupFigures group;
  group.pairs = static_cast<int>(pairs.size());
  Rows all;
  for (const Rows& pair : pairs) all.insert(all.end(), pair.begin(), pair.end());
  const auto of = [&](const Figure& figure) {
    return bootstrap(all, [&](const Rows& rows) { return mean(rows, figure); });
  };
  group.prior_gap_pct = of(prior_gap);
  group.gap_pct = of(gap);
  group.gone_pct = bootstrap(all, gone_pct);
  group.later_points = of(later_points);
  group.jobs_lost = of(jobs_lost);
  group.jobs_to_5 = of([](const EvaluateRow& row) { return row.jobs_to_5_pct; });
  group.missed_pct = of([](const EvaluateRow& row) { return row.deadline_miss_pct; });
  group.avoidable_pct = of([](const EvaluateRow& row) { return row.avoidable_miss_pct; });
  group.runs = static_cast<int>(all.size());
  group.reached_5 =
      static_cast<int>(std::count_if(all.begin(), all.end(), [](const EvaluateRow* row) {
        return std::isfinite(row->jobs_to_5_pct);
      }));
  return group;
}

/// `excess` of a pair is above 0 where the demand is not met.
Gate gate(std::string demand, const std::vector<Rows>& pairs,
          const std::function<double(const Rows&)>& figure, double limit) {
  Gate result;
  result.demand = std::move(demand);
  result.pairs = static_cast<int>(pairs.size());
  for (const Rows& pair : pairs) {
    const double value = figure(pair);
    result.met += value <= limit;
    if (result.worst_pair.empty() || value > result.worst) {
      result.worst = value;
      result.worst_pair = pair.front()->board + ", " + pair.front()->scenario;
    }
  }
  return result;
}

AgentVerdict verdict(const std::string& agent, const Rows& rows) {
  std::map<std::pair<std::string, std::string>, Rows> by_pair;
  for (const EvaluateRow* row : rows) by_pair[{row->board, row->scenario}].push_back(row);
  const GateLimits limits;
  std::vector<Rows> wrong, right;
  for (auto& [name, pair] : by_pair) {
    const bool counts =
        pair.front()->observable && mean(pair, prior_gap) >= limits.wrong_belief_pct;
    (counts ? wrong : right).push_back(std::move(pair));
  }
  const AgentInfo* const info = find_agent(agent);
  const bool other_learner = info != nullptr && info->learns && !info->corrects_belief;
  const double gap_limit = other_learner ? limits.other_gap_pct : limits.gap_pct;
  AgentVerdict result{agent, figures(wrong), figures(right), {}};
  const auto of = [](const Figure& figure) {
    return [figure](const Rows& pair) { return mean(pair, figure); };
  };
  result.gates = {
      gate(fmt::format("wrong belief: at most {:g} % above the informed policy after 500 jobs",
                       gap_limit),
           wrong, of(gap), gap_limit),
      gate(
          fmt::format("wrong belief: at most {:g} % of the gap left after 500 jobs",
                      100 * (1 - limits.gone)),
          wrong, [](const Rows& pair) { return 100 - gone_pct(pair); }, 100 * (1 - limits.gone)),
      gate(fmt::format("elsewhere: at most {:g} points worse than '{}' after 500 jobs",
                       limits.worse_points, kPriorPolicy),
           right, of(later_points), limits.worse_points),
      gate(fmt::format("elsewhere: at most {:g} jobs' energy lost before", limits.jobs_lost), right,
           of(jobs_lost), limits.jobs_lost)};
  return result;
}

}  // namespace

std::vector<AblationVerdict> ablation_verdicts(const std::vector<AblationRow>& rows) {
  using Spoilt = RowsOf<AblationRow>;
  std::vector<std::string> order;
  std::map<std::string, std::map<std::pair<std::string, std::string>, Spoilt>> by_agent;
  for (const AblationRow& row : rows) {
    if (!by_agent.contains(row.agent)) order.push_back(row.agent);
    by_agent[row.agent][{row.board, row.scenario}].push_back(&row);
  }
  const auto mean_of = [](const Spoilt& some, const auto& figure) {
    double sum = 0;
    for (const AblationRow* row : some) sum += figure(*row);
    return some.empty() ? EvaluateRow::kNothing : sum / static_cast<double>(some.size());
  };
  const auto prior = [](const AblationRow& row) { return row.prior_gap_pct; };
  const auto gained = [](const AblationRow& row) { return row.prior_gap_pct - row.gap_pct; };
  std::vector<AblationVerdict> results;
  for (const std::string& agent : order) {
    AblationVerdict result;
    result.agent = agent;
    Spoilt counted;
    for (const auto& [name, pair] : by_agent[agent]) {
      if (!pair.front()->observable || mean_of(pair, prior) < GateLimits().wrong_belief_pct)
        continue;
      ++result.pairs;
      counted.insert(counted.end(), pair.begin(), pair.end());
    }
    result.gained_points =
        bootstrap(counted, [&](const Spoilt& some) { return mean_of(some, gained); });
    for (std::size_t how = 0; how < result.lost_pct.size(); ++how) {
      result.lost_pct[how] = bootstrap(counted, [&](const Spoilt& some) {
        const double lost = mean_of(
            some, [how](const AblationRow& row) { return row.spoilt_gap_pct[how] - row.gap_pct; });
        return 100 * lost / mean_of(some, gained);
      });
    }
    results.push_back(result);
  }
  return results;
}

std::vector<AgentVerdict> verdicts(const std::vector<EvaluateRow>& rows) {
  std::vector<std::string> order;
  std::map<std::string, Rows> by_agent;
  for (const EvaluateRow& row : rows) {
    if (!by_agent.contains(row.agent)) order.push_back(row.agent);
    by_agent[row.agent].push_back(&row);
  }
  std::vector<AgentVerdict> results;
  for (const std::string& agent : order) results.push_back(verdict(agent, by_agent[agent]));
  return results;
}

}  // namespace flyball
