#include "governor/compare/evaluate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <thread>

#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/evaluate_bandit.h"
#include "governor/cli/verbs/evaluate_budgets.h"
#include "governor/cli/verbs/evaluate_partial.h"
#include "governor/cli/verbs/policies.h"
#include "governor/cli/views/metrics_table.h"
#include "governor/cli/views/warnings.h"
#include "governor/compare/gates.h"
#include "governor/machine/governed_platform.h"
#include "kernels/base/counted.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

constexpr const char* kSuite = "unknown_boards";
constexpr const char* kBandit = "bandit";
constexpr int kQuickBoards = 8, kQuickJobs = 1000, kQuickSeeds = 2;

struct EvaluateVerb {
  std::string suite = kSuite;
  std::vector<std::string> agents = {"model", "q_learning"};
  std::vector<std::string> platforms = {"odroid_xu3", "jetson_nano"};
  std::vector<std::string> scenarios = {"full_accuracy", "single_periodic", "background"};
  int boards = 16, seeds = 10;
  std::uint64_t first_seed = 1;
  bool quick = false, ablate = false, json = false;
};

Json to_json(const EvaluateVerb& verb, const Evaluation& evaluation, const SuiteDone& done,
             const std::vector<std::string>& warnings) {
  Json json{{"schema", 1}, {"suite", verb.suite}, {"warnings", warnings}};
  done.mark(json);
  Json& rows = json["rows"] = Json::array();
  for (const EvaluateRow& row : evaluation.rows) {
    rows.push_back(Json{{"agent", row.agent},
                        {"board", row.board},
                        {"scenario", row.scenario},
                        {"seed", row.seed},
                        {"prior_gap_pct", number_or_null(row.prior_gap_pct)},
                        {"gap_after_500_jobs_pct", number_or_null(row.gap_after_500_jobs_pct)},
                        {"jobs_to_5_pct", number_or_null(row.jobs_to_5_pct)},
                        {"deadline_miss_pct", number_or_null(row.deadline_miss_pct)},
                        {"avoidable_miss_pct", number_or_null(row.avoidable_miss_pct)},
                        {"power_observable", row.observable},
                        {"later_gap_pct", number_or_null(row.later_gap_pct)},
                        {"prior_later_gap_pct", number_or_null(row.prior_later_gap_pct)},
                        {"jobs_lost", number_or_null(row.jobs_lost)}});
  }
  if (!verb.ablate) return json;
  Json& ablations = json["ablations"] = Json::array();
  for (const AblationRow& row : evaluation.ablations) {
    ablations.push_back(Json{{"agent", row.agent},
                             {"board", row.board},
                             {"scenario", row.scenario},
                             {"seed", row.seed},
                             {"prior_gap_pct", number_or_null(row.prior_gap_pct)},
                             {"learned_gap_pct", number_or_null(row.gap_pct)},
                             {"zeroed_gap_pct", number_or_null(row.spoilt_gap_pct[0])},
                             {"negated_gap_pct", number_or_null(row.spoilt_gap_pct[1])},
                             {"shuffled_gap_pct", number_or_null(row.spoilt_gap_pct[2])}});
  }
  return json;
}

std::string with_interval(const Estimate& figure, int decimals) {
  if (!(figure.lo < figure.hi)) return fixed(figure.mean, decimals);
  return fmt::format("{} [{}, {}]", fixed(figure.mean, decimals), fixed(figure.lo, decimals),
                     fixed(figure.hi, decimals));
}

std::string group_table(const std::vector<AgentVerdict>& verdicts, bool wrong, int columns) {
  Table table({{"agent", "", true},
               {"model's gap to informed", "%"},
               {"gap to informed, jobs 501-1000", "%"},
               {"gap gone", "%"},
               {"against model, later", "points"},
               {"lost before", "jobs"},
               {"jobs to 5 %", "of runs that got there"},
               {"got there", "of runs"},
               {"missed", "%"},
               {"avoidable", "%"}});
  for (const AgentVerdict& verdict : verdicts) {
    const GroupFigures& group = wrong ? verdict.wrong : verdict.right;
    table.add_row({verdict.agent, with_interval(group.prior_gap_pct, 1),
                   with_interval(group.gap_pct, 1), with_interval(group.gone_pct, 0),
                   with_interval(group.later_points, 2), with_interval(group.jobs_lost, 1),
                   with_interval(group.jobs_to_5, 0),
                   fmt::format("{} of {}", group.reached_5, group.runs),
                   with_interval(group.missed_pct, 2), with_interval(group.avoidable_pct, 3)});
  }
  return table.render(columns);
}

