#include "governor/compare/compare.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <thread>

#include "agents/agent.h"
#include "env/model/declared.h"
#include "env/scenario/plain_tasks.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/policies.h"
#include "governor/cli/views/accuracy.h"
#include "governor/cli/views/bounds.h"
#include "governor/cli/views/comparison.h"
#include "governor/cli/views/metrics_table.h"
#include "governor/cli/views/warnings.h"
#include "governor/compare/requirements.h"
#include "governor/machine/governed_platform.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

struct CompareVerb {
  std::string platform;
  std::string profile;
  std::string scenario;
  std::vector<std::string> policies = {"performance", "schedutil",  "ondemand",    "rule",
                                       "prime",       "q_learning", "static_best", "oracle"};
  std::map<std::string, std::string> policy_files, priors;
  std::string belief;
  int seeds = 10;
  std::uint64_t first_seed = 1;
  std::string against;
  std::vector<std::string> columns;
  std::vector<MetricRequirement> required;
  bool search = false;
  bool json = false, csv = false, markdown = false;
};

struct Start {
  std::vector<PolicyChoice> choices;
  std::vector<std::string> notes;
  Json files = Json::object();
};

/// Policies that are not compared have no file.
void check_files(const CompareVerb& verb, const std::string& option,
                 const std::map<std::string, std::string>& files) {
  for (const auto& [name, file] : files) {
    if (std::find(verb.policies.begin(), verb.policies.end(), name) != verb.policies.end())
      continue;
    input_error(fmt::format("{} {}={}", option, name, file),
                fmt::format("'{}' is not among the policies compared", name),
                "add it to --policies");
  }
}

Start starting_points(const CompareVerb& verb, const Belief& belief, std::uint64_t times_hash) {
  Start start;
  check_files(verb, "--policy-file", verb.policy_files);
  check_files(verb, "--from", verb.priors);
  const auto of = [](const std::map<std::string, std::string>& files, const std::string& policy) {
    const auto found = files.find(policy);
    return found == files.end() ? std::string() : found->second;
  };
  for (const std::string& policy : verb.policies) {
    StartingPoint from = starting_point(policy_identity(policy, belief, times_hash), belief,
                                        of(verb.policy_files, policy), of(verb.priors, policy));
    start.choices.push_back({policy, std::move(from.learned), from.as_prior});
    if (from.note.empty()) continue;
    start.notes.push_back(from.note);
    for (const std::string& one : from.left_out) start.notes.push_back(policy + ": " + one);
    start.files[policy] = from.file.empty() ? Json(nullptr) : Json(from.file);
  }
  return start;
}

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
std::string gap_note(const Scenario& scenario, const std::vector<PolicyResult>& results) {
  if (scenario.plain_load) return "";
  if (!energy_is_wanted(scenario))
    return "No gaps of energy: an application wants accuracy or low latency instead.";
  std::string who;
  for (const PolicyResult& result : results) {
    const auto absent = [](const Metrics& one) {
      return one.jobs > 0 && (std::isnan(one.energy_gap_to_best_found_pct) ||
                              std::isnan(one.energy_gap_to_informed_pct));
    };
    if (std::ranges::any_of(result.per_seed, absent))
      who += (who.empty() ? "" : ", ") + result.policy;
  }
  if (who.empty()) return "";
  return fmt::format(
      "No gap to what leaves fewer jobs unmet by more than {} points: {}. The gap to the bound is to "
      "that of the jobs that a policy met itself.",
      kUnmetPoints, who);
}

/// Why rt-app's efficiency is absent; empty when it is not.
std::string efficiency_note(const Scenario& scenario, const std::vector<PolicyResult>& results) {
  if (!scenario.plain_load)
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
  return fmt::format("Against '{}', seed by seed (below 0: less; 95 % interval by paired bootstrap):",
                     against);
}

/// Why figures are absent; empty when none is.
std::string absent_reason(const PolicyResult& result) {
  const auto none = std::count_if(result.per_seed.begin(), result.per_seed.end(),
                                  [](const Metrics& m) { return m.jobs == 0; });
  if (none == 0) return "";
  return fmt::format("no job finished with {} of {} seeds", none, result.per_seed.size());
}

