#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "governor/compare/unknown_boards.h"

namespace flyball {

/// The policy that every other is measured against: believes and does not learn. Told the truth it is
/// the informed policy, the one that gaps are above.
inline constexpr const char* kPriorPolicy = "model";

/// One that does not begin untrained.
struct TrainedAgent {
  std::string label;   ///< in the rows
  std::string policy;  ///< of the catalogue
  /// What it begins every run with, per platform of the options: a payload that is valid there.
  std::vector<std::vector<std::uint8_t>> learned;
};

struct EvaluateOptions {
  std::vector<std::string> agents;      ///< they begin untrained
  std::vector<TrainedAgent> trained;    ///< come after those
  std::vector<PlatformSpec> platforms;  ///< as described; boards take turns
  std::vector<std::string> scenarios;   ///< names or files
  int boards = 16;
  int seeds = 10;
  std::uint64_t first_seed = 1;
  int jobs = 2500;
  std::function<void(double done)> progress;  ///< 0 to 1, on the calling thread; may be empty
  const std::atomic<bool>* stop = nullptr;
  unsigned threads = 2;  ///< the results do not depend on it
  bool ablate = false;   ///< also run learners with what they learned spoilt
};

/// An agent on a board that it does not know, one seed. Gaps are in energy of the whole platform from
/// the release of one job to that of another, above the informed policy on the same seed.
struct EvaluateRow {
  static constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  std::string agent;
  std::string board;
  std::string scenario;
  std::uint64_t seed = 0;
  double prior_gap_pct = 0;           ///< of `model`, jobs 501 to 1000
  double gap_after_500_jobs_pct = 0;  ///< jobs 501 to 1000
  double jobs_to_5_pct = kNothing;    ///< from then on within 5 %, to job 1000; NaN: never
  double deadline_miss_pct = 0;
  double avoidable_miss_pct = 0;  ///< of jobs that some configuration would have met
  // For the gates.
  bool observable = true;                             ///< power can be
  double later_gap_pct = 0, prior_later_gap_pct = 0;  ///< from job 501 to the last
  double jobs_lost = 0;  ///< energy above `model`'s over the first 500 jobs, in jobs of `model`
};

/// What 500 jobs' learning is worth over the next 500, of another seed, with learning off, and what is
/// left of that when the learned state is spoilt.
struct AblationRow {
  std::string agent;
  std::string board;
  std::string scenario;
  std::uint64_t seed = 0;
  bool observable = true;
  bool complete = false;                   ///< all of its runs were played to their end
  double gap_pct = 0;                      ///< of what was learned, above the informed policy
  double prior_gap_pct = 0;                ///< of `model`
  std::array<double, 3> spoilt_gap_pct{};  ///< zeroed, negated, shuffled
};

struct Evaluation {
  std::vector<UnknownBoard> boards;
  std::vector<EvaluateRow> rows;  ///< by board, scenario, seed, agent
  std::vector<AblationRow> ablations;
  /// Boards with a scenario and a seed whose runs are whole, and how many there were to be; with
  /// ablations, those of an agent count as one more each.
  std::size_t cells_done = 0, cells = 0;
};

/// Runs every agent on boards that are not as their description says, in simulation, exploring and
/// learning throughout. Stopped, it has what was whole by then. Throws Error.
Evaluation evaluate(const EvaluateOptions& options);

}  // namespace flyball
