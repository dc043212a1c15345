#pragma once

#include <array>

#include "agents/agent.h"
#include "agents/app_table.h"
#include "agents/placement.h"

namespace flyball {

/// What the Linux policies share: each CPU cluster has a cpufreq governor of its own that sees how
/// busy the cluster is and nothing else, the GPU runs under devfreq's simple_ondemand, the
/// scheduler places the threads, and applications stay whole. A subclass is one cpufreq governor.
class LinuxGovernor : public Agent {
 public:
  LinuxGovernor(const AgentContext& context, Placement::Kind placement);
  EpochRequest epoch() const override {
    return {.interval_ns = 10'000'000, .stop_at_release = false};
  }
  void bind(int slot, const Binding& binding, const Observation& now) final;
  void unbind(int slot) final;
  void decide(const Observation& now, Decision& out) noexcept final;

 protected:
  /// The OPP of CPU cluster `cluster` for the time to come; `cap` is the highest that is allowed
  /// now.
  virtual int next_opp(int cluster, const Observation& now, int cap) = 0;
  const ClusterSpec& cluster_spec(int c) const { return platform_.clusters[c]; }
  int cluster_count() const { return static_cast<int>(platform_.clusters.size()); }
  const Placement& placement() const { return placement_; }

 private:
  const PlatformSpec& platform_;
  AppTable<bool> apps_;
  Placement placement_;
  int explained_;  ///< the cluster of which the explanation speaks
};

/// devfreq's simple_ondemand (drivers/devfreq/governor_simpleondemand.c, upthreshold 90,
/// downdifferential 5), which governs GPUs: busy above 90 % -> `max_khz`; above 85 % as it is;
/// otherwise so that the load would be 87.5 %, the middle of the two (cur * busy / 87.5).
double simple_ondemand_khz(double busy_pct, double cur_khz, double max_khz);

}  // namespace flyball