Json to_json(const CompareVerb& verb, const GovernedPlatform& governed, const Scenario& scenario,
             const Start& start, const Comparison& comparison,
             const std::vector<RequirementResult>& judged) {
  const std::vector<PolicyResult>& results = comparison.policies;
  Json json{{"schema", 1},
            {"platform", governed.spec.name},
            {"scenario", scenario.name},
            {"seeds", verb.seeds}};
  json["first_seed"] = verb.first_seed;
  json["profile"] = governed.profile.empty() ? Json(nullptr) : Json(governed.profile);
  json["belief"] = verb.belief.empty() ? Json(nullptr) : Json(verb.belief);
  json["policy_files"] = start.files;
  json["notes"] = start.notes;
  json["bounds"] = bounds_json(comparison);
  const std::string no_gap = gap_note(scenario, results);
  json["no_gap_reason"] = no_gap.empty() ? Json(nullptr) : Json(no_gap);
  const std::string no_efficiency = efficiency_note(scenario, results);
  json["no_efficiency_reason"] = no_efficiency.empty() ? Json(nullptr) : Json(no_efficiency);
  json["warnings"] = warnings_of(governed.spec, {scenario});
  Json& rows = json["policies"] = Json::array();
  for (const PolicyResult& result : results) {
    Json row{{"policy", result.policy}};
    for (const MetricView& view : metric_views())
      row[std::string(view.key)] = figure_json(result, view);
    if (const std::string reason = absent_reason(result); !reason.empty()) row["reason"] = reason;
    rows.push_back(row);
  }
  json["differences"] = differences_json(results, verb.against);
  if (!verb.required.empty()) json["requirements"] = requirements_json(judged);
  return json;
}

/// A failure where something is required and not met; the result has been written.
int verdict(const std::vector<RequirementResult>& judged) {
  std::string unmet;
  for (const RequirementResult& one : judged)
    if (!one.met) unmet += (unmet.empty() ? "" : "; ") + requirement_text(one);
  if (!unmet.empty()) failure("--require", unmet, "choose another policy, or require less");
  return 0;
}

int run_compare(CompareVerb verb) {
  for (const std::string& policy : verb.policies) check_policy_name(policy);
  check_requirements(verb.required, verb.policies);
  for (const std::string& key : verb.columns) metric_of("--columns", key);
  if (verb.against.empty()) verb.against = verb.policies.front();
  if (std::ranges::find(verb.policies, verb.against) == verb.policies.end()) {
    input_error("--against " + verb.against, "it is not among the policies compared",
                "add it to --policies");
  }
  GovernedPlatform governed = load_governed_platform(verb.platform, verb.profile);
  const PlatformSpec& platform = governed.spec;
  Belief belief = load_belief(verb.belief, governed);
  add_task_profiles(verb.scenario, governed.spec);
  add_task_profiles(verb.scenario, belief.mean);
  const Scenario scenario = load_scenario(verb.scenario, as_declared(platform, belief));
  const Start start = starting_points(verb, belief, governed.times_hash);

  show_warnings(warnings_of(platform, {scenario}));
  const InterruptScope interrupt(
      "flyball: compare: interrupted before every run was done; run it again\n");
  Progress progress(fmt::format("{} on {}", scenario.name, platform.name));
  CompareOptions options;
  options.policies = start.choices;
  options.belief = &belief;
  options.believes_truth = verb.belief.empty();
  options.search = verb.search;
  options.seeds = verb.seeds;
  options.first_seed = verb.first_seed;
  options.progress = [&](double done) { progress.update(done); };
  options.threads = std::max(1u, std::thread::hardware_concurrency());
  const Comparison comparison = compare_with_bounds(platform, scenario, options);
  const std::vector<PolicyResult>& results = comparison.policies;
  progress.stop();

  const std::vector<RequirementResult> judged = judge_requirements(verb.required, results);
  if (verb.json) {
    write_result(json_text(to_json(verb, governed, scenario, start, comparison, judged)));
    return verdict(judged);
  }
  if (verb.csv) {
    write_result(comparison_csv(results, platform.name, scenario.name, verb.first_seed));
    return verdict(judged);
  }
  const Terminal terminal = Terminal::of(STDOUT_FILENO);
  std::string text =
      fmt::format("{} on {}, {} seed{} from {}, simulated\n\n", scenario.name, platform.name,
                  verb.seeds, verb.seeds == 1 ? "" : "s", verb.first_seed);
  std::vector<MetricsRow> rows;
  for (const PolicyResult& result : results) rows.push_back({result.policy, result.per_seed});
  std::vector<MetricView> columns = metric_views();
  const bool budgets = std::any_of(results.begin(), results.end(), [](const PolicyResult& result) {
    return std::any_of(result.per_seed.begin(), result.per_seed.end(),
                       [](const Metrics& m) { return std::isfinite(m.over_budget_pct); });
  });
  std::erase_if(columns, [&](const MetricView& v) {
    return v.key == "infeasible_pct" || (v.key == "over_budget_pct" && !budgets) ||
           (v.key == "efficiency_pct" && !scenario.plain_load) ||
           (scenario.plain_load && (v.key == "accuracy_pct" || v.key == "utility_pct" ||
                                    v.key.starts_with("energy_gap_")));
  });
  if (!verb.columns.empty()) columns.clear();
  for (const std::string& key : verb.columns) columns.push_back(metric_of("--columns", key));
  if (verb.markdown) {
    text += metrics_table(rows, columns).markdown();
    if (results.size() > 1)
      text += fmt::format("\n{}\n\n", differences_heading(verb.against)) +
              differences(results, verb.against).markdown();
    write_result(text);
    return verdict(judged);
  }
  text += metrics_table(rows, columns).render(terminal.columns) + '\n';
  if (verb.seeds > 1)
    text +=
        fmt::format("Mean {} half the width of its 95 % interval over the seeds.\n", plus_minus());
  if (results.size() > 1) {
    text += fmt::format("\n{}\n\n", differences_heading(verb.against));
    text += differences(results, verb.against).render(terminal.columns) + '\n';
  }
  text += infeasible_note(results);
  text += wrapped(bounds_text(comparison), terminal.columns);
  if (const std::string note = gap_note(scenario, results); !note.empty())
    text += wrapped(note, terminal.columns);
  if (const std::string note = efficiency_note(scenario, results);
      scenario.plain_load && !note.empty())
    text += wrapped(note, terminal.columns);
  for (const PolicyResult& result : results) {
    if (const std::string reason = absent_reason(result); !reason.empty())
      text += wrapped(fmt::format("{}: {}: '-' has no figure.", result.policy, reason),
                      terminal.columns);
  }
  for (const std::string& note : start.notes) text += wrapped(note + ".", terminal.columns);
  for (const std::string& note : accuracy_notes(platform, scenario)) {
    text += wrapped(note, terminal.columns);
  }
  for (const std::string& note : governed.notes) text += wrapped(note, terminal.columns);
  for (const RequirementResult& one : judged)
    text += fmt::format("{}: {}\n", one.met ? "met" : "NOT MET", requirement_text(one));
  write_result(text);
  return verdict(judged);
}

}  // namespace

