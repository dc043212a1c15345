#pragma once

#include <array>

#include "agents/linux_governor.h"
#include "agents/sampled_policy.h"

namespace flyball {

/// cpufreq's `ondemand` (Pallipadi and Starikovskiy, OLS 2006; drivers/cpufreq/cpufreq_ondemand.c
/// of Linux 6.1 with its defaults: sampling every 10 ms, up_threshold 95, no powersave_bias,
/// sampling_down_factor 1). Samples come as LoadSample says.
class Ondemand final : public LinuxGovernor {
 public:
  explicit Ondemand(const AgentContext& context)
      : LinuxGovernor(context, Placement::Kind::kIdleSibling) {}
  std::string_view name() const override { return "ondemand"; }
  EpochRequest epoch() const override { return scheduler_epoch(); }

  /// The OPP for a load of `load_pct` (whole percent, as the Linux kernel counts): above 95 the
  /// highest allowed, otherwise the one closest to f_min + load * (f_max - f_min) / 100. These
  /// are the hardware's (cpuinfo.min_freq and max_freq): a thermal cap clamps what comes out.
  static int opp_for_load(const ClusterSpec& cluster, int load_pct, int cap);

 protected:
  int next_opp(int cluster, const Observation& now, int cap) override;

 private:
  std::array<SampledPolicy, kMaxClusters> policy_;
};

}  // namespace flyball
