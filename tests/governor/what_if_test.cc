// What the shield makes of trials: what an agent does only to learn.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "agents/explain.h"
#include "allocation_count.h"
#include "env/model/model.h"
#include "env/sim/simulator.h"
#include "fakes.h"
#include "governor/compare/unknown_boards.h"
#include "governor/loop/heat_forecast.h"
#include "governor/metrics/session.h"
#include "kernels/base/normal_tail.h"
#include "kernels/base/random.h"

namespace flyball::test {
namespace {

using Verdict = Shield::Verdict;

Trial next_trial(const Action& instead) {
  Trial trial;
  trial.next = 1;
  trial.instead = instead;
  return trial;
}

class WhatIf : public ::testing::Test {
 protected:
  PlatformSpec spec_ = small_platform();
  Scenario scenario_ = small_scenario(105);
  // A big core at 1000 MHz: 100 of 105 ms, 21 % likely to miss with a standard deviation of 6.25 %.
  const Action risky_ = small_action(1, 0, 1, 1);
  const Action safe_ = small_action(1, 0, 2, 1);  // 50 ms on both
};

TEST_F(WhatIf, ATrialThatIsLikelyToMissGivesWayToWhatTheAgentHoldsBest) {
  const BoundShield shield(spec_, scenario_, {});
  Action action = risky_;
  Shield::Refused refused;
  EXPECT_EQ(shield.check(small_observation(scenario_), action, next_trial(safe_), &refused),
            Verdict::kReplaced);
  EXPECT_EQ(action, safe_);
  EXPECT_EQ(refused.slot, 0);
  EXPECT_NEAR(refused.risk.miss, normal_tail(0.8), 1e-6);
  EXPECT_EQ(refused.risk.hot, 0);
  EXPECT_EQ(refused.risk.short_pct, 0);
}

TEST_F(WhatIf, WhatIsNoTrialIsNotAsked) {
  const BoundShield shield(spec_, scenario_, {});
  Action action = risky_;
  Shield::Refused refused;
  Trial none = next_trial(safe_);
  none.next = 0;
  EXPECT_EQ(shield.check(small_observation(scenario_), action, none, &refused), Verdict::kPassed);
  EXPECT_EQ(action, risky_);
  EXPECT_EQ(refused.slot, -1);
}

TEST_F(WhatIf, WithoutItATrialIsJudgedAsEverythingElse) {
  const BoundShield shield(spec_, scenario_, {.what_if = false});
  Action action = risky_;
  EXPECT_EQ(shield.check(small_observation(scenario_), action, next_trial(safe_)),
            Verdict::kPassed);
  EXPECT_EQ(action, risky_);
}

TEST_F(WhatIf, TheLimitIsTheOneThatIsSet) {
  for (const double limit : {0.20, 0.22}) {
    const BoundShield shield(spec_, scenario_, {.trial_miss = limit});
    Action action = risky_;
    const bool replaced =
        shield.check(small_observation(scenario_), action, next_trial(safe_)) == Verdict::kReplaced;
    EXPECT_EQ(replaced, limit < normal_tail(0.8)) << limit;
  }
}

TEST_F(WhatIf, WhereTheAgentsOwnIsNoBetterTheShieldChooses) {
  const BoundShield shield(spec_, scenario_, {});
  Action action = risky_;
  EXPECT_EQ(shield.check(small_observation(scenario_), action,
                         next_trial(small_action(0, 2, 0, 1))),  // little: 200 ms
            Verdict::kReplaced);
  EXPECT_EQ(action, safe_) << "the cheapest that takes at most 95 ms";
}

TEST_F(WhatIf, WhereNothingIsSafeATrialIsMade) {
  scenario_ = small_scenario(27);  // 25 ms on both big cores at the top: 10 % likely to miss
  const BoundShield shield(spec_, scenario_, {});
  const Action trial = small_action(2, 0, 2, 1);
  Action action = trial;
  Shield::Refused refused;
  EXPECT_EQ(shield.check(small_observation(scenario_), action, next_trial(small_action(2, 0, 1, 1)),
                         &refused),
            Verdict::kPassed);
  EXPECT_EQ(action, trial);
  EXPECT_EQ(refused.slot, -1);
}

TEST_F(WhatIf, ATrialIsNoExcuseForLessAccuracyThanAsked) {
  scenario_ = small_scenario(400);
  const BoundShield shield(spec_, scenario_, {});
  Action action = small_action(2, 0, 2, 0);  // half of the network
  Shield::Refused refused;
  EXPECT_EQ(shield.check(small_observation(scenario_), action, next_trial(safe_), &refused),
            Verdict::kReplaced);
  EXPECT_EQ(action.app[0], safe_.app[0]);
  EXPECT_DOUBLE_EQ(refused.risk.short_pct, 10);
}

// Whatever is tried, in whatever state: no trial that is likelier to miss than the limit is made as long as
// any configuration is safe, and what is no trial passes as without the what-if.
TEST_F(WhatIf, NoUnsafeTrialWhileSomethingIsSafe) {
  Random rng(5);
  int refused_trials = 0, made = 0, helpless = 0;
  for (int i = 0; i < 4000; ++i) {
    scenario_ = small_scenario(20 + rng.below(300), rng.below(2) != 0 ? 70 : 0);
    const BoundShield shield(spec_, scenario_, {}), plain(spec_, scenario_, {.what_if = false});
    Observation now = small_observation(scenario_);
    now.cluster[0].opp_cap = static_cast<std::uint8_t>(rng.below(3));
    now.app[0].backlog = rng.below(3);
    const auto any = [&] {
      return small_action(static_cast<int>(rng.below(3)), static_cast<int>(rng.below(3)),
                          static_cast<int>(rng.below(3)), static_cast<int>(rng.below(2)));
    };
    const Action asked = any(), instead = any();
    Action made_of_it = asked, without = asked;
    shield.check(now, made_of_it);
    plain.check(now, without);
    ASSERT_EQ(made_of_it, without);

    bool any_safe = false;
    for (int m = 0; m < 3; ++m) {
      for (int l = 0; l < 2; ++l) {
        for (int opp = 0; opp < 3; ++opp) {
          if (m > 0 && opp > now.cluster[0].opp_cap) continue;
          const Action one = small_action(m > 0 ? opp : 0, m > 0 ? 0 : opp, m, l);
          const Shield::Risk risk = shield.next_risk(now, 0, one.app[0], one.opp, one.app[0]);
          any_safe = any_safe || (risk.miss < 0.0499 && risk.short_pct <= 0);
        }
      }
    }
    Action action = asked;
    Shield::Refused refused;
    shield.check(now, action, next_trial(instead), &refused);
    const Shield::Risk risk = shield.next_risk(now, 0, action.app[0], action.opp, action.app[0]);
    if (any_safe) {
      ASSERT_LE(risk.miss, 0.0501) << i;
      ASSERT_LE(risk.short_pct, 0) << i;
    }
    refused_trials += refused.slot == 0;
    made += any_safe && refused.slot < 0;
    helpless += !any_safe;
  }
  EXPECT_GT(refused_trials, 500);
  EXPECT_GT(made, 500);
  EXPECT_GT(helpless, 100);
}

TEST_F(WhatIf, AllocatesNothing) {
  BoundShield shield(spec_, scenario_, {});
  const Observation now = small_observation(scenario_);
  const Trial trial = next_trial(safe_), hopeless = next_trial(small_action(0, 2, 0, 1));
  Shield::Refused refused;
  const std::uint64_t before = allocations();
  for (int i = 0; i < 100; ++i) {
    Action action = risky_, other = risky_;
    shield.check(now, action, trial, &refused);
    shield.check(now, other, hopeless, &refused);
    shield.learn(now, action);
  }
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(refused.slot, 0);
}

// Where nothing has run yet a job may be off by as much as elsewhere.
TEST_F(WhatIf, ABeliefThatWasWrongElsewhereIsTrustedLess) {
  scenario_ = small_scenario(250);
  BoundShield shield(spec_, scenario_, {});
  const Action on_little = small_action(0, 2, 0, 1);  // 200 ms: 0.8
  const Observation now = small_observation(scenario_);
  const double before = shield.next_risk(now, 0, on_little.app[0], on_little.opp, {1, 1}).miss;
  EXPECT_LT(before, 0.001);
  for (int i = 1; i <= 20; ++i) {  // on big a job takes 1.5 times as long as believed
    Observation epoch = small_observation(scenario_);
    epoch.now_ns = 200 * i * kMs;
    epoch.epoch_ns = 200 * kMs;
    epoch.cluster[0].opp = 1;
    epoch.add_job(small_job(0, 200 * (i - 1), 150, 250, {1, 1}));
    shield.learn(epoch, small_action(1, 0, 1, 1));
  }
  const double after = shield.next_risk(now, 0, on_little.app[0], on_little.opp, {1, 1}).miss;
  EXPECT_NEAR(after, normal_tail(0.25 / 0.5), 0.05);
}

/// A job on one big core since 0, due at 150 ms: 200, 100 or 50 ms.
Observation running(const Scenario& scenario) {
  Observation now = small_observation(scenario);
  now.app[0].setting = {1, 1};
  now.app[0].backlog = 1;
  RunningJobObservation& run = now.app[0].running;
  run.busy = true;
  run.setting = {1, 1};
  run.deadline_ns = 150 * kMs;
  return now;
}

TEST_F(WhatIf, LowerClocksAreTriedWhereThereIsTimeToRaiseThemAgain) {
  scenario_ = small_scenario(150);
  const BoundShield shield(spec_, scenario_, {.guard_idle = false});
  const Observation now = running(scenario_);
  Trial trial;
  trial.clocks = 1;
  trial.instead = small_action(1, 0, 1, 1);
  const Action low = small_action(0, 0, 1, 1);
  // A tenth of the job in 20 ms, and 130 ms at the top for the rest.
  trial.interval_ns = 20 * kMs;
  Action action = low;
  EXPECT_EQ(shield.check(now, action, trial), Verdict::kPassed);
  EXPECT_EQ(action, low);
  // 0.7 in 140 ms, and 0.2 at the top: not the whole of it.
  trial.interval_ns = 140 * kMs;
  Shield::Refused refused;
  EXPECT_EQ(shield.check(now, action, trial, &refused), Verdict::kReplaced);
  EXPECT_EQ(action, trial.instead);
  EXPECT_EQ(refused.slot, 0);
  EXPECT_NEAR(refused.risk.miss, normal_tail((0.7 + 9.9 / 50 - 1) / 0.0625), 1e-3);
  // What the agent would do is no better: the highest.
  trial.instead = low;
  action = low;
  EXPECT_EQ(shield.check(now, action, trial), Verdict::kReplaced);
  EXPECT_EQ(action, small_action(2, 0, 1, 1));
}

TEST_F(WhatIf, OfAJobThatRunsLongWhatIsLeftIsJudgedByThatItStillRuns) {
  scenario_ = small_scenario(150);
  BoundShield shield(spec_, scenario_, {});
  const Action applied = small_action(1, 0, 1, 1);
  Observation now = running(scenario_);
  now.now_ns = now.epoch_ns = 110 * kMs;  // 1.1 of a job has been done
  now.cluster[0].opp = 1;
  shield.learn(now, applied);
  const double miss = shield.running_risk(now, 0, applied.opp, 40 * kMs);
  EXPECT_NEAR(miss, normal_tail((1.5 - 1) / 0.0625) / normal_tail(0.1 / 0.0625), 1e-6);
  EXPECT_GT(shield.running_risk(now, 0, {0, 0}, 40 * kMs), miss);
}

/// The big cores warm the chip by 10 K/W within 1 s; 80 degrees are the limit.
class WhatIfItHeats : public WhatIf {
 protected:
  WhatIfItHeats() {
    scenario_ = small_scenario(300);
    spec_.thermal = {{"chip", 0, 0, {{10, 1}}}};
    spec_.trips = {{TripPoint::Kind::kCap, 80, 2, 0, 0, 0, 500'000}};
    for (OperatingPoint& point : spec_.clusters[0].opps) point.voltage_mv *= 2;
  }
  /// At `temp_c`, after a while at 0.5 W.
  Observation settled(Shield& shield, double temp_c) const {
    Observation now = small_observation(scenario_);
    now.epoch_ns = 200 * kMs;
    now.power_mw = 500;
    now.energy_mj = 100;
    now.cluster[0].temp_c = temp_c;
    for (int i = 1; i <= 50; ++i) {
      now.now_ns = i * 200 * kMs;
      shield.learn(now, {});
    }
    return now;
  }
  const Action on_big_ = small_action(0, 0, 2, 1), on_little_ = small_action(0, 2, 0, 1);
};

TEST_F(WhatIfItHeats, ATrialThatReachesATripPointIsRefused) {
  BoundShield shield(spec_, scenario_, {});
  Action action = on_big_;
  Shield::Refused refused;
  // 256 mJ within 300 ms instead of 62.5: 0.65 W more, 5.9 K within eight jobs.
  const Observation cool = settled(shield, 40);
  EXPECT_EQ(shield.check(cool, action, next_trial(on_little_), &refused), Verdict::kPassed);
  const Observation warm = settled(shield, 78);
  EXPECT_EQ(shield.check(warm, action, next_trial(on_little_), &refused), Verdict::kReplaced);
  EXPECT_EQ(action.app[0], on_little_.app[0]);
  EXPECT_GT(refused.risk.hot, 0.99);
  EXPECT_LT(refused.risk.miss, 0.05);
}

TEST_F(WhatIfItHeats, OneThatTakesLessPowerIsMadeHoweverHotItIs) {
  scenario_ = small_scenario(300);
  BoundShield shield(spec_, scenario_, {});
  const Observation hot = settled(shield, 85);
  Action action = on_little_;
  EXPECT_EQ(shield.check(hot, action, next_trial(on_big_)), Verdict::kPassed);
  EXPECT_EQ(action, on_little_);
}

TEST(HeatForecast, FollowsTheThermalNetworkThatItIsTold) {
  PlatformSpec spec = small_platform();
  spec.thermal = {{"chip", 0, 5, {{8, 2}, {4, 30}}}};
  spec.trips = {{TripPoint::Kind::kCap, 70, 2, 0, 0, 0, 500'000}};
  HeatForecast forecast(spec);
  ThermalState truth;
  thermal_reset(spec, 25, 1, truth);
  Observation now;
  now.cluster_count = 2;
  now.epoch_ns = 50 * kMs;
  const auto pass = [&](double seconds, double watts) {
    for (int i = 0; i < static_cast<int>(seconds * 20); ++i) {
      thermal_advance(spec, watts, 0.05, truth);
      now.energy_mj = watts * 50;
      now.now_ns += now.epoch_ns;
      now.cluster[0].temp_c = cluster_temp_c(spec, truth, 0);
      forecast.note(now);
    }
  };
  pass(20, 1);
  pass(10, 2.5);
  // With 1.5 W more for 12 s it gets to where the network gets: the trip point at that is a coin's toss.
  ThermalState later = truth;
  thermal_advance(spec, 4, 12, later);
  const double reached_c = cluster_temp_c(spec, later, 0);
  ASSERT_GT(reached_c, now.cluster[0].temp_c + 5);
  const auto exceeded = [&](double limit_c, double more_mw) {
    spec.trips[0].temp_c = limit_c;
    return forecast.exceeded(now, more_mw, 0, 12);
  };
  EXPECT_NEAR(exceeded(reached_c, 1500), 0.5, 0.1);
  EXPECT_GT(exceeded(reached_c - 1.5, 1500), 0.99);
  EXPECT_LT(exceeded(reached_c + 1.5, 1500), 0.01);
  EXPECT_EQ(exceeded(0, 0), 0) << "what takes no more power is no risk";
}

TEST(WhatIfReason, SaysWhatWouldHaveComeOfIt) {
  const PlatformSpec spec = small_platform();
  Decision decision;
  decision.action = small_action(1, 0, 1, 1);
  Shield::Refused refused{0, {0.213, 0.5, 0}};
  decision.reason = refused.reason();
  EXPECT_FALSE(decision.explored()) << "it was not made";
  const std::string text = explain(decision, spec, small_binding(spec, small_scenario().apps[0]));
  EXPECT_EQ(text.substr(0, text.find(',')), "camera: trial of bigx1 at 1000 MHz");
  EXPECT_NE(text.find(" refused: 21 % likely to miss, 50 % likely to overheat"), text.npos) << text;
}

class ReasonSink final : public EpochSink {
 public:
  void on_epoch(const EpochEvent& event) noexcept override {
    reason = event.decided.reason;
    probability = event.decided.probability;
    applied = event.applied;
  }
  Reason reason;
  float probability = -1;
  Action applied;
};

TEST_F(WhatIf, TheLoopRecordsTheRefusalAndHowLikelyTheRestWas) {
  const Belief belief = Belief::of(spec_);
  FakePlatform platform(spec_, scenario_, 1);
  FakeAgent agent(risky_, true);
  agent.trial = next_trial(safe_);
  agent.probability = 0.25f;
  // Both end in the same, and a third does not.
  agent.drawn = {{safe_, 0.5}, {risky_, 0.25}, {small_action(2, 0, 2, 1), 0.25}};
  agent.drawn_trial = {Trial{}, agent.trial, Trial{}};
  Shield shield(belief, {});
  RewardWeights weights;
  ControlLoop loop(platform, agent, shield, weights);
  ReasonSink sink;
  loop.add_sink(sink);
  EXPECT_EQ(loop.run(), Status::kFinished);
  EXPECT_EQ(sink.applied, safe_);
  EXPECT_EQ(sink.reason.code, Reason::Code::kRefused);
  EXPECT_NEAR(static_cast<double>(sink.reason.number[0]), 100 * normal_tail(0.8), 1e-3);
  EXPECT_FLOAT_EQ(sink.probability, 0.75f);
  EXPECT_EQ(agent.replacements, 1);
}

/// The planner, but for every other job it picks a mapping blindly, to learn: a trial.
class Careless final : public Agent {
 public:
  Careless(const AgentContext& context)
      : inner_(make_agent("planner", context)),
        mappings_(static_cast<std::uint32_t>(context.belief.mean.mappings.size())),
        random_(context.seed, 7) {}
  std::string_view name() const override { return "careless"; }
  EpochRequest epoch() const override { return inner_->epoch(); }
  void bind(int slot, const Binding& binding, const Observation& now) override {
    inner_->bind(slot, binding, now);
  }
  void unbind(int slot) override { inner_->unbind(slot); }
  void begin_run() override { inner_->begin_run(); }
  void end_run() override { inner_->end_run(); }
  void decide(const Observation& now, Decision& out) noexcept override {
    inner_->decide(now, out);
    out.trial = {};
    if (now.job_count > 0) {
      picked_ = random_.below(2) == 0 ? static_cast<int>(random_.below(mappings_)) : -1;
      trials += picked_ >= 0;
    }
    if (picked_ < 0) return;
    out.trial.interval_ns = epoch().interval_ns;
    out.trial.instead = out.action;
    out.trial.next = 1;
    out.action.app[0].mapping = static_cast<std::uint8_t>(picked_);
  }
  void replaced(const Observation& now, const Action& decided,
                const Action& applied) noexcept override {
    inner_->replaced(now, decided, applied);
    picked_ = -1;
  }
  void learn(const Observation& outcome, const Action& applied,
             const Reward& reward) noexcept override {
    inner_->learn(outcome, applied, reward);
  }
  bool learns() const override { return true; }

  int trials = 0;

 private:
  std::unique_ptr<Agent> inner_;
  std::uint32_t mappings_;
  Random random_;
  int picked_ = -1;
};

struct Counted final : EpochSink {
  void on_epoch(const EpochEvent& event) noexcept override {
    refused += event.decided.reason.code == Reason::Code::kRefused;
    for (const JobRecord& job : event.outcome.jobs()) {
      feasible += !job.infeasible;
      avoidable += job.missed && !job.infeasible;
    }
  }
  int feasible = 0, avoidable = 0, refused = 0;
};

// On a board that the shield knows no better than anybody, of an agent that takes no care of itself.
TEST(WhatIfStress, CarelessLearningMissesLess) {
  const PlatformSpec described = load_platform("odroid_xu3");
  Scenario scenario = load_scenario("single_periodic", described);
  scenario.duration_ns = 90'000'000'000;
  AppSpec& app = scenario.apps[0];
  app.stop_ns = scenario.duration_ns;
  app.work_cv = 0.15;
  const AppProfile& profile = described.apps[static_cast<std::size_t>(app.profile)];
  app.required.accuracy_floor_pct = profile.highest_accuracy_pct();
  int fewer = 0, trials = 0;
  Counted sum[2];
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    const UnknownBoard board = draw_board(described, static_cast<int>(seed), 900);
    // What the fastest configuration needs, and a bit.
    double fastest_ns = std::numeric_limits<double>::infinity();
    for (const Mapping& mapping : board.truth.mappings) {
      fastest_ns = std::min(
          fastest_ns,
          execution_ns(board.truth, board.truth.apps[static_cast<std::size_t>(app.profile)],
                       mapping, profile.level_count() - 1, highest_opps(board.truth)));
    }
    app.required.deadline_ns = static_cast<std::int64_t>(2 * fastest_ns);
    app.required.period_ns = app.arrival.period_ns = 2 * app.required.deadline_ns;
    Counted counted[2];
    for (const bool what_if : {false, true}) {
      Simulator platform(board.truth, scenario, {.seed = seed});
      const RewardWeights weights = reward_weights(board.belief);
      Careless agent({board.belief, weights, seed, nullptr});
      SessionOptions options;
      options.shield.what_if = what_if;
      options.sinks = {&counted[what_if]};
      run_session(platform, board.belief, agent, weights, options);
      trials += agent.trials;
      sum[what_if].feasible += counted[what_if].feasible;
      sum[what_if].avoidable += counted[what_if].avoidable;
      sum[what_if].refused += counted[what_if].refused;
    }
    fewer += counted[true].avoidable < counted[false].avoidable;
  }
  EXPECT_GT(trials, 500);
  EXPECT_EQ(sum[false].refused, 0);
  EXPECT_GT(sum[true].refused, 100);
  EXPECT_LE(2 * sum[true].avoidable, sum[false].avoidable);
  EXPECT_GE(fewer, 9) << "of 12 seeds";
}

}  // namespace
}  // namespace flyball::test
