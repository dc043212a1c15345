#pragma once

#include <vector>

#include "agents/agent.h"
#include "agents/app_table.h"
#include "agents/profile_table.h"

namespace flyball {

/// The calibrated rule that published comparisons of learning governors find hard to beat: the
/// cheapest configuration of the profile table that meets 0.9 x the deadline, the accuracy floor and
/// the energy budget, or as asked the most accurate or the quickest of those; one step up the table for every missed job, one step down after 20 jobs in a row on time.
/// Nothing is predicted and nothing learned; the clocks stay up between jobs.
class Rule final : public Agent {
 public:
  static constexpr double kDeadlineShare = 0.9;
  static constexpr int kOnTimeForStepDown = 20;

  explicit Rule(const AgentContext& context);
  std::string_view name() const override { return "rule"; }
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
  /// A rung of the ladder: everything below it is slower and cheaper.
  struct Rung {
    double time_ns, energy_mj;
    OppChoice opp;
    AppSetting setting;
  };
  struct App {
    /// Per level, of those at least as accurate as that one; ascending time.
    std::vector<std::vector<Rung>> ladder;
    Profile profile;
    std::vector<int> by_accuracy;  ///< levels, the most accurate first
    int steps_up = 0;
    int on_time = 0;
  };
  /// A rung of a level's ladder.
  struct Place {
    int level = 0, rung = 0;
  };
  Place place_for(const App& app, const Requirements& required) const;
  static int slowest_in_time(const std::vector<Rung>& ladder, const Requirements& required);
  /// The slowest rung in time that is within the energy budget; -1: none.
  static int within_budget(const std::vector<Rung>& ladder, const Requirements& required,
                           double idle_mw);

  const PlatformSpec& platform_;
  AppTable<App> apps_;
};

}  // namespace flyball
