#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "governor/compare/evaluate.h"
#include "governor/metrics/metrics.h"

namespace flyball {

/// What an agent that learns has to achieve on boards that it does not know.
struct GateLimits {
  double wrong_belief_pct = 3;  ///< from this gap of `model` on a belief counts as wrong
  double gap_pct = 5;           ///< left of it after 500 jobs, at most
  double other_gap_pct = 10;    ///< the same, of learners beside the default and `planner`
  double gone = 0.5;            ///< share of it that is gone, at least
  double worse_points = 0.3;    ///< than `model` where the belief is right, later on
  double jobs_lost = 8;         ///< and before
};

/// One demand: on how many board-and-scenario pairs it is met, by the mean over the seeds.
struct Gate {
  std::string demand;
  int pairs = 0, met = 0;
  double worst = 0;  ///< figure of the pair that is farthest off
  std::string worst_pair;
  bool holds() const { return met == pairs; }
};

/// An agent's figures over a group of board-and-scenario pairs: mean and 95 % interval by a bootstrap
/// over the seeds.
struct GroupFigures {
  int pairs = 0;
  Estimate prior_gap_pct, gap_pct, gone_pct, later_points, jobs_lost, jobs_to_5, missed_pct,
      avoidable_pct;
  int reached_5 = 0, runs = 0;  ///< runs in which 5 % was reached, of all
};

struct AgentVerdict {
  std::string agent;
  GroupFigures wrong, right;  ///< belief, with a power that can be observed; all others
  std::vector<Gate> gates;
};

/// What of a learner's gain over `model` is lost with its learned state spoilt, on pairs where the belief
/// is wrong and power can be observed.
struct AblationVerdict {
  std::string agent;
  int pairs = 0;
  Estimate gained_points;            ///< by what was learned
  std::array<Estimate, 3> lost_pct;  ///< of that: zeroed, negated, shuffled
  bool holds() const {
    return std::all_of(lost_pct.begin(), lost_pct.end(),
                       [](const Estimate& lost) { return lost.mean >= 50; });
  }
};
std::vector<AblationVerdict> ablation_verdicts(const std::vector<AblationRow>& rows);

/// One verdict per agent, in the order in which they come.
std::vector<AgentVerdict> verdicts(const std::vector<EvaluateRow>& rows);

}  // namespace flyball
