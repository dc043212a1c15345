#include "governor/compare/budget_grid.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "agents/agent.h"
#include "agents/profile_table.h"
#include "env/sim/simulator.h"
#include "governor/compare/parallel.h"
#include "governor/metrics/session.h"

namespace flyball {
namespace {

constexpr double kNsPerMs = 1e6;

int first_app(const PlatformSpec& board) {
  for (std::size_t a = 0; a < board.apps.size(); ++a) {
    if (!board.apps[a].plain_load) return static_cast<int>(a);
  }
  return -1;
}

/// One stream without a random number in it, each job released at the deadline of the one before.
Scenario scenario_of(const PlatformSpec& board, const BudgetPair& pair, int jobs) {
  Scenario scenario;
  scenario.name = "budgets";
  AppSpec app;
  app.name = "camera";
  app.profile = first_app(board);
  app.arrival.period_ns = std::llround(pair.deadline_ms * kNsPerMs);
  app.required.period_ns = app.required.deadline_ns = app.arrival.period_ns;
  app.required.energy_budget_mj = pair.energy_mj;
  app.required.objective = Objective::kAccuracy;
  scenario.duration_ns = app.stop_ns = jobs * app.arrival.period_ns;
  scenario.apps = {app};
  return scenario;
}

struct Candidate {
  Action action;
  double accuracy_pct = 0;
  double least_mj = 0;
};

/// What a job takes at least: the colder, the less leaks, and no board is colder than the air.
double least_mj(const PlatformSpec& board, const AppProfile& app, const Mapping& mapping, int level,
                const OppChoice& opp, double time_ns, double ambient_c) {
  const auto job = job_load(board, app, mapping, level, opp);
  double power_mw = board.board_mw;
  for (std::size_t c = 0; c < board.clusters.size(); ++c) {
    ClusterLoad load;
    load.opp = opp[c];
    load.gate_idle_cores = board.clusters[c].gate_idle_cores;
    load.temp_c = ambient_c;
    if (mapping.cores[c] > 0) {
      load.busy_cores = job[c].busy_cores;
      load.busy_nf = job[c].busy_nf;
      load.static_ma = job[c].static_ma;
      load.gate_idle_cores = load.gate_idle_cores || app.unit[c].gate_idle_cores;
    }
    power_mw += cluster_power_mw(board.clusters[c], load);
  }
  return power_mw * time_ns * 1e-9;
}

bool meets(const PlatformSpec& board, const Scenario& scenario, const Action& action,
           const BudgetOptions& options) {
  Simulator simulator(board, scenario, {.seed = options.first_seed});
  simulator.apply(action);
  Observation now;
  const EpochRequest request{.interval_ns = scenario.duration_ns, .stop_at_finish = true};
  Status status = Status::kOk;
  while (status == Status::kOk) {
    status = simulator.advance(request, now);
    for (const JobRecord& job : now.jobs()) {
      if (job.sequence < static_cast<std::uint64_t>(options.settle_jobs)) continue;
      if (job.missed || job.energy_mj > scenario.apps[0].required.energy_budget_mj) return false;
    }
  }
  return true;
}

/// Counts the jobs of a run that are judged.
class Judge final : public EpochSink {
 public:
  Judge(const BudgetPair& pair, int settle_jobs)
      : pair_(pair), settle_(static_cast<std::uint64_t>(settle_jobs)) {}
  void on_epoch(const EpochEvent& event) noexcept override {
    for (const JobRecord& job : event.outcome.jobs()) {
      if (job.sequence < settle_) continue;
      ++jobs_;
      late_ += job.missed;
      if (job.dropped) continue;
      over_ += job.energy_mj > pair_.energy_mj;
      accuracy_sum_ += static_cast<double>(job.accuracy_pct);
    }
  }
  void tell(BudgetRow& row) const {
    const double n = std::max(1, jobs_);
    // Records carry accuracies as floats, good for seven digits; a dropped job has none.
    row.accuracy_pct = std::round(accuracy_sum_ / n * 1e4) * 1e-4;
    row.late_pct = jobs_ > 0 ? 100.0 * late_ / n : 100;
    row.over_budget_pct = 100.0 * over_ / n;
  }

