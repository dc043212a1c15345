#pragma once

#include "agents/agent.h"
#include "agents/app_table.h"
#include "agents/profile_table.h"

namespace flyball {

/// ALERT (C. Wan et al., "ALERT: Accurate Learning for Energy and Timeliness", USENIX ATC 2020): one
/// factor xi says how much longer jobs take than profiled, whatever the configuration; a Kalman
/// filter whose process noise follows the innovations estimates its mean and deviation. Every
/// configuration of the profile table is scored with it, and of those that reach the accuracy floor
/// and meet the deadline with a probability of kProbability the one of least energy is taken; the
/// likeliest when there is none. A second filter tracks the power of an idle platform as a share of
/// that of a busy one, for the clocks stay as they are between jobs. One decision per job. Filter
/// constants as published; nothing is explored and nothing kept from run to run.
class Kalman final : public Agent {
 public:
  static constexpr double kProbability = 0.95;

  /// Of the slowdown xi ~ N(mean, deviation^2).
  class Slowdown {
   public:
    /// Takes in the time of a job over its profiled one.
    void observe(double ratio);
    double mean() const { return mean_; }
    double deviation() const { return deviation_; }
    /// That a job of `profiled_ns` is done within `limit_ns`.
    double on_time(double profiled_ns, double limit_ns) const;

   private:
    double mean_ = 1, deviation_ = 0.1, gain_ = 0.5, process_ = 0.1, innovation_ = 0;
  };
  /// Of idle over busy power.
  class IdleShare {
   public:
    explicit IdleShare(double expected) : share_(expected) {}
    void observe(double ratio);
    double share() const { return share_; }

   private:
    double share_, variance_ = 0.01;
  };

  explicit Kalman(const AgentContext& context);
  std::string_view name() const override { return "kalman"; }
  EpochRequest epoch() const override {
    return {.interval_ns = 50'000'000, .stop_at_release = true};
  }
  void bind(int slot, const Binding& binding, const Observation& now) override;
  void unbind(int slot) override { apps_.unbind(slot); }
  void begin_run() override { apps_.clear(); }
  void decide(const Observation& now, Decision& out) noexcept override;
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override;

 private:
  struct Choice {
    AppSetting setting;
    OppChoice opp{};
    double time_ns = 0;
    double busy_mw = 0;
  };
  struct App {
    Profile profile;
    Slowdown slowdown;
    IdleShare idle;
    Choice chosen;
    std::int64_t chosen_release_ns = -1;  ///< of the job that it was chosen at
  };
  void choose(App& app, const AppObservation& seen) const;

  const PlatformSpec& platform_;
  AppTable<App> apps_;
};

}  // namespace flyball
