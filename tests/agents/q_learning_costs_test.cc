// Every cost reaches what is learned, once: whatever epoch it falls in, whoever it belongs to.

#include <gtest/gtest.h>

#include "agents/profile_table.h"
#include "agents/q_learning.h"
#include "tests/agents/closed_loop.h"
#include "tests/agents/learned_tables.h"

namespace flyball {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TinyWorld stream(std::int64_t duration_ms) {
  TinyWorld world;
  world.scenario.duration_ns = duration_ms * kMs;
  return world;
}
/// Four at a time, of which one waits and, with a full queue, one is dropped; then a pause.
TinyWorld bursts(int queue_limit) {
  TinyWorld world = stream(700);
  AppSpec& app = world.scenario.apps[0];
  app.arrival = {.kind = Arrival::Kind::kBursty,
                 .period_ns = 200 * kMs,
                 .burst_jobs = 4,
                 .burst_gap_ns = 3 * kMs,
                 .listed = {}};
  app.queue_limit = queue_limit;
  app.work_cv = 0.1;
  return world;
}
/// Two kinds of application that run at the same time.
TinyWorld two(std::int64_t duration_ms) {
  TinyWorld world = stream(duration_ms);
  world.platform.apps.push_back(world.platform.apps[0]);
  world.platform.apps[1].name = "other";
  world.scenario.apps.push_back(world.scenario.apps[0]);
  world.scenario.apps[1].name = "radar";
  world.scenario.apps[1].profile = 1;
  world.scenario.apps[1].start_ns = 2 * kMs;
  return world;
}

using Change = void (*)(Reward&);
constexpr std::array<Change, 5> kChanges{
    [](Reward& r) { r.shared.energy += 1000; }, [](Reward& r) { r.shared.heat += 1000; },
    [](Reward& r) { r.app[0].energy += 1000; }, [](Reward& r) { r.app[0].misses += 1000; },
    [](Reward& r) { r.app[0].accuracy += 1000; }};

struct Outcome {
  std::vector<std::uint8_t> saved;
  int epochs = 0, first = -1, dropped = 0;
};
/// The reward of epoch `changed` is 1000 less.
Outcome run(const TinyWorld& world, int changed, Change change) {
  QLearning agent(world.context());
  ClosedLoop loop(world, agent);
  Outcome out;
  loop.alter = [&](Observation& now, Reward& reward) {
    if (out.first < 0 && now.app[0].backlog > 0) out.first = out.epochs + 1;
    if (out.epochs++ == changed) change(reward);
  };
  loop.all();
  out.saved = saved_of(agent);
  out.dropped = loop.dropped[0];
  return out;
}

void expect_every_epoch_to_matter(const TinyWorld& world, bool drops) {
  const Outcome as_is = run(world, -1, kChanges[0]);
  EXPECT_EQ(as_is.saved, run(world, -1, kChanges[0]).saved);
  EXPECT_EQ(as_is.dropped > 0, drops);
  ASSERT_GT(as_is.epochs, 20);
  ASSERT_GE(as_is.first, 0);
  for (int k = as_is.first; k < as_is.epochs; ++k) {
    for (std::size_t c = 0; c < kChanges.size(); ++c) {
      EXPECT_NE(run(world, k, kChanges[c]).saved, as_is.saved)
          << "change " << c << " in epoch " << k << " of " << as_is.epochs;
    }
  }
}

TEST(QLearningCosts, EveryEpochOfAStreamMatters) {
  expect_every_epoch_to_matter(stream(410), false);
}
TEST(QLearningCosts, EveryEpochOfBurstsThatQueueMatters) {
  expect_every_epoch_to_matter(bursts(4), false);
}
TEST(QLearningCosts, EveryEpochMattersWithDrops) { expect_every_epoch_to_matter(bursts(2), true); }
TEST(QLearningCosts, EveryEpochMattersWhenNothingIsSafe) {
  TinyWorld world = stream(410);
  world.scenario.apps[0].required.deadline_ns = 2 * kMs;
  expect_every_epoch_to_matter(world, false);
}

// The last transition's step is 1 / (20 + n) with n its first or second visit; 200 for mappings.
constexpr double kLeastStep = 1.0 / 22, kMostStep = 1.0 / 21;
constexpr double kLeastSlowStep = 1.0 / 202, kMostSlowStep = 1.0 / 201;

/// Runs until every application has finished two jobs; `alter` sees every epoch after all had
/// finished one, with its number.
LearnedTables two_jobs_each(const TinyWorld& world,
                            const std::function<void(int, Observation&, Reward&)>& alter,
                            int* epochs = nullptr, std::int64_t* from_ns = nullptr,
                            std::int64_t* to_ns = nullptr) {
  QLearning agent(world.context());
  ClosedLoop loop(world, agent);
  const int apps = static_cast<int>(world.scenario.apps.size());
  const auto all_have = [&](int jobs) {
    return std::all_of(loop.finished.begin(), loop.finished.begin() + apps,
                       [&](int n) { return n >= jobs; });
  };
  int k = 0;
  std::int64_t begin_ns = 0;
  loop.alter = [&](Observation& now, Reward& reward) {
    if (!all_have(1)) return;
    if (k == 0) begin_ns = now.now_ns - now.epoch_ns;
    alter(k++, now, reward);
  };
  while (!all_have(2) && loop.step()) {
  }
  EXPECT_TRUE(all_have(2));
  for (int a = 0; a < apps; ++a) EXPECT_EQ(loop.finished[a], 2) << "chosen so";
  if (epochs != nullptr) *epochs = k;
  if (from_ns != nullptr) *from_ns = begin_ns;
  if (to_ns != nullptr) *to_ns = loop.now.now_ns;
  agent.end_run();
  return LearnedTables::of(agent);
}
const auto kNothing = [](int, Observation&, Reward&) {};

TEST(QLearningCosts, ACostCountsOnceInBothTablesWhateverEpochItFallsIn) {
  const TinyWorld world = stream(400);
  int epochs = 0;
  const LearnedTables as_is = two_jobs_each(world, kNothing, &epochs);
  ASSERT_GE(epochs, 3);
  for (int k = 0; k < epochs; ++k) {
    const LearnedTables dearer = two_jobs_each(world, [&](int i, Observation&, Reward& reward) {
      if (i == k) reward.app[0].misses += 1000;
    });
    for (const auto table : {&LearnedTables::slow, &LearnedTables::fast}) {
      const double learned = ((as_is.*table)().penalty - (dearer.*table)().penalty) / 1000;
      const bool slow = table == &LearnedTables::slow;
      EXPECT_GE(learned, (slow ? kLeastSlowStep : kLeastStep) * 0.999) << "epoch " << k;
      EXPECT_LE(learned, (slow ? kMostSlowStep : kMostStep) * 1.001) << "epoch " << k;
      EXPECT_EQ((as_is.*table)().energy, (dearer.*table)().energy) << "learned apart";
    }
  }
}

TEST(QLearningCosts, WhatIsNobodysIsSharedAndChargedOnce) {
  const TinyWorld world = two(400);
  int epochs = 0;
  const LearnedTables as_is = two_jobs_each(world, kNothing, &epochs);
  ASSERT_GE(epochs, 3);
  for (int k = 0; k < epochs; ++k) {
    const LearnedTables dearer = two_jobs_each(world, [&](int i, Observation&, Reward& reward) {
      if (i == k) reward.shared.heat += 1000, reward.shared.energy += 1000;
    });
    const double heat = (as_is.fast().penalty - dearer.fast().penalty) / 1000;
    EXPECT_GE(heat, kLeastStep * 0.999) << "epoch " << k;
    EXPECT_LE(heat, kMostStep * 1.001) << "epoch " << k;
    const double energy = (as_is.fast().energy - dearer.fast().energy) / 1000;
    EXPECT_GE(energy, kLeastStep * 0.999) << "epoch " << k;
    EXPECT_LE(energy, kMostStep * 1.001) << "epoch " << k;
  }
}

TEST(QLearningCosts, AnApplicationsOwnCostIsLearnedOfItsKindOnly) {
  const TinyWorld world = two(400);
  const LearnedTables as_is = two_jobs_each(world, kNothing);
  const LearnedTables dearer = two_jobs_each(world, [&](int i, Observation&, Reward& reward) {
    if (i == 0) reward.app[1].misses += 1000;
  });
  ASSERT_EQ(as_is.profile.size(), 2u);
  EXPECT_EQ(as_is.profile[0].fast.penalty, dearer.profile[0].fast.penalty);
  EXPECT_LT(dearer.profile[1].fast.penalty,
            as_is.profile[1].fast.penalty - 1000 * kLeastStep * 0.999);
}

// With no energy at all there is nothing to leave out; the difference is what idling takes.
TEST(QLearningCosts, IdlePowerIsLeftOutOnceHoweverManyRun) {
  const TinyWorld world = two(400);
  std::int64_t from_ns = 0, to_ns = 0;
  const LearnedTables idle_out = two_jobs_each(
      world, [](int, Observation&, Reward& reward) { reward = {}; }, nullptr, &from_ns, &to_ns);
  const LearnedTables nothing = two_jobs_each(world, [](int, Observation& now, Reward& reward) {
    reward = {};
    now.energy_mj = 0;
    for (int a = 0; a < now.app_count; ++a) now.app[a].energy_mj = 0;
  });
  const Profile profile(world.platform, world.platform.apps[0], 0);
  const double idle =
      profile.idle_mw() * static_cast<double>(to_ns - from_ns) * 1e-9 / world.weights.ref_energy_mj;
  const double learned = idle_out.fast().energy - nothing.fast().energy;
  // Leakage at the temperature of the moment may be below what the profile says of 60 C.
  EXPECT_GE(learned, kLeastStep * idle * 0.9);
  EXPECT_LE(learned, kMostStep * idle * 1.001);
}

// No energy is in the reward then, but what an action takes is learned for the day when it counts.
TEST(QLearningCosts, AUserWhoDoesNotCareAboutEnergyLeavesWhatIsKnownOfIt) {
  TinyWorld world = stream(400);
  world.scenario.energy_preference = 0;
  const LearnedTables as_is = two_jobs_each(world, kNothing);
  const LearnedTables dearer = two_jobs_each(world, [&](int i, Observation& now, Reward&) {
    if (i > 0) return;
    now.energy_mj += 1000 * world.weights.ref_energy_mj;
    now.app[0].energy_mj += 1000 * world.weights.ref_energy_mj;
  });
  const double learned = (as_is.fast().energy - dearer.fast().energy) / 1000;
  EXPECT_GE(learned, kLeastStep * 0.999);
  EXPECT_LE(learned, kMostStep * 1.001);
}

TEST(QLearningCosts, OneTransitionPerJob) {
  for (const bool bursty : {false, true}) {
    const TinyWorld world = bursty ? bursts(4) : stream(4'000);
    QLearning agent(world.context());
    ClosedLoop loop(world, agent);
    int checked = 0;
    std::uint64_t unchosen = 0, moves = 0;
    AppSetting before = loop.now.app[0].setting;
    while (loop.step()) {
      moves += !(loop.action.app[0] == before);
      before = loop.action.app[0];
      if (loop.now.app[0].finished == 0) continue;
      const LearnedTables tables = LearnedTables::of(agent);
      const auto done = static_cast<std::uint64_t>(loop.finished[0]);
      if (done < 4) continue;
      EXPECT_EQ(tables.profile.at(0).jobs, done);
      // The last one has ended, but what follows it is not known yet.
      EXPECT_EQ(tables.fast().visits + 1, done);
      // The first ran with the mapping that it found, and while nothing was safe there was no choice.
      if (checked++ == 0) unchosen = done - 1 - tables.slow().visits, moves = 0;
      const std::uint64_t counted = tables.slow().visits + 1 + unchosen;
      EXPECT_LE(counted, done);
      // A job that waited begins with what was in force, not with the mapping that its start chose.
      EXPECT_GE(counted + (bursty ? moves : 0), done);
    }
    EXPECT_GT(checked, 8);
    EXPECT_GE(unchosen, 1u);
    EXPECT_LE(unchosen, bursty ? 2u : 1u);
    EXPECT_EQ(loop.dropped[0], 0);
    agent.end_run();
    const std::uint64_t visits = LearnedTables::of(agent).fast().visits;
    EXPECT_EQ(visits, static_cast<std::uint64_t>(loop.finished[0]) + loop.now.app[0].running.busy);
  }
}

TEST(QLearningCosts, AnApplicationThatLeavesClosesItsAccount) {
  TinyWorld world = two(400);
  world.scenario.apps[1].stop_ns = 100 * kMs;
  QLearning agent(world.context());
  ClosedLoop loop(world, agent);
  loop.all();
  const LearnedTables tables = LearnedTables::of(agent);
  ASSERT_EQ(tables.profile.size(), 2u);
  EXPECT_EQ(tables.profile[1].jobs, static_cast<std::uint64_t>(loop.finished[1]));
  EXPECT_EQ(tables.profile[1].fast.visits, tables.profile[1].jobs);
}

TEST(EveryLearner, FrozenItChangesNothing) {
  int learners = 0;
  for (const AgentInfo& info : agent_catalogue()) {
    if (!info.learns) continue;
    SCOPED_TRACE(info.name);
    ++learners;
    const TinyWorld world = stream(5'000);
    const auto agent = world.make(std::string(info.name));
    const auto untrained = saved_of(*agent);
    ClosedLoop(world, *agent).all();
    const auto before = saved_of(*agent);
    EXPECT_NE(before, untrained) << "it has learned nothing that could change";
    agent->set_learning(false);
    ClosedLoop(bursts(2), *agent).all();
    EXPECT_EQ(saved_of(*agent), before);
    ClosedLoop company(two(2'000), *agent);  // one whose profile it has never seen
    company.all();
    EXPECT_GT(company.finished[1], 20);
    EXPECT_EQ(saved_of(*agent), before);
    agent->set_learning(true);
    ClosedLoop(world, *agent).all();
    EXPECT_NE(saved_of(*agent), before) << "it goes on";
  }
  EXPECT_GT(learners, 5);
}

}  // namespace
}  // namespace flyball
