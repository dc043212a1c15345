#pragma once

#include <vector>

#include "agents/agent.h"
#include "agents/app_table.h"
#include "agents/profile_table.h"
#include "env/model/model.h"

namespace flyball {

/// POET (C. Imes et al., "POET: A Portable Approach to Minimizing Energy Under Soft Real-time
/// Constraints", RTAS 2015). A Kalman filter estimates how fast the slowest configuration is now; an
/// integral controller turns the error of the measured speed into the speed-up that is needed; and of
/// all mixtures of configurations within a window of jobs with that mean time the one of least energy
/// is run, which is one of two configurations. The goal is kDeadlineShare of the deadline, and accuracy
/// is not traded: only levels that reach the floor are configurations. Nothing is explored and nothing
/// kept from run to run.
class Poet final : public Agent {
 public:
  static constexpr double kDeadlineShare = 0.9;
  static constexpr int kWindowJobs = 10;

  /// How fast the slowest configuration is, 1 as profiled, from measurements of speed-up times that.
  class Base {
   public:
    void observe(double speed, double speedup);
    double value() const { return value_; }

   private:
    double value_ = 1, variance_ = 1;
  };
  /// A corner of the lower hull of energy over time: mixtures of neighbours need least energy.
  struct Corner {
    double time_ns, energy_mj;
    OppChoice opp;
    AppSetting setting;
  };
  /// Of `points`, ascending time. Changes their order.
  static std::vector<Corner> lower_hull(std::vector<Corner> points);

  explicit Poet(const AgentContext& context);
  std::string_view name() const override { return "poet"; }
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
  struct App {
    Profile profile;
    std::vector<std::vector<Corner>> hull{};  ///< per level, of all levels as accurate as that one
    Base base{};
    int level = -1;          ///< the least accurate that will do; -1: not planned yet
    double speedup = 1;      ///< over the slowest corner
    std::size_t fast = 0;    ///< corner; the slow one is the next, if there is one
    int fast_jobs = 0;       ///< of a window, which come first
    int jobs = 0;            ///< of the window so far
    double measured_ns = 0;  ///< that these took
    double profiled_ns = 0;  ///< that they should have
  };
  void plan(App& app) const;
  void end_window(App& app, const Requirements& required) const;

  const PlatformSpec& platform_;
  AppTable<App> apps_;
};

}  // namespace flyball
