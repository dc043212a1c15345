#pragma once

#include <functional>

#include "env/sim/simulator.h"
#include "governor/replay/recorded_run.h"

namespace flyball {

/// From start to end of a run, epoch by epoch: applies what was applied, and lets the time pass for
/// which it was so. Ends where `simulator` does.
void play_decisions(const RecordedRun& run, Simulator& simulator, Observation& now,
                    const std::function<void(const RecordedRun::Epoch&)>& after);

/// Plays the decisions of a record, at the times at which they were made.
Metrics play_recorded_decisions(const RecordedRun& run, const PlatformSpec& platform,
                                const Scenario& scenario, const RewardWeights& weights);

}  // namespace flyball
