#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/spaces/action.h"
#include "env/spaces/limits.h"
#include "env/spaces/quality_knobs.h"

namespace flyball {

struct OperatingPoint {
  std::int64_t freq_khz;
  double voltage_mv;
  /// Of what it is called: some lowest operating points run at half their frequency, and no register
  /// says so. Times and power are those of the clock that is delivered; whoever looks is shown the name.
  double delivered_share = 1;

  double delivered_khz() const { return static_cast<double>(freq_khz) * delivered_share; }
};

/// What cpuidle can do with what is idle, beyond stopping its clocks (idle_states.h).
struct IdleStateSpec {
  std::string name;
  double power_share = 1;      ///< of what the same takes idle without the state
  double exit_latency_us = 0;  ///< from an event until a core runs
  double residency_us = 0;     ///< target: an idle time from which on it pays
  bool cluster_off = false;    ///< the whole cluster has to be idle for it, not only a core
};

/// A cluster: cores of one kind that share one clock and one supply. Power in it is
///   V^2 f (uncore_nf [while any core is clocked] + sum over busy cores of their application's
///   core_nf
///          + idle_core_nf per clocked idle core) + leakage(V, T) of what is powered + V *
///          static_ma of the running applications
/// with leakage(V, T) = V * leak_a * T^2 * exp(-leak_b_k / T) + V * leak_c_a   (watts, T in
/// kelvin), for the whole cluster.
struct ClusterSpec {
  enum class Kind { kCpu, kGpu };
  std::string name;
  Kind kind = Kind::kCpu;
  int cores = 1;
  std::vector<OperatingPoint> opps;  ///< ascending frequency, voltage never falling
  double capacity_per_mhz = 1024;  ///< relative speed per MHz, as in the device tree; places tasks
                                   ///< under the Linux governors
  double uncore_nf = 0;
  double idle_core_nf = 0;       ///< 0 per core when `gate_idle_cores`
  bool gate_idle_cores = false;  ///< cpuidle powers idle cores off
  double leak_a = 0;             ///< W / (V K^2)
  double leak_b_k = 0;           ///< K
  double leak_c_a = 0;           ///< A
  double leak_core_share =
      0;  ///< part of the leakage that belongs to the cores together; a gated core loses its share
  /// Ascending in depth: residency grows, power falls, those of the whole cluster last. Empty: idle
  /// is as `gate_idle_cores` says, however long.
  std::vector<IdleStateSpec> idle_states;
  double transition_latency_us = 0;
  /// Of the device tree, uW/MHz/V^2: what Linux believes a busy core costs; 0 when not given.
  double dynamic_power_coefficient = 0;

  int max_opp() const { return static_cast<int>(opps.size()) - 1; }
};

/// What one kind of job costs on one cluster.
struct UnitProfile {
  bool supported = false;
  double mcycles = 0;            ///< of one job at full width on one core
  double memory_ms = 0;          ///< part of the job that does not scale with frequency
  double core_nf = 0;            ///< switched capacitance of a busy core, at full width
  double static_ma = 0;          ///< current that does not scale with frequency, while a job runs
  bool gate_idle_cores = false;  ///< measured with the idle cores powered off
  // For the counters. No published source gives them; the defaults are assumed: a core that never
  // waits for memory retires 1.2 instructions a cycle, an access that misses the last cache takes
  // 100 ns, and every eighth access to that cache does.
  double ipc = 1.2;
  double miss_ns = 100;
  double references_per_miss = 8;
};

/// What a level costs: a combination of values of the application's own knobs.
struct LevelProfile {
  KnobValues knob{};
  double time_factor = 1;       ///< relative to the last level, the whole application
  double activity_factor = 1;   ///< of core_nf
  double accuracy_pct = 0;      ///< top-1; 0 for a plain load
  std::string accuracy_source;  ///< shown wherever the accuracy is
  /// Measured on the machine: the part that spreads over 2, 3, ... cores; above those the last one
  /// holds. Empty: the application's.
  std::vector<double> parallel_fraction{};
};

/// A kind of job on this platform: the dynamic CNN, or a plain load, which never ends.
struct AppProfile {
  std::string name;
  bool plain_load = false;
  double parallel_fraction = 1;  ///< Amdahl: the part that spreads over cores
  /// Whether every core is given as much of that part, so that the slowest core of the mapping says
  /// when it is done. Else the cores take of it as they get on.
  bool equal_shares = false;
  std::vector<QualityKnob> knobs;    ///< of its own; a plain load has none
  std::vector<LevelProfile> levels;  ///< ascending, the last one is the whole application (of the
                                     ///< dynamic CNN: full width in fp32); a plain load has one
  std::array<UnitProfile, kMaxClusters> unit;
  /// The model file that real jobs run, and whose accuracies the levels have; empty: the network is
  /// a published one, and the platform file says how accurate it is.
  std::string model{};
  /// Of everything that the file says of it, measured profiles left out.
  std::uint64_t content_hash = 0;

