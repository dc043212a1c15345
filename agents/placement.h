#pragma once

#include <array>
#include <cstdint>

#include "agents/activity.h"
#include "agents/energy_model.h"
#include "agents/run_queues.h"
#include "env/model/platform_spec.h"
#include "env/spaces/action.h"
#include "env/spaces/observation.h"

namespace flyball {

/// Where the Linux scheduler would wake the applications' tasks, which is all that it sees of them. It
/// never uses the GPU for them, and they stay at their last level. An application gets the mapping with as
/// many CPUs of each cluster as its tasks are on, or the nearest that the platform offers.
class Placement {
 public:
  enum class Kind {
    /// select_idle_sibling() of Linux 6.1: where the task ran last, if that CPU is idle and the task
    /// fits; else the next CPU of which that is true; else the biggest that is idle; else where it
    /// was. Where all CPUs have one capacity every task fits. Load balancing is left out.
    kIdleSibling,
    /// find_energy_efficient_cpu() of Linux 6.1, where CPUs differ in capacity; as above as long as
    /// some CPU is overutilised. Unlike kernels before 6.0, which kept a task where it was unless
    /// 6 % were to be saved, any saving moves it ("sched/fair: Remove the energy margin in feec()",
    /// commit b812fc9768e0).
    kEnergyAware,
  };
  Placement(Kind kind, const PlatformSpec& platform);
  void bind(int app, const AppProfile& profile, int threads) {
    queues_.bind(app, profile, threads);
  }
  void unbind(int app) { queues_.unbind(app); }

  /// The epoch that ended with `now` updates what is known of tasks and CPUs.
  void observe(const Observation& now) { queues_.observe(now); }
  /// Mapping and width of every application, for its next wake-up.
  void place(const Observation& now, Action& action);

  const RunQueues& queues() const { return queues_; }
  const EnergyModel& energy_model() const { return energy_model_; }

 private:
  /// For a task that never ran: the CPU with least to do, of those the biggest. (Assumed: Linux's
  /// fork looks for an idle one first and at its size last.)
  int by_load(int app) const;
  int idle_sibling(int app, const Task& task) const;
  /// Whether nothing else runs on the CPU. Somebody else's load that leaves it idle for most of the
  /// time is none.
  bool idle(int cpu) const;
  bool others_keep_busy(int cpu) const;
  int energy_efficient(int app, const Task& task) const;
  double util_with(int cpu, const Task& task, bool here) const;
  double estimated_energy(int cluster, const Task& task, int target) const;
  int nearest_mapping(int app) const;
  bool allowed(int app, int cluster) const;

  Kind kind_;
  const PlatformSpec& platform_;
  RunQueues queues_;
  EnergyModel energy_model_;
  bool asymmetric_;
  /// Tasks on each CPU, as far as they are placed in this round.
  std::vector<std::uint16_t> placed_;
  /// Tasks that wake together: those before the one in hand count where they go, and as runnable.
  int placing_app_ = -1, placing_task_ = 0;
};

}  // namespace flyball
