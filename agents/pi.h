#pragma once

#include "agents/agent.h"
#include "agents/app_table.h"
#include "agents/placement.h"

namespace flyball {

/// Proportional-integral control of the frequency on the slack of the last job, as in
/// control-theoretic frequency scaling for multimedia (Z. Lu et al., CASES 2002). The error is the
/// logarithm of latency over goal, in which latency answers a frequency's logarithm one to one, so
/// that the same gains do for every board; with them the error of a stream of equal jobs becomes 0.3
/// of what it was from job to job. A dropped job counts as one of twice the goal. Tasks go where
/// Linux puts them and run at their last level; clusters without a job rest.
class Pi final : public Agent {
 public:
  static constexpr double kDeadlineShare = 0.85;
  static constexpr double kIntegral = 0.5, kProportional = 0.2;

  explicit Pi(const AgentContext& context);
  std::string_view name() const override { return "pi"; }
  EpochRequest epoch() const override {
    return {.interval_ns = 50'000'000, .stop_at_release = true};
  }
  void bind(int slot, const Binding& binding, const Observation& now) override;
  void unbind(int slot) override;
  void begin_run() override;
  void decide(const Observation& now, Decision& out) noexcept override;
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override;

  /// The speed after a job with this error, of one after a job with that; 0 to 1 of the highest.
  static double next_speed(double speed, double error, double error_before);

 private:
  struct App {
    double speed = 1;  ///< of the highest frequency
    double error = 0;
    double latency_ms = 0;
  };
  const PlatformSpec& platform_;
  AppTable<App> apps_;
  Placement placement_;
};

}  // namespace flyball
