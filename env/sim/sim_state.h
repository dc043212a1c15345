#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "env/model/thermal.h"
#include "env/scenario/scenario.h"
#include "env/sim/arrivals.h"
#include "env/spaces/observation.h"

namespace flyball {

/// A job that waits.
struct QueuedJob {
  std::uint64_t sequence = 0;
  std::int64_t release_ns = 0;
  std::int64_t deadline_ns = 0;
  double work = 1;  ///< relative to the nominal job
  float accuracy_floor_pct = 0;
};

/// A job that runs. Its progress is settled whenever anything changes; in between it goes on at
/// `rate`.
struct RunningJob {
  QueuedJob job;
  AppSetting setting;
  std::int64_t start_ns = 0;
  std::int64_t finish_ns = kNeverNs;  ///< if nothing changes
  double overhead_ns = 0;             ///< of switching, still to be paid
  double left = 0;                    ///< work
  double rate = 0;                    ///< work per ns
  double cycles_per_ns = 0;
  double cycles = 0;
  double energy_mj = 0;
  std::array<double, kMaxClusters> core_busy{};  ///< of its busiest core there, 0 to 1
};

struct SimApp {
  Requirements required;
  AppSetting setting;       ///< for the next job
  AppSetting last_setting;  ///< the last job started with
  bool running = false;
  bool started = false;  ///< the first job pays no switch: nothing was anywhere
  RunningJob run;
  ArrivalStream arrivals;
  WorkStream work;
  std::uint64_t next_sequence = 0;
  // Within the epoch.
  std::uint32_t released = 0, finished = 0, missed = 0;
  std::array<double, kMaxClusters> busy_ns{};  ///< of its busiest core
  // Of the last finished job.
  std::int64_t last_latency_ns = 0, last_execution_ns = 0;
  double last_cycles = 0;
  AppSetting last_finished;
  // The queue, a ring.
  std::uint32_t head = 0, waiting = 0;
  std::array<QueuedJob, kMaxQueue> queue;

  std::uint32_t backlog() const { return waiting + (running ? 1 : 0); }
};

struct SimCluster {
  std::uint8_t opp = 0;     ///< in force
  std::uint8_t asked = 0;   ///< by the last action
  std::uint8_t coming = 0;  ///< in force from switch_ns on
  std::int64_t switch_ns = kNeverNs;
  double fixed_mw = 0, leak = 0;  ///< as ClusterPower
  double power_mw = 0;
  double temp_c = 0, leakage_mw = 0;  ///< of thermal_ns; the leakage at 1 V
  double busy_cores = 0;
  double background_core = 0;  ///< busy share of the background's busiest core
  // Within the epoch.
  double energy_mj = 0, busy_core_ns = 0, background_ns = 0;
};

/// What changes while a scenario runs. Plain data: a preview works on a copy, and copies the
/// applications of the scenario only, which come last.
struct SimState {
  std::int64_t now_ns = 0;
  std::int64_t settled_ns = 0;   ///< energy, progress and use are accounted for up to here
  std::int64_t thermal_ns = 0;   ///< temperatures hold for this time
  std::int64_t poll_ns = 0;      ///< next look at the trip points
  std::int64_t timeline_ns = 0;  ///< next edge of the background or event of the scenario
  int segment = 0;
  int event = 0;              ///< index of the next
  int running = 0;            ///< jobs
  bool dirty = true;          ///< rates and powers no longer hold
  bool released_any = false;  ///< since the flag was cleared
  bool finished_any = false;  ///< the same
  double total_mw = 0;
  double thermal_mj = 0;  ///< since thermal_ns
  double total_mj = 0;    ///< since the beginning
  double epoch_mj = 0;
  double battery_mj = 0;  ///< left
  double energy_preference = 0.5;
  ThermalState thermal;
  std::array<SimCluster, kMaxClusters> cluster;
  Action action;           ///< the last one applied
  bool has_acted = false;  ///< there has been one
  // The job that a preview waits for: the first that starts of an application.
  int watched_app = -1;
  bool watch_started = false, watch_done = false;
  std::uint64_t watched_sequence = 0;
  std::int64_t watched_deadline_ns = 0, watched_finish_ns = 0;
  std::array<SimApp, kMaxApps> app;
};
static_assert(std::is_trivially_copyable_v<SimState>);

}  // namespace flyball