std::string to_text(const EvaluateVerb& verb, const Evaluation& evaluation, const SuiteDone& done,
                    int columns) {
  const std::vector<AgentVerdict> all = verdicts(evaluation.rows);
  std::string text =
      done.line() +
      fmt::format("{}: {}, {}, {} from {}, simulated\n\n", verb.suite,
                  counted(verb.boards, "board"),
                  counted(static_cast<std::int64_t>(verb.scenarios.size()), "scenario"),
                  counted(verb.seeds, "seed"), verb.first_seed);
  for (const UnknownBoard& board : evaluation.boards) {
    text += fmt::format("{}: {}\n", board.name, board.drawn);
  }
  if (all.empty()) return text;
  text += fmt::format(
      "\nThe belief is wrong and power can be observed ({} pairs of board and scenario):\n",
      all.front().wrong.pairs);
  text += group_table(all, true, columns);
  text += fmt::format("\nElsewhere ({} pairs):\n", all.front().right.pairs);
  text += group_table(all, false, columns);
  text += wrapped(
      "Gaps are in energy above the informed policy: 'model' on the same board and seed, told what "
      "is true of it. In brackets the 95 % interval by a bootstrap over the seeds.",
      columns);
  for (const AgentVerdict& verdict : all) {
    if (verdict.agent == kPriorPolicy) continue;
    text += fmt::format("\n{}:\n", verdict.agent);
    for (const Gate& gate : verdict.gates) {
      if (gate.pairs == 0) {
        text += fmt::format("  untested  {}: no such pair; more boards are needed", gate.demand);
      } else if (!std::isfinite(gate.worst)) {
        text += fmt::format("  untested  {}: too few jobs", gate.demand);
      } else {
        text += fmt::format("  {:8}  {}: {} of {} pairs, worst {:.1f} ({})",
                            gate.holds() ? "met" : "missed", gate.demand, gate.met, gate.pairs,
                            gate.worst, gate.worst_pair);
      }
      text += '\n';
    }
  }
  for (const AblationVerdict& verdict : ablation_verdicts(evaluation.ablations)) {
    text += fmt::format(
        "\n{}, what it learned in 500 jobs used on other 500: {} points of energy gained over '{}' "
        "({} pairs).\n  {:6}  of that is lost with what it learned zeroed: {} %, negated: {} %, "
        "shuffled: {} %; at least 50 % each is asked for\n",
        verdict.agent, with_interval(verdict.gained_points, 1), kPriorPolicy, verdict.pairs,
        verdict.holds() ? "met" : "missed", with_interval(verdict.lost_pct[0], 0),
        with_interval(verdict.lost_pct[1], 0), with_interval(verdict.lost_pct[2], 0));
  }
  return text;
}

