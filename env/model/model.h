#pragma once

#include <array>
#include <cstdint>

#include "env/model/platform_spec.h"

namespace flyball {

// The physics of a platform as pure functions of its constant spec. Simulation, emulation, the
// oracle and every policy that needs a profile use these same ones.

using OppChoice = std::array<std::uint8_t, kMaxClusters>;

/// Whether the application has a profile for every cluster of the mapping.
bool runs_on(const AppProfile& app, const Mapping& mapping);

/// The clusters that a mapping uses, as bits.
unsigned cluster_mask(const Mapping& mapping);

/// Every cluster at its highest OPP.
OppChoice highest_opps(const PlatformSpec& spec);

/// Time that the first job after a change of setting loses: to another level, and to clusters that
/// the application has not been on. Fewer or more cores of the same clusters find their caches
/// warm; so does a part of them.
double switch_ns(const PlatformSpec& spec, const AppSetting& before, const AppSetting& after);

/// Time of one job that runs alone, in ns; 1e18 (31 years) where the application cannot run. A
/// job's serial part runs on the fastest core of the mapping, its parallel part at the sum of the
/// cores' speeds, or with equal shares at the slowest one's times their number. `work` is relative
/// to the nominal job (1).
double execution_ns(const PlatformSpec& spec, const AppProfile& app, const Mapping& mapping,
                    int level, const OppChoice& opp, double work = 1.0);

/// execution_ns() of one application for somebody who asks for the same configuration epoch after
/// epoch: the last answer is remembered.
class RememberedTime {
 public:
  double ns(const PlatformSpec& spec, const AppProfile& app, const AppSetting& setting,
            const OppChoice& opp) {
    if (known_ && setting == setting_ && opp == opp_) return ns_;
    known_ = true;
    setting_ = setting;
    opp_ = opp;
    return ns_ = execution_ns(spec, app, spec.mappings[setting.mapping], setting.level, opp);
  }
  /// What is believed has changed.
  void forget() { known_ = false; }

 private:
  bool known_ = false;
  AppSetting setting_;
  OppChoice opp_{};
  double ns_ = 0;
};

/// What a job that runs alone puts on one cluster, in the mean over its execution: in the serial
/// part one core of the fastest cluster is busy, in the parallel part all of them: whoever is done
/// with an equal share waits for the others busily. A plain load keeps all its cores busy.
struct JobLoad {
  double busy_cores = 0;
  double core_busy = 0;  ///< of its busiest core there, 0 to 1
  double busy_nf = 0;    ///< of all its busy cores together
  double static_ma = 0;
};
std::array<JobLoad, kMaxClusters> job_load(const PlatformSpec& spec, const AppProfile& app,
                                           const Mapping& mapping, int level, const OppChoice& opp);

/// The state of one cluster over a stretch of time in which nothing changes.
struct ClusterLoad {
  int opp = 0;
  double busy_cores = 0;  ///< mean number, background included
  double busy_nf = 0;     ///< sum over busy cores of their switched capacitance
  double static_ma = 0;   ///< of the running jobs
  bool gate_idle_cores = false;
  double temp_c = 25;
};
double cluster_power_mw(const ClusterSpec& cluster, const ClusterLoad& load);

/// The same for any temperature: fixed_mw + leak * leakage_mw(cluster, 1 V, temperature).
struct ClusterPower {
  double fixed_mw = 0;
  double leak = 0;
};
ClusterPower cluster_power(const ClusterSpec& cluster, const ClusterLoad& load);

/// Of a whole cluster. Temperatures beyond -60 to 200 C count as those: no board gets there, and a
/// file that describes one must not run away to infinity.
double leakage_mw(const ClusterSpec& cluster, double voltage_v, double temp_c);

/// Where steady_state() stops: a temperature that settles only beyond it settles nowhere on a board.
inline constexpr double kMaxSteadyTempC = 150;

/// Time, power and energy of one job in a steady state at `ambient_c`, alone on the platform, other
/// clusters and cores idle in their deepest state, at their lowest OPP, temperatures settled (leakage
/// and temperature solved together).
struct SteadyState {
  double time_ms = 0;        ///< 0 for a plain load
  double unit_power_mw = 0;  ///< rails of the clusters in the mapping, as a board's rail reports it
  double total_power_mw = 0;  ///< of the whole platform
  double energy_mj = 0;       ///< unit power * time
  double temp_c = 0;          ///< hottest node
};
/// Whether the cores of the mapping's clusters that have nothing to do are powered off. Boards are
/// measured either way.
enum class IdleCores {
  kAsSpecified,  ///< by the cluster's and the profile's `gate_idle_cores`
  kClocked,
};
SteadyState steady_state(const PlatformSpec& spec, const AppProfile& app, const Mapping& mapping,
                         int level, const OppChoice& opp, double ambient_c = 25,
                         IdleCores idle_cores = IdleCores::kAsSpecified);

/// Energy of a reference job: full width, one core of the fastest CPU cluster, its highest OPP, mJ
/// (whole platform).
double reference_energy_mj(const PlatformSpec& spec, const AppProfile& app);
/// Its time. Scenario files may give deadlines as multiples of it.
double reference_time_ns(const PlatformSpec& spec, const AppProfile& app);

}  // namespace flyball