 private:
  const BudgetPair& pair_;
  const std::uint64_t settle_;
  int jobs_ = 0, late_ = 0, over_ = 0;
  double accuracy_sum_ = 0;
};

void run_one(const PlatformSpec& board, const BudgetOptions& options, BudgetRow& row) {
  const Scenario scenario = scenario_of(board, row.pair, options.jobs);
  Simulator simulator(board, scenario, {.seed = row.seed});
  const Belief belief = Belief::of(board);
  const RewardWeights weights = reward_weights(belief);
  const AgentContext context{belief, weights, row.seed, &simulator};
  const auto agent = make_agent(row.agent, context);
  Judge judge(row.pair, options.settle_jobs);
  SessionOptions session;
  session.stop = options.stop;
  session.sinks = {&judge};
  row.complete =
      run_session(simulator, belief, *agent, weights, session).status == Status::kFinished;
  judge.tell(row);
}

}  // namespace

std::vector<BudgetPair> budget_grid() {
  std::vector<BudgetPair> pairs;
  for (const double deadline_ms : {50, 75, 100, 150, 200, 300, 500, 700, 1000}) {
    for (const double energy_mj : {20, 30, 50, 75, 100, 150, 200, 300}) {
      pairs.push_back({deadline_ms, energy_mj});
    }
  }
  return pairs;
}

std::optional<FixedSetting> best_fixed(const PlatformSpec& board, const BudgetPair& pair,
                                       const BudgetOptions& options) {
  const Scenario scenario = scenario_of(board, pair, options.jobs);
  const AppProfile& app = board.apps[static_cast<std::size_t>(scenario.apps[0].profile)];
  std::vector<Candidate> candidates;
  for (std::size_t m = 0; m < board.mappings.size(); ++m) {
    const Mapping& mapping = board.mappings[m];
    if (!runs_on(app, mapping)) continue;
    for_each_opp_choice(board, mapping, [&](const OppChoice& opp) {
      for (int level = 0; level < app.level_count(); ++level) {
        const double time_ns = execution_ns(board, app, mapping, level, opp);
        if (time_ns > pair.deadline_ms * kNsPerMs) continue;
        const double mj = least_mj(board, app, mapping, level, opp, time_ns, scenario.ambient_c);
        if (mj > pair.energy_mj) continue;
        Candidate& one = candidates.emplace_back();
        one.action.opp = opp;
        one.action.app[0] = {static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(level)};
        one.accuracy_pct = app.levels[static_cast<std::size_t>(level)].accuracy_pct;
        one.least_mj = mj;
      }
    });
  }
  std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
    return a.accuracy_pct != b.accuracy_pct ? a.accuracy_pct > b.accuracy_pct
                                            : a.least_mj < b.least_mj;
  });
  for (const Candidate& one : candidates) {
    if (options.stop != nullptr && options.stop->load()) break;  // and no run will be complete
    if (meets(board, scenario, one.action, options)) return {{one.action, one.accuracy_pct}};
  }
  return std::nullopt;
}

std::vector<BudgetRow> run_budget_grid(const BudgetOptions& options) {
  const std::size_t pairs = options.pairs.size();
  const std::size_t cells = options.platforms.size() * pairs;
  const std::size_t per_cell = options.agents.size() * static_cast<std::size_t>(options.seeds);
  std::vector<BudgetRow> rows(cells * per_cell);
  parallel_for(
      cells, options.threads, options.stop,
      [&](std::size_t cell) {
        const PlatformSpec& board = options.platforms[cell / pairs];
        const BudgetPair& pair = options.pairs[cell % pairs];
        const std::optional<FixedSetting> best = best_fixed(board, pair, options);
        for (std::size_t i = 0; i < per_cell; ++i) {
          BudgetRow& row = rows[cell * per_cell + i];
          row.agent = options.agents[i % options.agents.size()];
          row.platform = board.name;
          row.pair = pair;
          row.seed = options.first_seed + i / options.agents.size();
          row.feasible = best.has_value();
          row.best_accuracy_pct = best ? best->accuracy_pct : 0;
          run_one(board, options, row);
        }
      },
      [&](std::size_t finished) {
        if (options.progress) {
          options.progress(static_cast<double>(finished) / static_cast<double>(cells));
        }
      });
  // All agents or none, so that what is said of them is of the same pairs.
  std::vector<BudgetRow> whole;
  for (auto cell = rows.begin(); cell != rows.end();
       cell += static_cast<std::ptrdiff_t>(per_cell)) {
    const auto end = cell + static_cast<std::ptrdiff_t>(per_cell);
    if (std::all_of(cell, end, [](const BudgetRow& row) { return row.complete; }))
      whole.insert(whole.end(), cell, end);
  }
  return whole;
}

std::vector<BudgetVerdict> budget_verdicts(const std::vector<BudgetRow>& rows) {
  std::vector<BudgetVerdict> verdicts;
  for (const BudgetRow& row : rows) {
    auto of = std::find_if(verdicts.begin(), verdicts.end(), [&](const BudgetVerdict& v) {
      return v.agent == row.agent && v.platform == row.platform;
    });
    if (of == verdicts.end()) {
      of = verdicts.insert(verdicts.end(), BudgetVerdict{});
      of->agent = row.agent;
      of->platform = row.platform;
    }
    ++of->pairs;
    if (!row.feasible) continue;
    const double regret = row.regret_points();
    const bool all_met = of->met == of->feasible;
    const bool first = of->feasible == 0;
    if (row.met() ? all_met && (first || regret > of->worst_regret_points) : all_met) {
      of->worst = row.pair;
    }
    of->worst_regret_points = first ? regret : std::max(of->worst_regret_points, regret);
    of->mean_regret_points += (regret - of->mean_regret_points) / (of->feasible + 1);
    ++of->feasible;
    of->met += row.met();
    of->within += row.met() && regret <= BudgetVerdict::kRegretPoints;
  }
  return verdicts;
}

}  // namespace flyball
