#pragma once

#include <array>
#include <vector>

#include "agents/agent.h"
#include "agents/app_table.h"
#include "agents/placement.h"

namespace flyball {

/// What the Linux policies share: each CPU cluster has a cpufreq governor of its own that sees how
/// busy the cluster is and nothing else, the GPU runs under devfreq's simple_ondemand, the
/// scheduler places the threads, and applications stay whole. A subclass is one cpufreq governor.
///
/// Linux's schedutil, ondemand and conservative have no timer: the scheduler calls them
/// (cpufreq_update_util()) when a task wakes or goes to sleep on a CPU of the policy, on the ticks of
/// a busy CPU, and on the one tick that comes after a CPU has gone idle and before the tick is
/// stopped: load balancing brings up to date then what sleepers left behind. `scheduled()` is such
/// a call, and the epochs of scheduler_epoch() end with them. After that the clock stays until
/// something wakes.
class LinuxGovernor : public Agent {
 public:
  LinuxGovernor(const AgentContext& context, Placement::Kind placement);
  EpochRequest epoch() const override;
  /// Of CONFIG_HZ=250, which Debian's kernels have.
  static constexpr std::int64_t kTickNs = 4'000'000;
  void bind(int slot, const Binding& binding, const Observation& now) final;
  void unbind(int slot) final;
  void decide(const Observation& now, Decision& out) noexcept final;

 protected:
  /// The OPP of CPU cluster `cluster` for the time to come; `cap` is the highest that is allowed
  /// now.
  virtual int next_opp(int cluster, const Observation& now, int cap) = 0;
  EpochRequest scheduler_epoch() const;
  /// How often next_opp() is asked, about all that time; the scheduler places tasks in between as
  /// well. 0: in every epoch.
  virtual std::int64_t timer_ns() const { return 0; }
  /// Whether the scheduler calls the governor of the cluster now.
  bool scheduled(int cluster) const { return scheduled_[static_cast<std::size_t>(cluster)]; }
  /// By how much the busiest CPU's time grew in the last epoch, over the epoch: it is counted from the last
  /// sampled(), as who looks at /proc/stat from time to time sees it.
  double busy_share(int cluster) const { return busy_share_[static_cast<std::size_t>(cluster)]; }
  void sampled(int cluster);
  const ClusterSpec& cluster_spec(int c) const { return platform_.clusters[c]; }
  int cluster_count() const { return static_cast<int>(platform_.clusters.size()); }
  const Placement& placement() const { return placement_; }

 private:
  struct GpuLoad {
    std::int64_t elapsed_ns = 0;  ///< since devfreq looked last
    double busy_ns = 0;
    int opp = 0;
  };
  /// Clusters over the time since next_opp() was asked last.
  struct Gathered {
    std::array<double, kMaxClusters> busiest_ns{}, mean_ns{};
    std::array<Counters, kMaxClusters> counters{};
    std::int64_t ns = 0;
  };
  void see_scheduler(const Observation& now, const Action& action);
  void see_busy(const Observation& now);
  const Observation* on_timer(const Observation& now);
  int gpu_opp(int cluster, const Observation& now, int cap);

  const PlatformSpec& platform_;
  AppTable<bool> apps_;
  Placement placement_;
  int explained_;  ///< the cluster of which the explanation speaks
  std::array<bool, kMaxClusters> scheduled_{};
  std::array<bool, kMaxClusters> ticking_{};  ///< a CPU is busy, or was since the last tick
  std::int64_t now_ns_ = 0;
  std::vector<double> sampled_ns_;                 ///< of each CPU, at the last sampled()
  std::array<double, kMaxClusters> busiest_ns_{};  ///< since then, of the busiest CPU
  std::array<double, kMaxClusters> busy_share_{};
  Gathered gathered_;
  Observation shown_;  ///< the same as an observation of one epoch
  std::array<GpuLoad, kMaxClusters> gpu_{};
};

/// devfreq's simple_ondemand (drivers/devfreq/governor_simpleondemand.c, upthreshold 90,
/// downdifferential 5), which governs GPUs: busy above 90 % -> `max_khz`; above 85 % as it is;
/// otherwise so that the load would be 87.5 %, the middle of the two (cur * busy / 87.5).
double simple_ondemand_khz(double busy_pct, double cur_khz, double max_khz);

}  // namespace flyball