  int level_count() const { return static_cast<int>(levels.size()); }
  std::string level_name(int level) const;
  std::string level_text(int level, LevelText style = LevelText::kWithUnits) const;
  double highest_accuracy_pct() const;
  /// The floor, or the highest accuracy there is when that is below it.
  double attainable_pct(double accuracy_floor_pct) const;
  /// The quickest level whose accuracy reaches the floor, of equally quick ones the most accurate;
  /// the most accurate of all when none reaches it.
  int level_for(double accuracy_floor_pct) const;
  /// Whether level `a` takes neither longer nor more energy than `b`, whatever the cores and
  /// clocks.
  bool never_dearer(int a, int b) const;
  /// Of a level on so many cores (1 or more).
  double parallel_fraction_of(int level, int cores) const;
};

/// Which cores serve an application: how many of each cluster. A job may span CPU clusters.
struct Mapping {
  std::array<std::uint8_t, kMaxClusters> cores{};
  std::string name;  ///< "A15x2+A7x1"
};

/// One exponential term of the answer of a temperature to total power (a Foster network). A
/// negative resistance is a fan that spins up.
struct ThermalTerm {
  double r_k_per_w;
  double tau_s;
};

struct ThermalNode {
  std::string name;
  int cluster;      ///< whose temperature this is
  double offset_c;  ///< above ambient at zero watts: the rest of the board
  std::vector<ThermalTerm> terms;
};

/// Passive cooling: once its thermal node reaches `temp_c` the cluster is held down, until the node
/// is cooler than temp_c - hysteresis_c. kCritical holds it at its lowest OPP, where a board would
/// switch itself off.
struct TripPoint {
  enum class Kind { kStepDown, kCap, kCritical };
  Kind kind;
  double temp_c;
  double hysteresis_c;
  int cluster;               ///< that is held down
  int node = 0;              ///< index into `PlatformSpec::thermal`: the sensor that is watched
  int steps = 0;             ///< kStepDown: OPPs down from the highest
  std::int64_t cap_khz = 0;  ///< kCap: highest frequency that is left
};

/// The constant description of a platform. Never changes after loading; state lives elsewhere.
struct PlatformSpec {
  std::string name;
  std::string description;
  bool emulated = false;  ///< the machine itself plays it, with real jobs
  std::vector<ClusterSpec> clusters;
  std::vector<Mapping> mappings;  ///< ascending in peak speed is not promised
  std::vector<AppProfile> apps;
  std::vector<ThermalNode> thermal;
  std::vector<TripPoint> trips;
  double trip_poll_ms = 250;
  double board_mw = 0;         ///< rails outside the clusters: DRAM, GPU idle
  double migration_us = 0;     ///< cost of moving an application to other clusters
  double cold_cache_ms = 0;    ///< and of filling their caches
  double level_switch_us = 0;  ///< of another level, whatever its knobs are
  /// From an event (a release, an epoch's end) until what was decided on it takes effect: a wake-up
  /// and a decision. Assumed where nothing was measured.
  double decision_latency_us = 100;
  /// How far off what is said of times and of power may be, relative, one standard deviation; absent
  /// where nobody says so.
  std::optional<double> time_spread, power_spread;
  /// Of everything above that the file says, but for the applications: what a policy is valid for.
  std::uint64_t content_hash = 0;
  std::vector<std::string> warnings;  ///< one line each, for the user: what no real board would do

  int find_cluster(std::string_view name) const;  ///< -1 when absent
  int find_app(std::string_view name) const;
  /// The index of a mapping of `cores` cores of one cluster; -1 when absent.
  int find_mapping(int cluster, int cores) const;
  /// The fastest CPU cluster: the one with the highest capacity_per_mhz * highest frequency.
  int big_cluster() const;
};

/// Reads configs/platforms/NAME.yaml or a path. Throws Error (kInput) with file and line.
/// A platform with `cores: auto` takes them from the machine.
PlatformSpec load_platform(const std::string& name_or_path);

}  // namespace flyball