/// "mine=my.policy" among the agents: what it began with is of one platform, so a name may come once
/// for each of them. Takes them out of `agents`.
std::vector<TrainedAgent> take_trained(std::vector<std::string>& agents,
                                       const std::vector<PlatformSpec>& platforms) {
  std::vector<TrainedAgent> trained;
  std::vector<std::string> untrained;
  for (const std::string& text : agents) {
    const std::size_t equals = text.find('=');
    if (equals == text.npos || find_agent(text) != nullptr) {
      check_policy_name(text);
      untrained.push_back(text);
      continue;
    }
    const std::string where = fmt::format("--agents {}", text);
    const std::string label = text.substr(0, equals), path = text.substr(equals + 1);
    if (label.empty() || path.empty())
      input_error(where, "is not of the form NAME=FILE", "write for example trained=xu3.policy");
    const PolicyFile file = read_policy(path);
    const std::string& agent = file.identity.agent;
    if (const AgentInfo* info = find_agent(agent); info == nullptr || !info->learns)
      input_error(where, fmt::format("it is of '{}', which is no policy here that learns", agent),
                  "train it again with 'flyball train'");
    if (find_agent(label) != nullptr && label != agent)
      input_error(where, fmt::format("it is called as the policy '{}', and is '{}'", label, agent),
                  "give it a name of its own");
    std::size_t of = 0;
    std::string why;
    for (; of < platforms.size(); ++of) {
      why = misfit(file.identity, policy_identity(agent, Belief::of(platforms[of]), 0));
      if (why.empty()) break;
    }
    if (of == platforms.size()) {
      input_error(where,
                  platforms.size() == 1 ? why : "it is of none of the platforms, as they are now",
                  fmt::format("train it again with 'flyball train --platform {}', or name the "
                              "platform that it is of",
                              platforms[0].name));
    }
    const Belief belief = Belief::of(platforms[of]);
    make_agent(agent, {belief, RewardWeights{}, 1, nullptr})->load(file.payload, false);
    auto same = std::ranges::find(trained, label, &TrainedAgent::label);
    if (same == trained.end()) {
      trained.push_back({label, agent, {}});
      trained.back().learned.resize(platforms.size());
      same = trained.end() - 1;
    }
    if (same->policy != agent || !same->learned[of].empty())
      input_error(where,
                  same->policy != agent
                      ? fmt::format("'{}' is of '{}' on another platform", label, same->policy)
                      : fmt::format("'{}' has a file for {} already", label, platforms[of].name),
                  "give each a name of its own");
    same->learned[of] = file.payload;
  }
  for (const TrainedAgent& one : trained) {
    for (std::size_t p = 0; p < platforms.size(); ++p) {
      if (!one.learned[p].empty()) continue;
      input_error(fmt::format("--agents {}=FILE", one.label),
                  fmt::format("it has no file for {}", platforms[p].name),
                  "name one for each platform, or fewer with --platform");
    }
    if (std::ranges::find(untrained, one.label) != untrained.end())
      input_error(fmt::format("--agents {}=FILE", one.label),
                  "the untrained one has that name, too", "give it a name of its own");
  }
  agents = std::move(untrained);
  return trained;
}

/// For suites in which agents begin untrained.
void refuse_files(const std::vector<std::string>& agents, const std::string& suite) {
  for (const std::string& text : agents) {
    if (text.find('=') == text.npos || find_agent(text) != nullptr) continue;
    input_error(fmt::format("--agents {}", text),
                fmt::format("in the suite '{}' agents begin untrained", suite),
                fmt::format("name policies, or use '--suite {}'", kSuite));
  }
}

int run_evaluate(EvaluateVerb verb) {
  EvaluateOptions options;
  options.scenarios = verb.scenarios;
  options.boards = verb.boards;
  options.seeds = verb.seeds;
  options.first_seed = verb.first_seed;
  options.ablate = verb.ablate;
  if (verb.quick) options.jobs = kQuickJobs;
  std::vector<std::string> warnings;
  for (const std::string& name : verb.platforms) {
    options.platforms.push_back(load_governed_platform(name, "none").spec);
    std::vector<Scenario> scenarios;
    for (const std::string& scenario : verb.scenarios) {
      scenarios.push_back(load_scenario(scenario, options.platforms.back()));
      if (!scenarios.back().sensors.any()) continue;
      input_error(fmt::format("scenario '{}'", scenarios.back().name),
                  "says what is wrong with sensors, and the suite draws that",
                  "take 'sensors' out, or use 'flyball compare'");
    }
    for (std::string& warning : warnings_of(options.platforms.back(), scenarios))
      warnings.push_back(std::move(warning));
  }
  options.trained = take_trained(verb.agents, options.platforms);
  options.agents = verb.agents;
  show_warnings(warnings);
  const InterruptScope interrupt;
  options.stop = &interrupt.stop();
  Progress progress(verb.suite);
  options.progress = [&](double done) { progress.update(done); };
  options.threads = std::max(1u, std::thread::hardware_concurrency());
  const Evaluation evaluation = evaluate(options);
  progress.stop();
  const SuiteDone done{evaluation.cells_done, evaluation.cells,
                       verb.ablate ? "boards with a scenario and seed, and ablations"
                                   : "boards with a scenario and seed"};
  if (done.done > 0) {
    write_result(verb.json ? json_text(to_json(verb, evaluation, done, warnings))
                           : to_text(verb, evaluation, done, Terminal::of(STDOUT_FILENO).columns));
  }
  if (!done.whole()) done.fail();
  return 0;
}

/// Options that the suite does not have.
void refuse_others(const CLI::App& parser, const std::string& suite) {
  static const std::map<std::string, std::vector<std::string>> others = {
      {kSuite, {"--table", "--pulls", "--noise-pct"}},
      {kBudgetSuite, {"--scenario", "--boards", "--ablate", "--table", "--pulls", "--noise-pct"}},
      {kBandit, {"--platform", "--scenario", "--boards", "--quick", "--ablate"}}};
  const auto found = others.find(suite);
  if (found == others.end()) {
    input_error(fmt::format("--suite '{}'", suite), "there is no such suite",
                fmt::format("use '{}', '{}' or '{}'", kSuite, kBudgetSuite, kBandit));
  }
  for (const std::string& flag : found->second) {
    if (!parser.get_option(flag)->empty()) {
      input_error(flag, fmt::format("the suite '{}' has no use for it", suite), "leave it out");
    }
  }
}

}  // namespace

