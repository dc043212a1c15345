#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agents/agent.h"
#include "env/model/belief.h"
#include "governor/record/recording.h"
#include "governor/replay/off_policy.h"

namespace flyball {

/// Of the jobs of a record: what the record's policy had, and what another would have had.
struct ReplayedFigure {
  std::string_view key;  ///< "job_energy_mj", "deadline_miss_pct" or "execution_ms"
  double recorded = 0;   ///< mean over the jobs that were used
  std::vector<OffPolicyEstimate> estimates;  ///< empty where there is a refusal
};

struct Replay {
  RecordingReport recording;
  std::uint64_t decisions = 0;         ///< epochs in which the policy was asked
  std::uint64_t agreed_decisions = 0;  ///< in which it said what was executed
  std::size_t jobs = 0;                ///< that were used
  std::size_t queued_jobs = 0;         ///< left out: they waited for another
  Overlap overlap;
  std::vector<ReplayedFigure> figures;
  std::string refusal;  ///< why there are no estimates; empty where there are
};

/// Asks `agent`, epoch by epoch, what it would do in the states of a record, tells it what was done
/// and what came of it, and estimates from the jobs in which it agrees what it would have had. What is
/// decided while one job runs is of consequence for it and for the next, whose mapping and level it
/// sets, and for none after: a job's weight is the product over both, and over what was drawn before
/// and held (drawn_weights.h). Where that is not so (a queue,
/// heat that holds a clock down, a second application), or the record's policy gave what `agent` does
/// no chance, no estimate is made. `belief` is of the record's platform. Throws Error (kInput) when
/// the file is no recording, or of a platform with other clusters, operating points or mappings.
/// The dice of `agent` may not be the record's: make it with own_dice() of the seed.
Replay replay(const std::string& recording, const Belief& belief, Agent& agent);

/// A seed that no run has that was made with the same `seed`.
std::uint64_t own_dice(std::uint64_t seed);

}  // namespace flyball
