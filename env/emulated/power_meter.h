#pragma once

#include <array>
#include <cstdint>

#include "env/model/model.h"
#include "env/model/platform_spec.h"
#include "env/model/thermal.h"
#include "env/spaces/observation.h"

namespace flyball {

/// Power, energy, temperature and utilisation of the emulated platform: the platform file's model,
/// integrated over real stretches of time in which cores were busy. Time stands still until
/// advance(); a setter changes what follows.
class PowerMeter {
 public:
  PowerMeter(const PlatformSpec& spec, double ambient_c);
  /// As after a long time in the present state.
  void settle();

  void set_opp(int cluster, int opp) { load_[at(cluster)].opp = opp; }
  void set_ambient(double ambient_c);
  /// A job of the application in `slot` runs on `active` cores of the mapping (all of them, unless CPUs
  /// are missing).
  void job_started(const AppProfile& app, const Mapping& mapping, int width, int active,
                   int slot);
  void job_finished();
  /// Background load of `cores` cores with `core_nf` each; negative cores take it away again.
  void add_background(int cluster, double cores, double core_nf);

  /// Integrates up to `now_ns`. An earlier time than that of the last call changes nothing.
  void advance(std::int64_t now_ns);
  /// Polls the trip points; their verdict is opp_cap().
  void poll_trips() { thermal_poll_trips(spec_, thermal_); }
  int opp_cap(int cluster) const { return thermal_.opp_cap[at(cluster)]; }

  std::int64_t now_ns() const { return now_ns_; }
  double energy_mj() const { return energy_mj_; }
  double power_mw() const;  ///< at this moment
  /// Of the cores that the job and the background want: more threads than cores, and everyone gets
  /// the same part of what it wants.
  double share(std::size_t cluster) const;
  double temp_c(int cluster) const { return cluster_temp_c(spec_, thermal_, cluster); }
  /// Fills power, utilisation and temperature of the clusters and of the platform since the last
  /// call.
  void report(Observation& out);

 private:
  static std::size_t at(int cluster) { return static_cast<std::size_t>(cluster); }

  struct ClusterState {
    int opp = 0;
    double background_cores = 0;
    double background_nf = 0;  ///< sum over the background's cores
    double energy_mj = 0;      ///< since the last report
    // Since the last report: of the busiest core of each application's jobs and of the background, of
    // all together, and the most cores that each one's jobs wanted.
    std::array<double, kMaxApps> job_ns{}, wanted{};
    double background_ns = 0, busy_core_ns = 0;
  };
  std::array<JobLoad, kMaxClusters> running_load() const;
  std::array<double, kMaxClusters> cluster_powers_mw() const;

  const PlatformSpec& spec_;
  ThermalState thermal_;
  std::array<ClusterState, kMaxClusters> load_{};
  const AppProfile* app_ = nullptr;
  Mapping mapping_;  ///< the cores that the job has
  int width_ = 0;
  std::size_t slot_ = 0;  ///< whose job runs, or did last
  std::int64_t now_ns_ = 0;
  std::int64_t reported_ns_ = 0;
  double energy_mj_ = 0;
  double reported_mj_ = 0;
};

}  // namespace flyball
