#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "agents/activity.h"
#include "agents/pelt.h"
#include "env/model/platform_spec.h"

namespace flyball {

/// A thread of an application.
struct Task {
  Pelt util;
  UtilEst est;
  int cpu = -1;     ///< where it runs or last ran; -1: nowhere yet
  int wake_on = 0;  ///< where it would wake if it woke now
  bool runnable = false;
};

/// What the Linux scheduler knows of tasks and CPUs, kept up from what an observation says of jobs
/// and of how busy the clusters are (kernel/sched/fair.c of Linux 6.1). An application with n threads
/// is n tasks: the first runs as long as its job does, the others in the parallel part. What keeps
/// the CPUs busy beyond that is somebody else's tasks, which keep off the CPUs of the governed ones
/// while there are others. Frequencies are followed by schedutil, places by Placement, both from
/// here.
class RunQueues {
 public:
  struct Cpu {
    int cluster = 0;
    int other = -1;  ///< index of the other load on it; -1: none
  };
  struct App {
    Activity activity;
    const AppProfile* profile = nullptr;  ///< null: the slot is free
    std::vector<Task> tasks;
    bool active = false;
    std::int64_t released_ns = -1;  ///< when its tasks woke last
    bool started = false;           ///< has run; before that its tasks are on no CPU
    std::uint8_t wakes_with = 0;    ///< the mapping that its tasks' `wake_on` come down to
  };

  explicit RunQueues(const PlatformSpec& platform);
  /// `threads` tasks, all new. Allocates.
  void bind(int app, const AppProfile& profile, int threads);
  void unbind(int app);

  /// An epoch has passed.
  void observe(const Observation& now);

  /// cpu_util_cfs(): the larger of the CPU's own signal and the sum of the estimates of what is
  /// runnable there, at most its capacity.
  double cpu_util(int cpu) const;
  /// Of the busiest CPU of a cluster.
  double cluster_util(int cluster) const;
  /// Whether some CPU is used beyond 80 %.
  bool overutilised() const;

  /// Capacity of one CPU at its highest frequency, 1024 for the biggest of the platform; 0 for what is
  /// no CPU.
  double capacity(int cluster) const { return capacity_[static_cast<std::size_t>(cluster)]; }
  /// A task fits when it leaves 20 % of the capacity free: util * 1280 < capacity * 1024
  /// (fits_capacity()).
  static bool fits(double util, double capacity) { return util * 1280 < capacity * 1024; }

  int cpu_count() const { return static_cast<int>(cpu_.size()); }
  const Cpu& cpu(int i) const { return cpu_[static_cast<std::size_t>(i)]; }
  /// PELT signal of the other load on a CPU, and the share of the last epoch that it ran.
  double other_util(int cpu) const;
  double other_share(int cpu) const;

  /// How long a CPU was busy since the beginning, as /proc/stat counts.
  double busy_ns(int cpu) const { return busy_ns_[static_cast<std::size_t>(cpu)]; }

  int app_count() const { return static_cast<int>(app_.size()); }
  App& app(int i) { return app_[static_cast<std::size_t>(i)]; }
  const App& app(int i) const { return app_[static_cast<std::size_t>(i)]; }

 private:
  struct Other {
    Pelt util;
    double share = 0;
  };
  void settle(App& app, int mapping);
  void spread(App& app, const Mapping& mapping);
  bool matches(const App& app, const Mapping& mapping, int Task::*where) const;
  double helper_share(int app, const JobStretch& stretch, const Observation& now) const;
  void add_demand(int app, const Observation& now);
  void advance_tasks(int app, const Observation& now);
  void observe_others(const Observation& now);
  void place_others();
  void add_busy(std::int64_t epoch_ns);
  int tasks_on(int cpu) const;

  const PlatformSpec& platform_;
  std::vector<Cpu> cpu_;
  std::vector<double> busy_ns_,
      ran_ns_;  ///< of each CPU: ever, and by applications in the last epoch
  std::vector<App> app_;
  std::array<double, kMaxClusters> capacity_{};
  std::array<std::vector<Other>, kMaxClusters> others_;
  // Of the last epoch.
  std::array<double, kMaxClusters> scale_{};    ///< relative frequency times relative capacity
  std::array<double, kMaxClusters> demand_{};   ///< CPUs that the applications' tasks wanted
  std::array<double, kMaxClusters> granted_{};  ///< the part of that which they got
};

}  // namespace flyball
