#pragma once

#include <cstdint>

#include "env/model/model.h"
#include "env/model/platform_spec.h"

namespace flyball {

// What cpuidle does with cores that have nothing to do, as a pure function of how long they have
// had nothing. The rule: whatever has been idle for t is in the deepest state whose target residency
// is at most t. Linux's governors (drivers/cpuidle/governors/menu.c and teo.c) predict t when a core
// goes idle, and where that was too short the tick, which goes on in a shallow state, lets them
// choose again; a board whose next wake-up is known goes down at once. So this is the causal part of
// what they do: nothing is foreseen, and at most the residency is spent too high up.
//
// A depth is the number of states that have been gone through: 0 is the idling that a board without
// a list has (clocked, or gated by `gate_idle_cores`), d is `idle_states[d - 1]`.

/// The deepest there is while the whole cluster is idle, or for a core beside busy ones.
int deepest_idle(const ClusterSpec& cluster, bool whole);
/// After so long.
int idle_depth(const ClusterSpec& cluster, bool whole, std::int64_t idle_ns);
/// How long cores must have been idle for the next depth; kNeverDeeper when there is none.
inline constexpr std::int64_t kNeverDeeper = INT64_MAX;
std::int64_t next_depth_ns(const ClusterSpec& cluster, bool whole, std::int64_t idle_ns);

/// Of the power at depth 0.
inline double idle_share(const ClusterSpec& cluster, int depth) {
  return depth == 0 ? 1 : cluster.idle_states[static_cast<std::size_t>(depth) - 1].power_share;
}
/// Until a core runs again.
inline double exit_ns(const ClusterSpec& cluster, int depth) {
  return depth == 0
             ? 0
             : cluster.idle_states[static_cast<std::size_t>(depth) - 1].exit_latency_us * 1e3;
}

/// What a depth takes off the power of a cluster with `occupied` cores that are not idle: of the
/// whole, or of what its idle cores take. `gated`: by cluster or job, they take nothing at depth 0.
ClusterPower idle_saving(const ClusterSpec& cluster, int opp, int occupied, bool gated, int depth);

/// The part of the power at depth 0 that a whole cluster saves over an idle time, in ns: the integral
/// of 1 - share.
double saved_ns(const ClusterSpec& cluster, double idle_ns);

/// What it costs to have had a cluster awake for `busy_ns` of a time `gap_ns` from one job to the
/// next, relative to leaving it in its deepest state, in ns of its power at depth 0: the busy time
/// and the waking itself, and what the wait for deeper states takes. A gap of 0 is one that is not
/// known: long enough for the deepest.
double awake_ns(const ClusterSpec& cluster, double busy_ns, double gap_ns);

/// Whether any cluster has states.
bool has_idle_states(const PlatformSpec& platform);

}  // namespace flyball