Verb add_compare(CLI::App& program) {
  auto verb = std::make_shared<CompareVerb>();
  CLI::App* parser = program.add_subcommand(
      "compare", "Run policies side by side in simulation, on the same seeds");
  parser->add_option("--platform", verb->platform, "A platform's name or its file")
      ->required()
      ->type_name("NAME|FILE");
  parser
      ->add_option("--scenario", verb->scenario,
                   "A scenario's name or its file; FILE.json is rt-app's")
      ->required()
      ->type_name("NAME|FILE");
  profile_option(*parser, verb->profile);
  belief_option(*parser, verb->belief);
  names_option(*parser, "--policies", verb->policies,
               "What to compare (default: " + joined(verb->policies) + ")");
  parser
      ->add_option_function<std::vector<std::string>>(
          "--policy-file",
          [verb](const std::vector<std::string>& texts) {
            for (const std::string& text : texts)
              parse_policy_file("--policy-file", text, verb->policy_files);
          },
          "What a policy has learned; may be repeated")
      ->type_name("NAME=FILE")
      ->expected(1)
      ->take_all();
  parser
      ->add_option_function<std::vector<std::string>>(
          "--from",
          [verb](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) parse_policy_file("--from", text, verb->priors);
          },
          "The same of another platform, taken as a prior; may be repeated")
      ->type_name("NAME=FILE")
      ->expected(1)
      ->take_all();
  integer_option(*parser, "--seeds", verb->seeds, 1, 10000,
                 "How many seeds each policy runs (default 10)");
  seed_option(*parser, verb->first_seed, "The first of them (default 1)");
  parser
      ->add_option("--against", verb->against,
                   "The policy that the others are compared with seed by seed (default: the first)")
      ->type_name("POLICY");
  parser
      ->add_option_function<std::string>(
          "--require",
          [verb](const std::string& text) {
            verb->required = parse_requirements("--require", text);
          },
          "Fail (exit 1) unless the means are so, as in "
          "'deadline_miss_pct<=1,rule:accuracy_pct>=62'; "
          "without a policy, of all but those that know the future")
      ->type_name("METRIC<=X,...");
  parser
      ->add_option_function<std::string>(
          "--explain",
          [](const std::string& key) {
            throw CLI::CallForVersion(explained(metric_of("--explain", key)),
                                      CLI::ExitCodes::Success);
          },
          "Say what a metric is, and do nothing else")
      ->type_name("METRIC");
  parser
      ->add_option_function<std::string>(
          "--columns",
          [verb](const std::string& text) { verb->columns = split_names("--columns", text); },
          "Which metrics the table shows, by their keys (--json and --csv have all)")
      ->type_name("METRIC[,METRIC...]");
  parser->add_flag("--bounds", verb->search,
                   "Look longer for the best schedule that gaps are to: try static_best and other "
                   "policies told the true board too, listed or not");
  json_option(*parser, verb->json);
  CLI::Option* const json = parser->get_option("--json");
  CLI::Option* const csv =
      parser->add_flag("--csv", verb->csv, "Print every seed's figures as CSV")->excludes(json);
  parser->add_flag("--markdown", verb->markdown, "Print the tables as Markdown")
      ->excludes(json)
      ->excludes(csv);
  parser->footer(
      "Example:\n  flyball compare --platform odroid_xu3 --scenario background --policies "
      "schedutil,q_learning,oracle");
  return {parser, [verb] { return run_compare(*verb); }};
}

}  // namespace flyball::cli
