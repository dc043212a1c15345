#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "agents/agent.h"
#include "governor/metrics/paired.h"
#include "governor/report/sections.h"
#include "kernels/base/counted.h"

namespace flyball::report {
namespace {

/// A figure of a policy with its interval over the seeds.
struct Figured {
  double mean = std::nan(""), lo = std::nan(""), hi = std::nan(""), worst = std::nan("");
  std::vector<double> per_seed;
};

struct Policy {
  std::string name;
  bool bound = false;                  ///< knows the future
  bool on_time = false, late = false;  ///< neither, where nothing says
  std::optional<std::string> mark;     ///< in the ranking; none in a file that is older than that
  Figured energy, missed, infeasible, accuracy, latency, power, temp, utility, to_bound;
};

Figured figured(const Json& policy, const char* key) {
  Figured figure;
  const auto found = policy.find(key);
  if (found == policy.end() || found->is_null()) return figure;
  figure.mean = number_at(*found, "mean");
  figure.worst = number_at(*found, "worst");
  if (const auto ci = found->find("ci95"); ci != found->end() && !ci->at(0).is_null()) {
    figure.lo = ci->at(0).get<double>();
    figure.hi = ci->at(1).get<double>();
  }
  if (const auto seeds = found->find("per_seed"); seeds != found->end())
    for (const Json& one : *seeds)
      figure.per_seed.push_back(one.is_null() ? std::nan("") : one.get<double>());
  return figure;
}

/// Misses that some configuration could have avoided.
double avoidable(double missed_pct, double infeasible_pct) {
  return missed_pct - (std::isnan(infeasible_pct) ? 0 : infeasible_pct);
}

/// Where an application wants accuracy or low latency, who needs least energy is not the best.
bool by_utility(const Json& json) { return !json.value("energy_wanted", true); }

std::vector<Policy> policies_of(const Json& json, const Options& options) {
  std::vector<Policy> policies;
  for (const Json& row : json.at("policies")) {
    Policy& policy = policies.emplace_back();
    policy.name = row.at("policy").get<std::string>();
    const AgentInfo* info = find_agent(policy.name);
    policy.bound = info != nullptr && (info->knows_future || info->searched);
    policy.energy = figured(row, "energy_mj_per_job");
    policy.missed = figured(row, "deadline_miss_pct");
    policy.infeasible = figured(row, "infeasible_pct");
    policy.accuracy = figured(row, "accuracy_pct");
    policy.latency = figured(row, "latency_p99_ms");
    policy.power = figured(row, "power_mean_mw");
    policy.temp = figured(row, "temp_peak_c");
    policy.utility = figured(row, "utility_pct");
    policy.to_bound = figured(row, "energy_gap_to_bound_pct");
    const double missed_pct = avoidable(policy.missed.mean, policy.infeasible.mean);
    policy.on_time = missed_pct <= options.max_miss_pct;
    policy.late = missed_pct > options.max_miss_pct;
  }
  if (const auto ranking = json.find("ranking"); ranking != json.end()) {
    for (const Json& row : ranking->at("policies")) {
      const auto found =
          std::ranges::find(policies, row.at("policy").get<std::string>(), &Policy::name);
      const Json& mark = row.at("mark");
      if (found != policies.end()) found->mark = mark.is_null() ? "" : mark.get<std::string>();
    }
  }
  // NaN last.
  const auto rank = [&](const Policy& policy) {
    return by_utility(json) ? -policy.utility.mean : policy.energy.mean;
  };
  std::ranges::stable_sort(policies, [&](const Policy& a, const Policy& b) {
    return rank(a) < rank(b) || (!std::isnan(rank(a)) && std::isnan(rank(b)));
  });
  return policies;
}

std::string with_interval(const Figured& figure, int decimals) {
  if (!(figure.hi > figure.lo)) return digits(figure.mean, decimals);
  return fmt::format("{} ± {}", digits(figure.mean, decimals),
                     digits((figure.hi - figure.lo) / 2, decimals));
}

Cell cell(const Figured& figure, int decimals) {
  return {with_interval(figure, decimals), figure.mean};
}

/// Seed by seed where the input has seeds, as `compare` has it: a geometric mean of ratios, %.
Figured difference_pct(const Policy& mine, const Policy& theirs) {
  Figured off;
  off.mean = 100 * (mine.energy.mean / theirs.energy.mean - 1);
  if (mine.energy.per_seed.size() != theirs.energy.per_seed.size()) return off;
  const PairedDifference paired = paired_ratio_pct(mine.energy.per_seed, theirs.energy.per_seed);
  if (paired.pairs > 0) off.mean = paired.mean, off.lo = paired.lo, off.hi = paired.hi;
  return off;
}

std::string signed_text(const Figured& off) {
  if (!std::isfinite(off.mean)) return "-";
  std::string text = fmt::format("{:+.1f} %", off.mean);
  if (std::isfinite(off.lo)) text += fmt::format(" [{:+.1f}, {:+.1f}]", off.lo, off.hi);
  return text;
}

/// Seed by seed, points.
Figured utility_difference(const Policy& mine, const Policy& theirs) {
  Figured off;
  off.mean = mine.utility.mean - theirs.utility.mean;
  const PairedDifference paired = paired_difference(mine.utility.per_seed, theirs.utility.per_seed);
  if (paired.pairs >= 2) off.mean = paired.mean, off.lo = paired.lo, off.hi = paired.hi;
  return off;
}

/// A sentence that names those that cannot be told apart from the best: by the ranking's marks, where the best
/// is the ranking's too; otherwise by the interval of the difference.
template <typename Off>
std::string tied_with(const Policy& best, const std::vector<Policy>& policies,
                      const Off& off_from) {
  std::string tied;
  for (const Policy& policy : policies) {
    if (&policy == &best || policy.bound || !policy.on_time) continue;
    const auto within = [&] {
      const Figured off = off_from(policy, best);
      return off.lo <= 0 && off.hi >= 0;
    };
    if (best.mark == "best" ? policy.mark == "tied" : within())
      tied += (tied.empty() ? "" : ", ") + policy.name;
  }
  return tied.empty() ? "" : fmt::format(" Not to be told apart from it: {}.", tied);
}

std::string verdict_by_utility(const std::vector<Policy>& policies, const Policy& best) {
  std::string text = fmt::format(
      "{} gives most of what is wanted of those that keep their deadlines: {} % of the best, at {} "
      "mJ "
      "per job; it misses {} % of its deadlines. An application wants accuracy or low latency "
      "here, so "
      "that energy alone ranks nobody.",
      best.name, digits(best.utility.mean, 1), digits(best.energy.mean, 2),
      digits(best.missed.mean, 2));
  return text + tied_with(best, policies, utility_difference);
}

std::string verdict(const std::vector<Policy>& policies, const Policy* best,
                    const Policy& reference, const Options& options) {
  if (std::ranges::none_of(policies, &Policy::late) &&
      std::ranges::none_of(policies, &Policy::on_time))
    return "No job says anything of deadlines: none was finished or missed.";
  if (best == nullptr)
    return fmt::format(
        "No policy keeps its deadlines: each misses more than {:g} % of the jobs that could be "
        "met.",
        options.max_miss_pct);
  std::string text =
      fmt::format("{} needs least energy of those that keep their deadlines: {} mJ per job",
                  best->name, digits(best->energy.mean, 2));
  if (best->name != reference.name)
    text += fmt::format(", {} against {}", signed_text(difference_pct(*best, reference)),
                        reference.name);
  // Less work is no better governing: say what it costs.
  if (std::abs(best->accuracy.mean - reference.accuracy.mean) > 0.05)
    text += fmt::format(", at {} % instead of {} % accuracy", digits(best->accuracy.mean, 1),
                        digits(reference.accuracy.mean, 1));
  text += fmt::format("; it misses {} % of its deadlines.", digits(best->missed.mean, 2));
  return text + tied_with(*best, policies, difference_pct);
}

Table table_of(const std::vector<Policy>& policies, const Policy* best, const Policy& reference,
               const Options& options, bool by_utility) {
  Table table;
  table.title = by_utility ? "Policies by utility" : "Policies by energy";
  table.columns = {"policy",   "energy",     "against " + reference.name,
                   "missed",   "worst seed", "latency p99",
                   "accuracy", "utility",    "gap to bound",
                   "power",    "peak temp"};
  table.units = {"",        "mJ/job",    "",         "% of jobs", "% missed", "ms",
                 "% top-1", "% of best", "% energy", "mW",        "°C"};
  table.bar_column = 1;
  for (const Policy& policy : policies) {
    const Figured off = difference_pct(policy, reference);
    table.rows.push_back({{policy.name, std::nan("")},
                          cell(policy.energy, 2),
                          {policy.name == reference.name ? "" : signed_text(off), off.mean},
                          cell(policy.missed, 2),
                          {digits(policy.missed.worst, 2), policy.missed.worst},
                          cell(policy.latency, 1),
                          cell(policy.accuracy, 2),
                          cell(policy.utility, 1),
                          cell(policy.to_bound, 1),
                          cell(policy.power, 0),
                          cell(policy.temp, 1)});
    table.marks.push_back(policy.bound      ? "bound"
                          : &policy == best ? "best"
                          : policy.late     ? "late"
                                            : "");
  }
  table.note = fmt::format(
      "± half the width of the 95 % interval over the seeds; in brackets the 95 % interval of the "
      "difference, seed by seed. Late: misses more than {:g} % of the jobs that could be met. A "
      "bound knows the future, or was chosen in hindsight, and cannot be deployed.",
      options.max_miss_pct);
  return table;
}

/// Those that nothing else undercuts in both; deployable or not.
Series front_of(std::vector<Policy> policies) {
  Series front{"Pareto front", Series::Kind::kSteps, -1, true};
  std::ranges::sort(policies, {}, [](const Policy& p) { return p.latency.mean; });
  double least = INFINITY;
  for (const Policy& policy : policies) {
    if (!(policy.energy.mean < least) || !policy.on_time || policy.bound) continue;
    least = policy.energy.mean;
    front.x.push_back(policy.latency.mean);
    front.y.push_back(least);
  }
  return front;
}

Series point(const Policy& policy, const Figured& x, const Figured& y, Colours& colours) {
  Series one{policy.name, Series::Kind::kPoints, colours.of(policy.name), policy.bound};
  one.x = {x.mean}, one.y = {y.mean};
  one.x_lo = {x.lo}, one.x_hi = {x.hi}, one.y_lo = {y.lo}, one.y_hi = {y.hi};
  one.text = {policy.on_time ? "keeps its deadlines" : policy.late ? "late" : "no deadlines"};
  one.labelled = true;
  return one;
}

/// Where one policy is far from the others, the others would be one blot.
bool spread_out(const std::vector<Policy>& policies, Figured Policy::*figured) {
  double least = INFINITY, most = 0;
  for (const Policy& policy : policies) {
    const double value = (policy.*figured).mean;
    if (std::isnan(value)) continue;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  return least > 0 && most > 5 * least;
}

Figure energy_latency(const std::vector<Policy>& policies, Colours& colours) {
  Figure figure{"energy_latency",
                "Energy against latency",
                "Lower left is better. Lines through a point are its 95 % interval over the seeds; "
                "the front joins what no other policy that keeps its deadlines undercuts in both.",
                {"latency, 99th percentile", "ms"},
                {"energy per job", "mJ"}};
  figure.x.log = spread_out(policies, &Policy::latency);
  figure.y.log = spread_out(policies, &Policy::energy);
  figure.series.push_back(front_of(policies));
  for (const Policy& policy : policies)
    if (std::isfinite(policy.energy.mean) && std::isfinite(policy.latency.mean))
      figure.series.push_back(point(policy, policy.latency, policy.energy, colours));
  return figure;
}

Figure energy_misses(const std::vector<Policy>& policies, Colours& colours) {
  Figure figure{"energy_misses",
                "Energy against missed deadlines",
                "Lower left is better. A policy that saves energy by being late stands to the "
                "right.",
                {"deadlines missed", "%"},
                {"energy per job", "mJ"}};
  for (const Policy& policy : policies)
    if (std::isfinite(policy.energy.mean) && std::isfinite(policy.missed.mean))
      figure.series.push_back(point(policy, policy.missed, policy.energy, colours));
  return figure;
}

bool has_points(const Figure& figure) {
  return std::ranges::any_of(figure.series, [](const Series& one) { return !one.x.empty(); });
}

/// Every seed a dot, a line of them for each policy.
Figure seeds(const std::vector<Policy>& policies, Colours& colours, const char* name,
             const char* title, const Axis& x, Figured Policy::*figured) {
  Figure figure{name, title, "A dot is one seed.", x, {"policy", ""}};
  for (auto policy = policies.rbegin(); policy != policies.rend(); ++policy) {
    Series one{policy->name, Series::Kind::kPoints, colours.of(policy->name), policy->bound};
    for (const double value : ((*policy).*figured).per_seed)
      if (std::isfinite(value)) one.x.push_back(value);
    if (one.x.empty()) continue;
    one.y.assign(one.x.size(), static_cast<double>(figure.y.categories.size()));
    figure.y.categories.push_back(policy->name);
    figure.series.push_back(std::move(one));
  }
  return figure;
}

}  // namespace

Section comparison_section(const Json& json, const Options& options, Colours& colours,
                           std::vector<ComparedRun>& runs) {
  const auto platform = json.at("platform").get<std::string>();
  const auto scenario = json.at("scenario").get<std::string>();
  const auto against = json.at("differences").at("against").get<std::string>();
  for (const Json& row : json.at("policies")) colours.of(row.at("policy").get<std::string>());
  const std::vector<Policy> policies = policies_of(json, options);
  const auto reference = std::ranges::find(policies, against, &Policy::name);
  if (reference == policies.end())
    throw Json::other_error::create(501, "'against' is not among the policies", &json);
  const auto found = std::ranges::find_if(policies, [&](const Policy& policy) {
    return policy.on_time && !policy.bound &&
           std::isfinite(by_utility(json) ? policy.utility.mean : policy.energy.mean);
  });
  const Policy* best = found == policies.end() ? nullptr : &*found;

  const auto first_seed = json.value("first_seed", std::uint64_t{1});
  const auto seed_list = json.value("seed_list", std::vector<std::uint64_t>{});
  for (const Policy& policy : policies) {
    if (policy.bound) continue;
    for (std::size_t i = 0; i < policy.energy.per_seed.size(); ++i) {
      const auto of = [&](const Figured& figure) {
        return i < figure.per_seed.size() ? figure.per_seed[i] : figure.mean;
      };
      const bool on_time =
          avoidable(of(policy.missed), of(policy.infeasible)) <= options.max_miss_pct;
      runs.push_back({fmt::format("{}/{}/{}", platform, scenario,
                                  i < seed_list.size() ? seed_list[i] : first_seed + i),
                      policy.name, policy.energy.per_seed[i], on_time});
    }
  }

  Section section;
  section.title = fmt::format("{} on {}", scenario, platform);
  section.verdict = best != nullptr && by_utility(json)
                        ? verdict_by_utility(policies, *best)
                        : verdict(policies, best, *reference, options);
  const auto recorded = json.find("recorded");
  const bool all_recorded = recorded != json.end() && recorded->is_array() &&
                            recorded->size() == json.at("policies").size();
  section.notes.push_back(fmt::format("{}, {} {} {}.", all_recorded ? "Recorded" : "Simulated",
                                      counted(json.at("seeds").get<int>(), "seed"),
                                      seed_list.empty() ? "from" : "among those from", first_seed));
  for (const char* key : {"belief", "no_gap_reason"})
    if (const auto note = json.find(key); note != json.end() && note->is_string())
      section.notes.push_back((std::string(key) == "belief" ? "Believed: " : "") +
                              note->get<std::string>());
  if (const auto warnings = json.find("warnings"); warnings != json.end())
    for (const Json& warning : *warnings) section.notes.push_back(warning.get<std::string>());
  section.tables.push_back(table_of(policies, best, *reference, options, by_utility(json)));
  for (Figure figure : {energy_latency(policies, colours), energy_misses(policies, colours),
                        seeds(policies, colours, "seeds_misses", "Misses, seed by seed",
                              {"deadlines missed", "%"}, &Policy::missed),
                        seeds(policies, colours, "seeds_latency", "Latency, seed by seed",
                              {"latency, 99th percentile", "ms"}, &Policy::latency)})
    if (has_points(figure)) section.figures.push_back(std::move(figure));
  return section;
}

}  // namespace flyball::report
