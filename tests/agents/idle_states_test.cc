#include "env/model/idle_states.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "agents/plain_load.h"
#include "agents/profile_table.h"
#include "env/sim/simulator.h"
#include "tests/agents/closed_loop.h"

// Whether slowing down or finishing early is cheaper depends on what idling costs, and that on how
// long it lasts.

namespace flyball::test {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// A board whose big cores leak 0.4 A at any temperature: 320 mW while they idle at the lowest clock,
/// less when they sleep.
PlatformSpec leaky_board(const std::vector<IdleStateSpec>& states) {
  PlatformSpec spec = tiny_platform();
  for (ClusterSpec& cluster : spec.clusters) cluster.transition_latency_us = 0;
  ClusterSpec& big = spec.clusters[0];
  big.leak_c_a = 0.4;
  big.leak_core_share = 0;
  big.idle_states = states;
  spec.mappings = {{{1, 0}, "bigx1"},
                   {{2, 0}, "bigx2"}};  // the big cluster's clocks are the question
  spec.clusters[1].leak_c_a = 0;
  spec.decision_latency_us = 0;
  spec.board_mw = 20;
  return spec;
}
/// Idle time costs 320 mW, and next to nothing once it has lasted for so long.
std::vector<IdleStateSpec> deep_after(double residency_us) {
  return {{"off", 0.02, 100, residency_us, true}};
}

TinyWorld world_of(const std::vector<IdleStateSpec>& states) {
  TinyWorld world;
  world.platform = leaky_board(states);
  world.scenario.duration_ns = 4'000 * kMs;
  world.scenario.apps[0].required.accuracy_floor_pct = 71;  // the whole network
  return world;
}

/// Jobs on a mapping at a choice of clocks, the lowest between them: what the platform takes in a
/// period once everything is the same from one to the next. Negative: jobs miss their deadlines.
double period_mj(const TinyWorld& world, int mapping, const OppChoice& opp) {
  Scenario scenario = world.scenario;
  scenario.apps[0].stop_ns = scenario.duration_ns;
  Simulator sim(world.platform, scenario);
  Observation now;
  sim.observe(now);
  double begin_mj = -1, all_mj = 0;
  int missed = 0, periods = 0;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    Action action;
    if (now.app[0].running.busy) action.opp = opp;
    action.app[0] = {static_cast<std::uint8_t>(mapping), 3};
    sim.apply(action);
    status = sim.advance(
        {.interval_ns = 1'000 * kMs, .stop_at_release = true, .stop_at_finish = true}, now);
    if (now.app[0].released > 0) {
      if (begin_mj < 0) begin_mj = all_mj + now.energy_mj;
      ++periods;
    }
    all_mj += now.energy_mj;
    // The first job started before anybody had a say.
    if (now.now_ns > 200 * kMs) missed += static_cast<int>(now.app[0].missed);
  }
  // The last period is cut short by nothing: the run ends with one.
  return missed > 0 ? -1 : (all_mj - begin_mj) / periods;
}

struct Fixed {
  int mapping = -1, opp = 0;
  double mj = 0;
};
/// The best of all, by trying them.
Fixed best_of(const TinyWorld& world) {
  Fixed best;
  for (int m = 0; m < static_cast<int>(world.platform.mappings.size()); ++m) {
    for (int opp = 0; opp <= world.platform.clusters[0].max_opp(); ++opp) {
      const double mj = period_mj(world, m, {static_cast<std::uint8_t>(opp)});
      if (mj > 0 && (best.mapping < 0 || mj < best.mj)) best = {m, opp, mj};
    }
  }
  return best;
}

/// What a policy takes in a period, after a second to learn in, and its clock while jobs run.
struct Governed {
  double mj = 0, opp = 0;
  int missed = 0;
};
Governed governed(const TinyWorld& world, const std::string& policy) {
  ClosedLoop loop(world, policy);
  Governed out;
  double clock_ns = 0, busy_ns = 0;
  std::int64_t from_ns = -1;
  bool going = true;
  while (going) {
    going = loop.step();
    if (loop.now.now_ns < 1'000 * kMs) continue;
    if (from_ns < 0) {
      from_ns = loop.now.now_ns;
      continue;
    }
    out.mj += loop.now.energy_mj;
    const double ns = loop.now.cluster[0].util_max * static_cast<double>(loop.now.epoch_ns);
    busy_ns += ns;
    clock_ns += ns * loop.now.cluster[0].opp;
  }
  out.mj *= 40e6 / static_cast<double>(loop.now.now_ns - from_ns);
  out.opp = clock_ns / busy_ns;
  out.missed = loop.missed[0];
  return out;
}

TEST(IdleStateChoice, ThePlannedEnergyIsThatOfThePeriod) {
  for (const double residency_us : {1000.0, 10e3, 25e3, 34e3, 60e3}) {
    const TinyWorld world = world_of(deep_after(residency_us));
    const Profile profile(world.platform, world.platform.apps[0], 0, false, 40e6);
    const Profile shorter(world.platform, world.platform.apps[0], 0, false, 25e6);
    EXPECT_EQ(profile.idle_mw(), shorter.idle_mw());
    for (int m = 0; m < profile.mapping_count(); ++m) {
      ASSERT_FALSE(profile.frontier(m, 3).empty());
      for (const ProfilePoint& point : profile.frontier(m, 3)) {
        const double planned_mj = profile.idle_mw() * 0.04 + point.energy_mj;
        EXPECT_NEAR(planned_mj, period_mj(world, m, point.opp), 0.01 * planned_mj)
            << residency_us << " us, mapping " << m << ", opp " << int{point.opp[0]};
      }
    }
  }
}

TEST(IdleStateChoice, WithoutStatesTheGapMeansNothing) {
  const TinyWorld world = world_of({});
  const Profile known(world.platform, world.platform.apps[0], 1e5, false, 40e6);
  const Profile unknown(world.platform, world.platform.apps[0], 1e5);
  EXPECT_EQ(known.idle_mw(), unknown.idle_mw());
  for (int m = 0; m < known.mapping_count(); ++m) {
    const auto a = known.frontier(m, 3), b = unknown.frontier(m, 3);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].energy_mj, b[i].energy_mj);
  }
}

/// A job takes 20, 10, 6.7 and 5 ms on one core, half of it on two; one comes every 40 ms.
TEST(IdleStateChoice, FinishesEarlyWhereThatReachesADeepStateAndSlowsDownWhereItDoesNot) {
  // Idle costs as much as leaking while busy: so every job is as slow as may be, and so with a cheap
  // state that no pause is long enough for. One that any pause is long enough for makes being awake
  // dear, and one that only the quickest reach makes them hurry.
  const Fixed none = best_of(world_of({})), never = best_of(world_of(deep_after(60e3)));
  const Fixed soon = best_of(world_of(deep_after(500)));
  ASSERT_GE(none.mapping, 0);
  EXPECT_EQ(never.opp, none.opp);
  EXPECT_EQ(none.opp, 0);
  EXPECT_GT(soon.opp, none.opp);
  for (const double residency_us : {0.0, 500.0, 10e3, 60e3}) {
    const TinyWorld world =
        world_of(residency_us > 0 ? deep_after(residency_us) : std::vector<IdleStateSpec>{});
    const Fixed best = best_of(world);
    for (const char* policy : {"model", "planner", "q_learning"}) {
      const Governed did = governed(world, policy);
      EXPECT_EQ(did.missed, 0) << policy;
      EXPECT_NEAR(did.opp, best.opp, 0.35) << policy << " with a residency of " << residency_us;
      EXPECT_LT(did.mj, 1.04 * best.mj) << policy << " with a residency of " << residency_us;
      EXPECT_GT(did.mj, 0.999 * best.mj) << policy << " takes less than the best there is";
    }
  }
}

TEST(IdleStateChoice, FollowsWhenJobsComeFurtherApart) {
  TinyWorld world = world_of(deep_after(15e3));
  const Fixed apart = best_of(world);
  AppSpec& camera = world.scenario.apps[0];
  camera.arrival.period_ns = camera.required.period_ns = camera.required.deadline_ns = 14 * kMs;
  const Fixed close = best_of(world);
  ASSERT_NE(apart.opp, close.opp) << "or there is nothing to follow";
  // It begins with the short period, and is asked for the long one after a second and a half.
  world.scenario.events.push_back({1'500 * kMs, ScenarioEvent::Kind::kPeriod, 0, {}, 40e6});
  ClosedLoop loop(world, "model");
  double clock_ns = 0, busy_ns = 0;
  while (loop.step()) {
    if (loop.now.now_ns < 2'000 * kMs) continue;
    const double ns = loop.now.cluster[0].util_max * static_cast<double>(loop.now.epoch_ns);
    busy_ns += ns;
    clock_ns += ns * loop.now.cluster[0].opp;
  }
  EXPECT_NEAR(clock_ns / busy_ns, apart.opp, 0.35);
}

TEST(IdleStateChoice, PlainLoadFinishesEarlyForADeepState) {
  // Busy for 30 % of an epoch of 18 ms at 1000 MHz.
  const auto clock_of = [](const std::vector<IdleStateSpec>& states) {
    TinyWorld world = world_of(states);
    world.scenario.apps.clear();
    const auto agent = world.make("plain_load");
    Observation now = world.idle(0, 0);
    Decision decision;
    for (int epoch = 0; epoch < 60; ++epoch) {
      decision.reset();
      agent->decide(now, decision);
      const int opp = decision.action.opp[0];
      now = world.idle(now.now_ns + PlainLoad::kEpochNs, PlainLoad::kEpochNs);
      world.set_opp(now, 0, opp);
      const double mhz = static_cast<double>(now.cluster[0].freq_khz) / 1000;
      now.cluster[0].util_max = std::min(1.0, 300 / mhz);
      now.cluster[0].util_mean = now.cluster[0].util_max / 2;
    }
    return int{decision.action.opp[0]};
  };
  const int none = clock_of({}), never = clock_of(deep_after(60e3)),
            soon = clock_of(deep_after(500));
  EXPECT_EQ(none, never);
  EXPECT_GT(soon, none);
}

}  // namespace
}  // namespace flyball::test
