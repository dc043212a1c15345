#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "env/model/platform_spec.h"
#include "env/spaces/action.h"

namespace flyball {

/// What one job may take.
struct BudgetPair {
  double deadline_ms = 0;
  double energy_mj = 0;
};

/// Every deadline with every budget: 50 to 1000 ms, 20 to 300 mJ.
std::vector<BudgetPair> budget_grid();

struct BudgetOptions {
  std::vector<std::string> agents;
  std::vector<PlatformSpec> platforms;
  std::vector<BudgetPair> pairs = budget_grid();
  int seeds = 1;
  std::uint64_t first_seed = 1;
  int jobs = 300;                             ///< released
  int settle_jobs = 20;                       ///< of these, not judged: the first
  std::function<void(double done)> progress;  ///< 0 to 1, on the calling thread; may be empty
  const std::atomic<bool>* stop = nullptr;
  unsigned threads = 2;  ///< the results do not depend on it
};

/// A setting that is held all the time.
struct FixedSetting {
  Action action;
  double accuracy_pct = 0;
};

/// The most accurate fixed setting of the platform's first application with which every judged job
/// meets the pair: of all mappings, levels and operating points, played on the board itself. What
/// costs more than the budget when the board is as cold as it gets is not played. Nothing: the pair is
/// infeasible.
std::optional<FixedSetting> best_fixed(const PlatformSpec& board, const BudgetPair& pair,
                                       const BudgetOptions& options);

/// An agent that is asked for the highest accuracy within a pair.
struct BudgetRow {
  std::string agent;
  std::string platform;
  BudgetPair pair;
  std::uint64_t seed = 0;
  bool feasible = false;         ///< some fixed setting meets it
  double best_accuracy_pct = 0;  ///< of the most accurate of them
  // Of the judged jobs.
  double accuracy_pct = 0;
  double late_pct = 0, over_budget_pct = 0;
  bool complete = false;

  /// As good as always: one job in a hundred may be beyond a bound, of either.
  bool met() const { return late_pct + over_budget_pct <= 1; }
  double regret_points() const { return best_accuracy_pct - accuracy_pct; }
};
/// Stopped, it has the pairs of a platform of which all was played by then.
std::vector<BudgetRow> run_budget_grid(const BudgetOptions& options);

/// What an agent is asked for on the grid of a platform.
struct BudgetVerdict {
  static constexpr double kRegretPoints = 0.5;
  std::string agent, platform;
  int pairs = 0, feasible = 0;
  int met = 0;                                             ///< of the feasible
  int within = 0;                                          ///< met with no more regret than allowed
  double mean_regret_points = 0, worst_regret_points = 0;  ///< over the feasible
  BudgetPair worst;  ///< a pair that is not met; if all are, that of most regret
  bool holds() const { return within == feasible; }
};
std::vector<BudgetVerdict> budget_verdicts(const std::vector<BudgetRow>& rows);

}  // namespace flyball
