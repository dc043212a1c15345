#pragma once

#include <boost/circular_buffer.hpp>

#include "agents/agent.h"
#include "agents/app_table.h"
#include "agents/placement.h"

namespace flyball {

/// The rule of the released Dynamic-OFA manager (W. Lou et al., CVPR workshops 2021): when the mean
/// time of the last 20 jobs exceeds the limit, one width down. That manager turns no other knob, so
/// frequencies stay at their highest, jobs on the big cores and the arithmetic in fp32. Of an
/// application with other knobs the first one is turned. The way back up, of which the publication
/// says nothing, is taken when the mean, scaled by the model's cost of the next width, would stay below
/// 0.9 x the limit; the accuracy floor holds.
class Mean20 final : public Agent {
 public:
  static constexpr std::size_t kJobs = 20;
  static constexpr double kUpShare = 0.9;

  explicit Mean20(const AgentContext& context);
  std::string_view name() const override { return "mean20"; }
  EpochRequest epoch() const override {
    return {.interval_ns = 50'000'000, .stop_at_release = true};
  }
  void bind(int slot, const Binding& binding, const Observation& now) override;
  void unbind(int slot) override;
  void begin_run() override;
  void decide(const Observation& now, Decision& out) noexcept override;
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override;

 private:
  struct App {
    boost::circular_buffer<double> latency_ms{kJobs};
    int level = 0;
    double mean_ms = 0;
  };
  int least_level(int slot, double floor_pct) const;
  /// The next narrower (step -1) or wider (1) one in fp32; `level` itself at the end.
  int neighbour(int slot, int level, int step) const;

  const PlatformSpec& platform_;
  AppTable<App> apps_;
  Placement placement_;
};

}  // namespace flyball
