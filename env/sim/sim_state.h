#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "env/ledger/job_ledger.h"
#include "env/ledger/knob_ledger.h"
#include "env/model/thermal.h"
#include "env/spaces/observation.h"

namespace flyball {

/// The physics of a job that runs. Its progress is settled whenever anything changes; in between it
/// goes on at `rate`.
struct SimJob {
  std::int64_t finish_ns = kNeverNs;  ///< if nothing changes
  double overhead_ns = 0;             ///< of switching, still to be paid
  double left = 0;                    ///< work
  double rate = 0;                    ///< work per ns
  double cycles_per_ns = 0;           ///< of its fastest core
  std::array<double, kMaxClusters> core_busy{};  ///< of its busiest core there, 0 to 1
  // Over all its cores, per ns.
  double all_cycles = 0, instructions = 0, misses = 0, references = 0, stalls = 0;
  // Within the epoch.
  std::array<double, kMaxClusters> busy_ns{};  ///< of its busiest core
  std::array<std::uint8_t, kMaxClusters> wanted_cores{};  ///< the most of a job that ran
  Counters counted;
};

struct SimCluster {
  double fixed_mw = 0, leak = 0;  ///< as ClusterPower
  double power_mw = 0;
  double temp_c = 0, leakage_mw = 0;  ///< of thermal_ns; the leakage at 1 V
  double busy_cores = 0;
  double background_core = 0;  ///< busy share of the background's busiest core
  // Over all cores, per ns.
  double cycles = 0, instructions = 0, misses = 0, references = 0, stalls = 0;
  // Within the epoch.
  double energy_mj = 0, busy_core_ns = 0, background_ns = 0;
  Counters counted;
};

/// What changes while a scenario runs. Plain data: a fork copies it, and of the applications, which
/// come last, only those of the scenario (copy_state).
struct SimState {
  std::int64_t now_ns = 0;
  std::int64_t settled_ns = 0;   ///< energy, progress and use are accounted for up to here
  std::int64_t thermal_ns = 0;   ///< temperatures hold for this time
  std::int64_t poll_ns = 0;      ///< next look at the trip points
  std::int64_t timeline_ns = 0;  ///< next edge of the background or event of the scenario
  std::int64_t pending_ns = kNeverNs;  ///< when the last action takes effect
  std::uint64_t epochs = 0;
  int segment = 0;
  int event = 0;        ///< index of the next
  bool dirty = true;    ///< rates and powers no longer hold
  bool has_acted = false;  ///< there has been an action
  std::uint32_t acted_roster = 0;  ///< of the last action
  double total_mw = 0;
  double thermal_mj = 0;  ///< since thermal_ns
  double total_mj = 0;    ///< since the beginning
  double epoch_mj = 0;
  double battery_mj = 0;  ///< left
  double energy_preference = 0.5;
  ThermalState thermal;
  KnobLedger knobs;
  std::array<SimCluster, kMaxClusters> cluster;
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