Verb add_evaluate(CLI::App& program) {
  auto verb = std::make_shared<EvaluateVerb>();
  CLI::App* parser = program.add_subcommand(
      "evaluate",
      "Test whether learning pays on simulated boards that are not as described, or on a table of "
      "costs, or whether budgets are kept");
  parser
      ->add_option(
          "--suite", verb->suite,
          "Which test: unknown_boards (default); budgets, on which agents are asked for "
          "accuracy within each of a grid of deadlines and energies; or bandit, a table of "
          "costs and no board")
      ->type_name("NAME");
  names_option(
      *parser, "--agents", verb->agents,
      "Whom to test; NAME=FILE: on unknown boards, with what a policy file has to begin with "
      "(default: " +
          joined(verb->agents) +
          "; budgets: model, planner, q_learning; bandit: ucb, linucb, thompson)");
  names_option(*parser, "--platform", verb->platforms,
               "Which descriptions boards differ from (default: " + joined(verb->platforms) + ")");
  names_option(*parser, "--scenario", verb->scenarios,
               "What happens on unknown boards (default: " + joined(verb->scenarios) + ")");
  integer_option(*parser, "--boards", verb->boards, 1, 10000,
                 "How many unknown boards (default 16)");
  integer_option(*parser, "--seeds", verb->seeds, 1, 10000,
                 "How many seeds each agent runs on each (default 10; budgets: 1; bandit: 100)");
  seed_option(*parser, verb->first_seed, "The first of them, and of the boards (default 1)");
  parser->add_flag("--quick", verb->quick,
                   "A small edition: 8 boards, 2 seeds, 1,000 jobs, where nothing else is said; of "
                   "the budgets every third pair");
  parser->add_flag("--ablate", verb->ablate,
                   "Also run learners on unknown boards with what they learned zeroed, negated and "
                   "shuffled");
  auto bandit = std::make_shared<BanditSuite>();
  parser
      ->add_option(
          "--table", bandit->table,
          "bandit: CSV of knobs and, last, the cost to be least, or a name (default orin_llm)")
      ->type_name("FILE");
  integer_option(*parser, "--pulls", bandit->pulls, 1, 100000,
                 "bandit: how many rows may be tried (default 100)");
  number_option(*parser, "--noise-pct", bandit->noise_pct, 0, 50, "PERCENT",
                "bandit: how far a cost that is seen is off, one standard deviation (default 1)");
  json_option(*parser, verb->json);
  parser->footer(
      "Interrupted, it prints what is whole by then, marked as partial, and ends with status 1.\n"
      "Example:\n  flyball evaluate --suite unknown_boards --agents model,q_learning --seeds 10\n"
      "  flyball evaluate --suite budgets\n  flyball evaluate --suite bandit --table orin_llm");
  return {parser, [verb, bandit, parser] {
            refuse_others(*parser, verb->suite);
            const auto given = [&](const char* flag) { return !parser->get_option(flag)->empty(); };
            if (verb->suite != kSuite) refuse_files(verb->agents, verb->suite);
            if (verb->suite == kBandit) {
              if (given("--agents")) bandit->agents = verb->agents;
              if (given("--seeds")) bandit->seeds = verb->seeds;
              bandit->first_seed = verb->first_seed;
              bandit->json = verb->json;
              return run_bandit_suite(*bandit);
            }
            if (verb->suite == kBudgetSuite) {
              BudgetsVerb budgets;
              if (given("--agents")) budgets.agents = verb->agents;
              budgets.platforms = verb->platforms;
              if (given("--seeds")) budgets.seeds = verb->seeds;
              budgets.first_seed = verb->first_seed;
              budgets.quick = verb->quick;
              budgets.json = verb->json;
              return run_budgets(budgets);
            }
            if (verb->quick && !given("--boards")) verb->boards = kQuickBoards;
            if (verb->quick && !given("--seeds")) verb->seeds = kQuickSeeds;
            return run_evaluate(*verb);
          }};
}

}  // namespace flyball::cli
