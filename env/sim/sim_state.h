#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "env/ledger/job_ledger.h"
#include "env/ledger/knob_ledger.h"
#include "env/ledger/script.h"
#include "env/model/model.h"
#include "env/model/thermal.h"
#include "env/spaces/observation.h"

namespace flyball {

/// What the counters of an Observation see, per ns as a rate, or summed over a time. The order is
/// that of Counters.
struct CounterFlow {
  double instructions = 0, cycles = 0, references = 0, misses = 0, stalls = 0;
  double context_switches = 0;  ///< at events, not over time: no rate

  void add(const CounterFlow& of, double weight) {
    // All loads before the first store: one cannot be the other then, and it is three additions.
    const CounterFlow sum{instructions + of.instructions * weight,
                          cycles + of.cycles * weight,
                          references + of.references * weight,
                          misses + of.misses * weight,
                          stalls + of.stalls * weight,
                          context_switches + of.context_switches * weight};
    *this = sum;
  }
};

/// What follows for a job from who runs where at what OPPs.
struct JobRates {
  double work = 0;                               ///< per ns
  double cycles_per_ns = 0;                      ///< of its fastest core
  std::array<double, kMaxClusters> core_busy{};  ///< of its busiest core there, 0 to 1
  CounterFlow flow;                              ///< over all its cores, per ns
};

/// The physics of a job that runs. Its progress is settled whenever anything changes; in between it
/// goes on at its rates.
struct SimJob {
  std::int64_t finish_ns = kNeverNs;               ///< if nothing changes
  double overhead_ns = 0;                          ///< of switching and waking, still to be paid
  std::int64_t awake_ns = 0;                       ///< the cores that it waits for run from here on
  double left = 0;                                 ///< work
  std::array<std::uint8_t, kMaxClusters> cores{};  ///< of its mapping
  JobRates rates;
  // Within the epoch.
  std::array<double, kMaxClusters> busy_ns{};             ///< of its busiest core
  std::array<std::uint8_t, kMaxClusters> wanted_cores{};  ///< the most of a job that ran
  CounterFlow counted;
};

/// The same for a cluster.
struct ClusterRates {
  double fixed_mw = 0, leak = 0;  ///< as ClusterPower
  double busy_cores = 0;
  double background_core = 0;  ///< busy share of the background's busiest core
  CounterFlow flow;            ///< over all cores, per ns
};

struct SimCluster {
  ClusterRates rates;
  double power_mw = 0;
  double temp_c = 0, leakage_mw = 0;  ///< of thermal_ns; the leakage at 1 V
  // Within the epoch.
  double energy_mj = 0, busy_core_ns = 0, background_ns = 0;
  CounterFlow counted;
};

/// How long the idle cores of a cluster have been idle, and in which state they are therefore
/// (env/model/idle_states.h). Kept for boards that have such states only.
struct SimIdle {
  static constexpr std::int64_t kLongAgoNs = -1'000'000'000'000'000;
  std::int64_t since_ns = kLongAgoNs;  ///< since when as many cores as now have something to do
  std::int64_t awake_ns = 0;           ///< its last waking ended here
  std::int32_t occupied = 0;           ///< cores that have, or are being woken
  std::int32_t depth = 0;
  ClusterPower saved;  ///< off the power of depth 0
};

/// What changes while a scenario runs. Plain data: a fork copies it, and of the applications, which
/// come last, only those of the scenario (copy_state).
struct SimState {
  static constexpr std::int64_t kUnknownNs = -1;
  std::int64_t now_ns = 0;
  std::int64_t settled_ns = 0;         ///< energy, progress and use are accounted for up to here
  std::int64_t thermal_ns = 0;         ///< temperatures hold for this time
  std::int64_t poll_ns = 0;            ///< next look at the trip points
  std::int64_t pending_ns = kNeverNs;  ///< when the last action takes effect
  std::int64_t idle_ns = kNeverNs;     ///< when a cluster gets to a deeper state or is awake
  std::int64_t next_ns = kUnknownNs;   ///< of all events; unknown after whatever can move them
  std::uint64_t epochs = 0;
  bool dirty = true;               ///< rates and powers no longer hold
  bool has_acted = false;          ///< there has been an action
  std::uint32_t acted_roster = 0;  ///< of the last action
  double total_mw = 0;
  double thermal_mj = 0;  ///< since thermal_ns
  double total_mj = 0;    ///< since the beginning
  double epoch_mj = 0;
  double battery_mj = 0;  ///< left
  ScriptState script;
  ThermalState thermal;
  KnobLedger knobs;
  std::array<SimCluster, kMaxClusters> cluster;
  std::array<SimIdle, kMaxClusters> idle;
  Action action;  ///< the last one applied
  LedgerState jobs;
  std::array<SimJob, kMaxApps> run;
};
static_assert(std::is_trivially_copyable_v<SimState>);

/// Copies a state with so many applications.
inline void copy_state(const SimState& from, SimState& to, int apps) {
  const auto n = static_cast<std::size_t>(apps);
  constexpr std::size_t kHead = offsetof(SimState, jobs) + offsetof(LedgerState, app);
  std::memcpy(static_cast<void*>(&to), &from, kHead);
  std::memcpy(static_cast<void*>(&to.jobs.app), &from.jobs.app, n * sizeof(LedgerApp));
  std::memcpy(static_cast<void*>(&to.run), &from.run, n * sizeof(SimJob));
}

}  // namespace flyball
