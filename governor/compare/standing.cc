#include "governor/compare/standing.h"

#include <algorithm>
#include <cmath>

#include "agents/agent.h"
#include "governor/metrics/paired.h"
#include "kernels/base/det_math.h"

namespace flyball {
namespace {

constexpr double kNoFigure = Standing::kNone;
constexpr double kSignificance = 0.05;

std::vector<double> pooled(const Strata& values) {
  std::vector<double> all;
  for (const auto& stratum : values)
    for (const double value : stratum)
      if (std::isfinite(value)) all.push_back(value);
  return all;
}

template <typename Change>
Strata changed(Strata values, const Change& change) {
  for (auto& stratum : values)
    for (double& value : stratum) value = std::isfinite(value) ? change(value) : kNoFigure;
  return values;
}

/// Seeds on which nobody was late do not say that nobody ever is: the interval is at least that of a share
/// of as many jobs.
Interval as_share_of_jobs(const Standing& missed, const Strata& jobs) {
  double cells = 0, inverse = 0;
  for (const auto& stratum : jobs) {
    double all = 0;
    bool any = false;
    for (const double count : stratum) {
      if (!std::isfinite(count)) continue;
      any = true;
      all += count;
    }
    // Where none finished, all were dropped: it is a cell of the mean, and tells little.
    if (any) ++cells, inverse += 1 / std::max(all, 1.0);
  }
  if (cells == 0 || !std::isfinite(missed.ci95.lo)) return missed.ci95;
  const Interval share =
      interval_of_share(std::clamp(missed.mean / 100, 0.0, 1.0), cells * cells / inverse);
  return {std::clamp(std::min(missed.ci95.lo, 100 * share.lo), 0.0, 100.0),
          std::clamp(std::max(missed.ci95.hi, 100 * share.hi), 0.0, 100.0)};
}

std::vector<std::size_t> pairs_of(const std::vector<Comparison>& cells) {
  std::vector<std::size_t> pairs;
  for (const Comparison& cell : cells) pairs.push_back(cell.policies.front().per_seed.size());
  return pairs;
}

std::vector<Comparison> cells_with_seeds(const MatrixResults& results) {
  std::vector<Comparison> cells;
  for (std::size_t c = 0; c < results.cells.size(); ++c) {
    Comparison cell = results.comparison(c);
    if (!cell.policies.empty() && !cell.policies.front().per_seed.empty())
      cells.push_back(std::move(cell));
  }
  return cells;
}

}  // namespace

MatrixStatistics::MatrixStatistics(const MatrixResults& results)
    : policies_(results.policies),
      cells_(cells_with_seeds(results)),
      pairs_(pairs_of(cells_)),
      energy_wanted_(std::ranges::all_of(results.cells, &CellContext::energy_wanted)),
      bootstrap_(pairs_) {}

Strata MatrixStatistics::values(std::size_t policy, const MetricField& field) const {
  Strata strata;
  for (const Comparison& cell : cells_) {
    auto& stratum = strata.emplace_back();
    for (const Metrics& metrics : cell.policies[policy].per_seed)
      stratum.push_back(metrics.*field.value);
  }
  return strata;
}

Strata MatrixStatistics::differences_of(std::size_t mine, std::size_t theirs,
                                        const MetricField& field) const {
  Strata off = values(mine, field);
  const Strata other = values(theirs, field);
  for (std::size_t s = 0; s < off.size(); ++s) {
    for (std::size_t i = 0; i < off[s].size(); ++i) {
      double& value = off[s][i];
      if (!field.ratio)
        value -= other[s][i];
      else
        value = value > 0 && other[s][i] > 0 ? det_log(value / other[s][i]) : kNoFigure;
    }
  }
  return off;
}

Standing MatrixStatistics::standing(std::size_t policy, const MetricField& field) const {
  const Strata strata = values(policy, field);
  Standing standing;
  standing.mean = stratified_mean(strata);
  standing.ci95 = bootstrap_.mean(strata);
  if (field.value == &Metrics::deadline_miss_pct)
    standing.ci95 = as_share_of_jobs(standing, values(policy, field_of(&Metrics::jobs)));
  for (const auto& stratum : strata)
    standing.cells += std::ranges::any_of(stratum, [](double v) { return std::isfinite(v); });
  if (field.tail) {
    // The worst of what should be high is the lowest.
    const double sign = field.better == MetricField::Better::kMore ? -1 : 1;
    const Strata signed_values = changed(strata, [&](double value) { return sign * value; });
    // Cells differ in scale: the worst tenth is of each.
    Strata tails;
    bool all_have = true;
    for (const auto& stratum : signed_values) {
      std::vector<double> of = pooled({stratum});
      if (of.empty()) continue;
      tails.push_back({tail_mean(std::move(of))});
      all_have = all_have && std::isfinite(tails.back().front());
    }
    if (all_have) standing.cvar10 = sign * stratified_mean(tails);
    const std::vector<double> all = pooled(signed_values);
    if (!all.empty()) standing.worst = sign * *std::ranges::max_element(all);
  } else if (field.better != MetricField::Better::kNeither) {
    standing.iqm = interquartile_mean(strata);
    standing.iqm_ci95 = bootstrap_.interquartile_mean(strata);
  }
  return standing;
}

std::vector<Difference> MatrixStatistics::differences(std::size_t against,
                                                      const MetricField& field) const {
  std::vector<Difference> all(policies_.size());
  std::vector<double> p(policies_.size(), kNoFigure);
  const double better = field.better == MetricField::Better::kMore ? 1 : -1;
  for (std::size_t i = 0; i < policies_.size(); ++i) {
    if (i == against) continue;
    const Strata off = differences_of(i, against, field);
    Difference& one = all[i];
    one.pairs = static_cast<int>(pooled(off).size());
    one.mean = stratified_mean(off);
    one.ci95 = bootstrap_.mean(off);
    if (field.ratio) {
      for (double* value : {&one.mean, &one.ci95.lo, &one.ci95.hi})
        *value = 100 * (det_exp(*value) - 1);
    }
    one.effect = paired_effect(off);
    p[i] = one.p = sign_flip_p(off);
    if (field.better == MetricField::Better::kNeither) continue;
    const Strata improved = changed(off, [&](double value) {
      return value == 0 ? 0.5 : value * better > 0 ? 1.0 : 0.0;
    });
    one.improvement = stratified_mean(improved);
    one.improvement_ci95 = interval_of_shares(improved);
  }
  const std::vector<double> adjusted = holm(p);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].p_holm = adjusted[i];
  return all;
}

