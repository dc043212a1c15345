#pragma once

namespace flyball {

/// What a decision costs before it takes effect, besides the agent's own time: from the moment at
/// which the machine's thread wakes the control thread at a futex until it has taken over the
/// action that the control thread hands back, as the emulated platform does it. Median of a few
/// hundred rounds between which both threads sleep, us; 0.3 s. Throws std::system_error when no
/// thread can be started.
double measure_decision_latency();

}  // namespace flyball
