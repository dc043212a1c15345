#include "governor/cli/verbs/evaluate_bandit.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "agents/job_bandit.h"
#include "env/config/yaml.h"
#include "governor/cli/interrupt.h"
#include "governor/cli/json.h"
#include "governor/cli/options.h"
#include "governor/cli/progress.h"
#include "governor/cli/table.h"
#include "governor/cli/terminal.h"
#include "governor/cli/verbs/evaluate_partial.h"
#include "governor/compare/table_bandit.h"
#include "governor/metrics/metrics.h"
#include "kernels/base/error.h"

namespace flyball::cli {
namespace {

constexpr double kMostOfUniform = 0.5, kMostAwayPct = 1;

Estimate of(const std::vector<BanditRow>& rows, const std::string& agent,
            double (*figure)(const BanditRow&)) {
  std::vector<double> values;
  for (const BanditRow& row : rows) {
    if (row.agent == agent) values.push_back(figure(row));
  }
  return estimate(values);
}

std::string bandit_interval(const Estimate& figure, int decimals) {
  if (!(figure.lo < figure.hi)) return fixed(figure.mean, decimals);
  return fmt::format("{} [{}, {}]", fixed(figure.mean, decimals), fixed(figure.lo, decimals),
                     fixed(figure.hi, decimals));
}

std::string to_text(const BanditSuite& suite, const BanditTable& problem,
                    const std::vector<BanditRow>& rows, const SuiteDone& done, int columns) {
  std::string text = done.line() + fmt::format(
                                       "bandit: {}, {} rows, least {} {:.4g}, mean {:.4g}; {} "
                                       "pulls with {} % of noise, {} seeds "
                                       "from "
                                       "{}\n\n",
                                       problem.path, problem.rows.size(), problem.cost,
                                       problem.least(), problem.mean(), suite.pulls,
                                       suite.noise_pct, suite.seeds, suite.first_seed);
  const bool flat = std::ranges::all_of(rows, [](const BanditRow& r) { return r.uniform_regret == 0; });
  Table table({{"agent", "", true},
               {"regret, all pulls", problem.cost},
               {"of uniform's", "%"},
               {"final pick above the best", "%"},
               {"asked for", "", true}});
  for (const std::string& agent : suite.agents) {
    if (std::ranges::find(rows, agent, &BanditRow::agent) == rows.end()) continue;  // interrupted
    const Estimate share =
        of(rows, agent, [](const BanditRow& row) { return 100 * row.regret / row.uniform_regret; });
    const Estimate away = of(rows, agent, [](const BanditRow& row) { return row.final_pick_pct; });
    // Where all rows cost the same nobody can lose anything.
    const bool met = (flat || share.mean <= 100 * kMostOfUniform) && away.mean <= kMostAwayPct;
    table.add_row(
        {agent,
         bandit_interval(of(rows, agent, [](const BanditRow& row) { return row.regret; }), 1),
         bandit_interval(share, 1), bandit_interval(away, 2), met ? "met" : "missed"});
  }
  text += table.render(columns);
  if (flat) text += "All rows cost the same: there is nothing to find, and no regret.\n";
  text += wrapped(
      fmt::format(
          "Regret is cost above the best row's, summed; uniform's is what pulling any row as "
          "likely is expected to make. Asked for: at most {:g} % of that, and a final pick at "
          "most {:g} % above the best row, in the mean.",
          100 * kMostOfUniform, kMostAwayPct),
      columns);
  return text;
}

Json to_json(const BanditSuite& suite, const BanditTable& problem,
             const std::vector<BanditRow>& all, const SuiteDone& done) {
  Json json{{"schema", 1},
            {"suite", "bandit"},
            {"table", problem.path},
            {"cost", problem.cost},
            {"least", problem.least()},
            {"pulls", suite.pulls},
            {"noise_pct", suite.noise_pct}};
  done.mark(json);
  Json& rows = json["rows"] = Json::array();
  for (const BanditRow& row : all) {
    rows.push_back(Json{{"agent", row.agent},
                        {"seed", row.seed},
                        {"regret", row.regret},
                        {"uniform_regret", row.uniform_regret},
                        {"final_pick_pct", row.final_pick_pct}});
  }
  return json;
}

}  // namespace

int run_bandit_suite(BanditSuite suite) {
  if (suite.agents.empty()) suite.agents = {"ucb", "linucb", "thompson"};
  for (const std::string& agent : suite.agents) {
    check_policy_name(agent);
    const auto learner = make_arm_learner(agent, {.own = 1}, 1);
    if (learner != nullptr && !learner->looks_ahead()) continue;
    input_error(fmt::format("--agents '{}'", agent),
                learner == nullptr ? "it decides about boards, and a table is none"
                                   : "it learns from what follows, and in a table nothing does",
                "use ucb, linucb, thompson, mixture or random");
  }
  const BanditTable table = read_bandit_table(find_config("tables", suite.table));
  BanditOptions options;
  options.agents = suite.agents;
  options.pulls = suite.pulls;
  options.seeds = suite.seeds;
  options.first_seed = suite.first_seed;
  options.noise_pct = suite.noise_pct;
  options.threads = std::max(1u, std::thread::hardware_concurrency());
  const InterruptScope interrupt;
  options.stop = &interrupt.stop();
  Progress progress("bandit");
  options.progress = [&](double done) { progress.update(done); };
  const std::vector<BanditRow> rows = play_bandit(table, options);
  progress.stop();
  const SuiteDone done{rows.size(), suite.agents.size() * static_cast<std::size_t>(suite.seeds),
                       "runs of an agent"};
  if (done.done > 0) {
    write_result(suite.json
                     ? json_text(to_json(suite, table, rows, done))
                     : to_text(suite, table, rows, done, Terminal::of(STDOUT_FILENO).columns));
  }
  if (!done.whole()) done.fail();
  return 0;
}

}  // namespace flyball::cli