Standing MatrixStatistics::optimality_gap_pct(std::size_t policy) const {
  const Strata gaps =
      changed(values(policy, field_of(&Metrics::energy_gap_to_bound_pct)),
              [](double gap) { return 100 * std::max(0.0, 1 - 1 / (1 + gap / 100)); });
  Standing standing;
  standing.mean = stratified_mean(gaps);
  standing.ci95 = bootstrap_.mean(gaps);
  for (const auto& stratum : gaps)
    standing.cells += std::ranges::any_of(stratum, [](double v) { return std::isfinite(v); });
  return standing;
}

Strata MatrixStatistics::late_misses(std::size_t policy) const {
  Strata missed = values(policy, field_of(&Metrics::deadline_miss_pct));
  const Strata infeasible = values(policy, field_of(&Metrics::infeasible_pct));
  for (std::size_t s = 0; s < missed.size(); ++s)
    for (std::size_t i = 0; i < missed[s].size(); ++i)
      if (std::isfinite(infeasible[s][i])) missed[s][i] -= infeasible[s][i];
  return missed;
}

Standing MatrixStatistics::profile(std::size_t policy, double tau) const {
  std::vector<Strata> energies;
  for (std::size_t p = 0; p < policies_.size(); ++p) {
    Strata energy = values(p, field_of(&Metrics::energy_mj_per_job));
    const Strata late = late_misses(p);
    for (std::size_t s = 0; s < energy.size(); ++s)
      for (std::size_t i = 0; i < energy[s].size(); ++i)
        if (!(late[s][i] <= kOnTimeMissPct) || !(energy[s][i] > 0)) energy[s][i] = INFINITY;
    energies.push_back(std::move(energy));
  }
  Strata within = energies[policy];
  const Strata missed = late_misses(policy);
  for (std::size_t s = 0; s < within.size(); ++s) {
    for (std::size_t i = 0; i < within[s].size(); ++i) {
      double least = INFINITY;
      for (const Strata& one : energies) least = std::min(least, one[s][i]);
      const bool close = std::isfinite(within[s][i]) && within[s][i] <= tau * least;
      // Where no job came there was nothing to be late with.
      within[s][i] = !std::isfinite(missed[s][i]) ? kNoFigure : close ? 1 : 0;
    }
  }
  Standing standing;
  standing.mean = stratified_mean(within);
  standing.ci95 = interval_of_shares(within);
  return standing;
}

