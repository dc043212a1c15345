#pragma once

#include <boost/circular_buffer.hpp>
#include <vector>

#include "agents/agent.h"

namespace flyball {

/// The rule of the released Dynamic-OFA manager (W. Lou et al., CVPR workshops 2021): when the mean
/// time of the last 20 jobs exceeds the limit, one width down. That manager turns no other knob, so
/// frequencies stay at their highest, jobs on the big cores and the arithmetic in fp32. The way
/// back up, of which the publication says nothing, is taken when the mean, scaled by the model's
/// cost of the next width, would stay below 0.9 x the limit; the accuracy floor holds.
class Mean20 final : public Agent {
 public:
  static constexpr std::size_t kJobs = 20;
  static constexpr double kUpShare = 0.9;

  explicit Mean20(const AgentContext& context);
  std::string_view name() const override { return "mean20"; }
  EpochRequest epoch() const override {
    return {.interval_ns = 50'000'000, .stop_at_release = true};
  }
  void decide(const Observation& now, Action& out) override;
  void learn(const Observation& outcome, const Action& applied, double reward) override;
  const Explanation& why() const override { return why_; }

 private:
  struct App {
    boost::circular_buffer<double> latency_ms{kJobs};
    int width = 0;
    int mapping = 0;
    double mean_ms = 0;
  };
  const AppProfile& profile(std::size_t app) const;
  int least_width(std::size_t app, double floor_pct) const;
  /// The next narrower (step -1) or wider (1) one in fp32; `width` itself at the end.
  int neighbour(std::size_t app, int width, int step) const;

  const PlatformSpec& platform_;
  const Scenario& scenario_;
  std::vector<App> apps_;
  Explanation why_;
};

}  // namespace flyball
