#pragma once

#include <array>

#include "agents/agent.h"
#include "agents/app_table.h"
#include "agents/placement.h"

namespace flyball {

/// The heuristic on memory reads per instruction of the PRiME project (B. K. Reddy et al.,
/// "Inter-cluster Thread-to-core Mapping and DVFS on Heterogeneous Multi-cores", IEEE TMSCS 2018): per
/// cluster a moving average (weight 0.6 on the new value) of last-level cache misses per instruction is
/// looked up in a table of frequencies; the more a load waits for memory, the less a clock does for it.
/// The published table is of one chip. Here a frequency's threshold is where it is slower than the
/// highest by kSlowdown, with the cluster's cycles per instruction and time of a miss from the belief.
/// Where there are no counters the clock is at its highest; a cluster without load rests. It knows
/// nothing of deadlines. Tasks go where Linux puts them.
class Mrpi final : public Agent {
 public:
  static constexpr double kSlowdown = 0.1;
  static constexpr double kEwma = 0.6;

  explicit Mrpi(const AgentContext& context);
  std::string_view name() const override { return "mrpi"; }
  EpochRequest epoch() const override { return {.interval_ns = 50'000'000}; }
  void bind(int slot, const Binding& binding, const Observation& now) override;
  void unbind(int slot) override;
  void begin_run() override;
  void decide(const Observation& now, Decision& out) noexcept override;
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override;

  /// Misses per instruction from which on a clock of `khz` loses less than kSlowdown against
  /// `highest_khz`; `ipc` without misses.
  static double threshold(double khz, double highest_khz, double ipc, double miss_ns);

 private:
  /// A cluster's moving average; below 0: nothing was counted yet.
  std::array<double, kMaxClusters> misses_{};
  const PlatformSpec& platform_;
  AppTable<bool> apps_;
  Placement placement_;
};

}  // namespace flyball