const MetricField& MatrixStatistics::criterion() const {
  return field_of(energy_wanted_ ? &Metrics::energy_mj_per_job : &Metrics::utility_pct);
}

int MatrixStatistics::pairs() const {
  std::size_t all = 0;
  for (const std::size_t pairs : pairs_) all += pairs;
  return static_cast<int>(all);
}

int MatrixStatistics::pairs_needed() const {
  // All signs alike are as likely as 2 in 2^n, and Holm takes that once for each other policy.
  const auto others = static_cast<double>(std::max<std::size_t>(1, policies_.size() - 1));
  int pairs = 1;
  while (std::ldexp(2 * others, -pairs) >= kSignificance) ++pairs;
  return pairs;
}

std::vector<Rank> MatrixStatistics::ranking() const {
  const MetricField& by = criterion();
  struct Place {
    Rank rank;
    bool late = false;
    double value = 0;  ///< the less the better; NaN last
  };
  std::vector<Place> places;
  for (std::size_t p = 0; p < policies_.size(); ++p) {
    Place place{{p, Rank::Mark::kNone}};
    const AgentInfo* const info = find_agent(policies_[p]);
    for (const auto& stratum : late_misses(p))
      place.late = place.late || stratified_mean({stratum}) > kOnTimeMissPct;
    const Strata figures = values(p, by);
    // Platforms differ in scale: what ranks is the geometric mean.
    place.value = by.ratio ? stratified_mean(changed(
                                 figures, [](double v) { return v > 0 ? det_log(v) : kNoFigure; }))
                           : -stratified_mean(figures);
    if (info != nullptr && (info->knows_future || info->searched))
      place.rank.mark = Rank::Mark::kYardstick;
    else if (place.late)
      place.rank.mark = Rank::Mark::kLate;
    places.push_back(place);
  }
  std::ranges::stable_sort(places, [](const Place& a, const Place& b) {
    if (a.late != b.late) return b.late;
    return a.value < b.value || (std::isfinite(a.value) && !std::isfinite(b.value));
  });
  std::vector<Rank> ranks;
  for (const Place& place : places) ranks.push_back(place.rank);
  const auto best = std::ranges::find(ranks, Rank::Mark::kNone, &Rank::mark);
  if (best == ranks.end() || !std::isfinite(stratified_mean(values(best->policy, by))))
    return ranks;
  best->mark = Rank::Mark::kBest;
  if (pairs() < pairs_needed()) return ranks;
  std::vector<double> p(ranks.size(), kNoFigure);
  for (std::size_t i = 0; i < ranks.size(); ++i)
    if (ranks[i].mark == Rank::Mark::kNone)
      p[i] = sign_flip_p(differences_of(ranks[i].policy, best->policy, by));
  const std::vector<double> adjusted = holm(p);
  for (std::size_t i = 0; i < ranks.size(); ++i)
    if (adjusted[i] >= kSignificance) ranks[i].mark = Rank::Mark::kTied;
  return ranks;
}

}  // namespace flyball
