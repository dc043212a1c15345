#include "governor/cli/verbs/evaluate_budgets.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/evaluate_partial.h"
#include "governor/cli/views/metrics_table.h"
#include "governor/compare/budget_grid.h"
#include "governor/machine/governed_platform.h"

namespace flyball::cli {
namespace {

constexpr std::size_t kQuickEvery = 3;

Json to_json(const std::vector<BudgetRow>& rows, const SuiteDone& done) {
  Json json{{"schema", 1}, {"suite", kBudgetSuite}};
  done.mark(json);
  Json& out = json["rows"] = Json::array();
  for (const BudgetRow& row : rows) {
    Json one{{"agent", row.agent},
             {"platform", row.platform},
             {"deadline_ms", row.pair.deadline_ms},
             {"energy_budget_mj", row.pair.energy_mj},
             {"seed", row.seed},
             {"feasible", row.feasible},
             {"met", row.met()},
             {"accuracy_pct", row.accuracy_pct},
             {"deadline_miss_pct", row.late_pct},
             {"over_budget_pct", row.over_budget_pct}};
    // What is undefined is absent.
    if (row.feasible) {
      one["best_accuracy_pct"] = row.best_accuracy_pct;
      one["accuracy_regret_points"] = row.regret_points();
    }
    out.push_back(std::move(one));
  }
  return json;
}

std::string to_text(const BudgetsVerb& verb, const BudgetOptions& options,
                    const std::vector<BudgetRow>& rows, const SuiteDone& done, int columns) {
  std::string text =
      done.line() +
      fmt::format(
          "{}: {} pairs of deadline and energy, {} platforms, {} seeds from {}, simulated\n\n",
          kBudgetSuite, options.pairs.size(), options.platforms.size(), verb.seeds,
          verb.first_seed);
  Table table({{"agent", "", true},
               {"platform", "", true},
               {"feasible", "of pairs"},
               {"met", "of feasible"},
               {"regret", "points"},
               {"worst", "points"},
               {"met within 0.5 points", "of feasible"},
               {"worst pair", ""},
               {"demand", ""}});
  for (const BudgetVerdict& verdict : budget_verdicts(rows)) {
    table.add_row(
        {verdict.agent, verdict.platform, fmt::format("{} of {}", verdict.feasible, verdict.pairs),
         fmt::format("{} of {}", verdict.met, verdict.feasible),
         fixed(verdict.mean_regret_points, 2), fixed(verdict.worst_regret_points, 2),
         fmt::format("{} of {}", verdict.within, verdict.feasible),
         fmt::format("{:g} ms, {:g} mJ", verdict.worst.deadline_ms, verdict.worst.energy_mj),
         verdict.holds() ? "met" : "missed"});
  }
  text += table.render(columns);
  text += wrapped(
      "Each pair is asked of a stream of jobs of equal work, with the highest accuracy within it. "
      "Feasible: with some fixed setting every job is on time and within the energy, by trying all "
      "on the board itself; regret is accuracy below the most accurate of those. Met: at most one "
      "job "
      "in a hundred is late or takes more. The first 20 of 300 jobs are not judged.",
      columns);
  return text;
}

}  // namespace

int run_budgets(const BudgetsVerb& verb) {
  for (const std::string& agent : verb.agents) check_policy_name(agent);
  BudgetOptions options;
  options.agents = verb.agents;
  options.seeds = verb.seeds;
  options.first_seed = verb.first_seed;
  if (verb.quick) {
    std::vector<BudgetPair> some;
    for (std::size_t i = 0; i < options.pairs.size(); i += kQuickEvery) {
      some.push_back(options.pairs[i]);
    }
    options.pairs = some;
  }
  for (const std::string& name : verb.platforms) {
    options.platforms.push_back(load_governed_platform(name, "none").spec);
  }
  const InterruptScope interrupt;
  options.stop = &interrupt.stop();
  Progress progress(kBudgetSuite);
  options.progress = [&](double done) { progress.update(done); };
  options.threads = std::max(1u, std::thread::hardware_concurrency());
  const std::vector<BudgetRow> rows = run_budget_grid(options);
  progress.stop();
  const std::size_t per_pair = verb.agents.size() * static_cast<std::size_t>(verb.seeds);
  const SuiteDone done{rows.size() / per_pair, options.platforms.size() * options.pairs.size(),
                       "pairs of all platforms"};
  if (done.done > 0) {
    write_result(verb.json
                     ? json_text(to_json(rows, done))
                     : to_text(verb, options, rows, done, Terminal::of(STDOUT_FILENO).columns));
  }
  if (!done.whole()) done.fail();
  return 0;
}

}  // namespace flyball::cli
