#pragma once

#include <array>

#include "agents/pelt.h"
#include "env/model/platform_spec.h"
#include "env/scenario/scenario.h"
#include "env/spaces/action.h"
#include "env/spaces/observation.h"

namespace flyball {

/// Where the Linux scheduler would run the applications, of which it sees threads only. It never
/// uses the GPU for them, and their width stays 100 %.
class Placement {
 public:
  enum class Kind {
    kBigFirst,     ///< threads fill the cores with most capacity first
    kEnergyAware,  ///< the smallest cores with room for the threads' utilisation, otherwise big
                   ///< first
  };
  Placement(Kind kind, const PlatformSpec& platform, const Scenario& scenario);

  /// The epoch that ended with `now` updates the applications' utilisation.
  void observe(const Observation& now);
  /// Mapping and width of every application.
  void place(const Observation& now, Action& action) const;

  /// Utilisation per thread as energy-aware placement estimates it, 0 to 1024 (util_est: the signal
  /// now, or a moving average of its value at the end of jobs, weight 1/4, that follows rises at
  /// once).
  double utilisation(int app) const;
  /// Capacity of one core at its highest frequency, 1024 for the biggest core of the platform.
  double capacity(int cluster) const { return capacity_[cluster]; }

  /// A task fits when it leaves 20 % of the capacity free: util * 1280 < capacity * 1024
  /// (fits_capacity(), fair.c).
  static bool fits(double util, double capacity) { return util * 1280 < capacity * 1024; }

 private:
  struct Task {
    Pelt running;
    double at_dequeue = 0;
  };
  int big_first(const AppSpec& app, std::array<int, kMaxClusters>& taken) const;
  int energy_aware(int app, const Observation& now, std::array<int, kMaxClusters>& taken) const;
  int mapping_for(const AppSpec& app, const std::array<std::uint8_t, kMaxClusters>& cores) const;
  double spare_capacity(int cluster, int threads, const Observation& now) const;

  Kind kind_;
  const PlatformSpec& platform_;
  const Scenario& scenario_;
  std::array<double, kMaxClusters> capacity_{};
  std::array<int, kMaxClusters> by_capacity_{};  ///< CPU clusters, biggest cores first
  int cpu_clusters_ = 0;
  std::array<Task, kMaxApps> task_{};
};

/// The share of the epoch that ended with `now` in which a job of `app` was running.
double running_share(const Observation& now, int app);

}  // namespace flyball
