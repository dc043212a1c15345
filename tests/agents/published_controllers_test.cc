#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "agents/kalman.h"
#include "agents/mrpi.h"
#include "agents/pi.h"
#include "agents/poet.h"
#include "tests/agents/closed_loop.h"

namespace flyball {
namespace {

TEST(KalmanSlowdown, FollowsTheFilterComputedByHand) {
  Kalman::Slowdown xi;
  xi.observe(1.5);
  // Prior 0.5 * 0.1 + 0.1, gain 0.15 / 0.151.
  EXPECT_NEAR(xi.mean(), 1.496689, 1e-6);
  EXPECT_NEAR(xi.deviation(), 0.15, 1e-12);
  xi.observe(1.5);
  // Process noise 0.3 * 0.1 + 0.7 * (0.993377 * 0.5)^2.
  EXPECT_NEAR(xi.deviation(), (1 - 0.15 / 0.151) * 0.15 + 0.03 + 0.7 * 0.25 * 0.986799, 1e-5);
  EXPECT_NEAR(xi.mean(), 1.499984, 1e-5);
  EXPECT_NEAR(xi.on_time(10, 10 * xi.mean()), 0.5, 1e-9);
  EXPECT_NEAR(xi.on_time(10, 10 * (xi.mean() + 1.644854 * xi.deviation())), 0.95, 1e-6);
}

/// A stream whose jobs take `factor` times what is believed; the agent's and the whole run's.
struct Slower {
  explicit Slower(const std::string& policy, double factor, std::int64_t deadline_ns) {
    for (TinyWorld* world : {&believed, &truth}) {
      world->scenario.apps[0].required.deadline_ns = deadline_ns;
      world->scenario.duration_ns = 20'000'000'000;
    }
    for (UnitProfile& unit : truth.platform.apps[0].unit) unit.mcycles *= factor;
    agent = believed.make(policy);
  }
  TinyWorld believed, truth;
  std::unique_ptr<Agent> agent;
};

struct Late {
  int jobs = 0, missed = 0;
  double execution_ms = 0, energy_mj = 0;
};

/// Of the second half of the run.
Late late_of(const std::string& policy, double factor, std::int64_t deadline_ns) {
  Slower world(policy, factor, deadline_ns);
  ClosedLoop loop(world.truth, *world.agent);
  Late late;
  while (loop.step()) {
    if (loop.now.now_ns < 10'000'000'000) continue;
    late.energy_mj += loop.now.energy_mj;
    for (const JobRecord& job : loop.now.jobs()) {
      ++late.jobs;
      late.missed += job.missed;
      late.execution_ms += static_cast<double>(job.execution_ns()) * 1e-6;
    }
  }
  late.execution_ms /= std::max(1, late.jobs);
  return late;
}

TEST(Kalman, LearnsThatJobsTakeLongerThanBelieved) {
  for (const double factor : {0.7, 1.0, 1.6}) {
    const Late late = late_of("kalman", factor, 18'000'000);
    EXPECT_GT(late.jobs, 200);
    EXPECT_EQ(late.missed, 0) << factor;
    EXPECT_LT(late.energy_mj, late_of("performance", factor, 18'000'000).energy_mj) << factor;
  }
}

TEST(Kalman, TakesASlowerSettingWhereThereIsMoreTime) {
  EXPECT_GT(late_of("kalman", 1, 36'000'000).execution_ms,
            1.3 * late_of("kalman", 1, 12'000'000).execution_ms);
}

TEST(PoetHull, HasNoCornerAboveTheLineOfItsNeighbours) {
  const auto corner = [](double ms, double mj) { return Poet::Corner{ms, mj, {}, {}}; };
  const auto hull = Poet::lower_hull(
      {corner(4, 1), corner(1, 10), corner(2, 8), corner(3, 2), corner(5, 1), corner(1, 12)});
  std::vector<double> times;
  for (const Poet::Corner& one : hull) times.push_back(one.time_ns);
  EXPECT_THAT(times, ::testing::ElementsAre(1, 3, 4)) << "2 is above the line from 1 to 3";
}

TEST(PoetBase, FollowsTheFilterComputedByHand) {
  Poet::Base base;
  base.observe(1.0, 2);  // half as fast as profiled
  // Gain 1.00001 * 2 / (4 * 1.00001 + 0.01).
  EXPECT_NEAR(base.value(), 1 - 2.00002 / 4.01004, 1e-9);
  for (int i = 0; i < 50; ++i) base.observe(1.0, 2);
  EXPECT_NEAR(base.value(), 0.5, 1e-3);
}

TEST(Poet, KeepsTheMeanTimeAtItsGoalWhateverTheJobsTake) {
  for (const double factor : {1.0, 1.5, 2.0}) {
    const Late late = late_of("poet", factor, 16'000'000);
    EXPECT_NEAR(late.execution_ms, Poet::kDeadlineShare * 16, 0.08 * 16) << factor;
  }
}

TEST(PiControl, StepsAsComputedByHand) {
  EXPECT_NEAR(Pi::next_speed(0.5, 0.2, 0.1), 0.5 * std::exp(0.5 * 0.2 + 0.2 * 0.1), 1e-12);
  EXPECT_DOUBLE_EQ(Pi::next_speed(0.9, 1, 0), 1);
  // Latency is work over speed. The error shrinks from job to job.
  double speed = 1, before = 0;
  double error = std::log(0.2 / speed / 0.85);
  for (int job = 0; job < 20; ++job) {
    speed = Pi::next_speed(speed, error, before);
    before = error;
    error = std::log(0.2 / speed / 0.85);
  }
  EXPECT_NEAR(error, 0, 1e-3);
}

TEST(Pi, SlowsDownToWhatTheDeadlineNeeds) {
  const Late tight = late_of("pi", 1, 10'000'000), loose = late_of("pi", 1, 20'000'000);
  EXPECT_EQ(tight.missed, 0);
  EXPECT_EQ(loose.missed, 0);
  EXPECT_LT(loose.energy_mj, tight.energy_mj);
}

TEST(MrpiTable, ThresholdIsWhereATenthIsLost) {
  // At 2 GHz an instruction takes 0.5 ns and at 1 GHz 1 ns, with an ipc of 1. With m misses of 100 ns:
  // 1 + 100 m = 1.1 (0.5 + 100 m), m = 0.045.
  EXPECT_NEAR(Mrpi::threshold(1e6, 2e6, 1, 100), 0.045, 1e-12);
  EXPECT_DOUBLE_EQ(Mrpi::threshold(2e6, 2e6, 1, 100), 0);
}

TEST(Mrpi, SlowsALoadThatWaitsForMemoryAndNoOther) {
  const TinyWorld world;
  const auto opp_with = [&](double misses_per_kilo, bool counted) {
    const auto agent = world.bound("mrpi");
    Observation now = world.release(0);
    now.cluster[0].util_max = 1;
    Counters& counters = now.cluster[0].counters;
    counters.instructions = 1e6;
    counters.cache_misses = 1000 * misses_per_kilo;
    if (counted) counters.valid = Counters::kInstructions | Counters::kMisses;
    agent->learn(now, {}, {});
    Decision decision;
    agent->decide(now, decision);
    return int{decision.action.opp[0]};
  };
  EXPECT_EQ(opp_with(0, true), 3);
  EXPECT_EQ(opp_with(200, true), 0);
  EXPECT_EQ(opp_with(200, false), 3) << "nothing is known of it";
  int before = 3;
  for (int misses = 0; misses < 200; misses += 5) {
    EXPECT_LE(opp_with(misses, true), before);
    before = opp_with(misses, true);
  }
}

}  // namespace
}  // namespace flyball
