#include "agents/q_learning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/base/error.h"
#include "env/model/model.h"
#include "kernels/base/random.h"
#include "env/spaces/reward.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// A stream in which a job takes what the model says times `work`, one epoch per job and one for
/// the rest of the period; energy is the profile's.
class Stream {
 public:
  Stream(const TinyWorld& world, Agent& agent)
      : world_(world), agent_(agent), profile_(world.platform, 0, 0) {}

  /// Runs one period; returns whether the job missed.
  bool job(double work) {
    Observation now = world_.release(now_ns_, 20'000'000);
    now.app[0].setting = setting_;
    agent_.decide(now, action_);
    agent_.why();
    setting_ = action_.app[0];
    const double ns = work * execution_ns(world_.platform, world_.platform.apps[0],
                                          world_.platform.mappings[setting_.mapping],
                                          setting_.level, action_.opp);
    JobRecord record;
    record.sequence = sequence_++;
    record.release_ns = record.start_ns = now_ns_;
    record.finish_ns = now_ns_ + static_cast<std::int64_t>(ns);
    record.deadline_ns = now_ns_ + 40'000'000;
    record.missed = record.finish_ns > record.deadline_ns;
    record.setting = setting_;
    record.accuracy_pct = 70;
    const std::int64_t end = std::max(record.finish_ns, now_ns_ + 40'000'000);

    Observation outcome = world_.idle(end, end - now_ns_);
    for (int c = 0; c < 2; ++c) world_.set_opp(outcome, c, action_.opp[c]);
    outcome.app[0].setting = outcome.app[0].last_setting = setting_;
    outcome.app[0].finished = 1;
    outcome.app[0].missed = record.missed;
    for (const ProfilePoint& p : profile_.frontier(setting_.mapping, setting_.level)) {
      if (p.opp == action_.opp) outcome.energy_mj = work * p.energy_mj;
    }
    outcome.energy_mj += profile_.idle_mw() * static_cast<double>(outcome.epoch_ns) * 1e-9;
    outcome.add_job(record);
    // As the platform would: the epoch ends with the next release.
    outcome.app[0].released = outcome.app[0].backlog = 1;
    outcome.app[0].oldest_release_ns = end;
    now_ns_ = end;
    agent_.learn(outcome, action_, reward_parts(world_.weights, outcome).total());
    energy_mj += outcome.energy_mj;
    misses += record.missed;
    return record.missed;
  }
  const Action& action() const { return action_; }
  double energy_mj = 0;
  int misses = 0;

 private:
  const TinyWorld& world_;
  Agent& agent_;
  Profile profile_;
  Action action_;
  AppSetting setting_;
  std::int64_t now_ns_ = 0;
  std::uint64_t sequence_ = 0;
};

TEST(QLearning, UntrainedItIsOnTimeAndCheaperThanFullSpeed) {
  TinyWorld world;
  QLearning agent(world.context());
  Stream stream(world, agent);
  for (int i = 0; i < 200; ++i) stream.job(1);
  EXPECT_EQ(stream.misses, 0);
  const Profile profile(world.platform, 0, 0);
  const double full_speed_mj = profile.frontier(0, 3).front().energy_mj + profile.idle_mw() * 0.04;
  EXPECT_LT(stream.energy_mj / 200, 0.8 * full_speed_mj);
}

TEST(QLearning, KeepsTheAccuracyFloor) {
  for (const auto& [floor, width] : {std::pair{0.0, 0}, {60.0, 1}, {68.0, 2}, {71.0, 3}}) {
    TinyWorld world;
    world.scenario.apps[0].required.accuracy_floor_pct = floor;
    QLearning agent(world.context());
    Stream stream(world, agent);
    for (int i = 0; i < 50; ++i) {
      stream.job(1);
      EXPECT_EQ(stream.action().app[0].level, width) << floor;
    }
  }
}

TEST(QLearning, FollowsJobsThatGrow) {
  TinyWorld world;
  QLearning agent(world.context());
  Stream stream(world, agent);
  for (int i = 0; i < 100; ++i) stream.job(1);
  // Twice the work within 40 jobs, and for good.
  for (int i = 0; i < 40; ++i) stream.job(1 + i / 40.0);
  stream.misses = 0;
  for (int i = 0; i < 200; ++i) stream.job(2);
  EXPECT_EQ(stream.misses, 0);
}

TEST(QLearning, HoldsDeadlinesWhileWorkVaries) {
  TinyWorld world;
  QLearning agent(world.context());
  Stream stream(world, agent);
  Random rng(5);
  for (int i = 0; i < 2000; ++i) stream.job(rng.uniform(0.8, 1.2));
  EXPECT_LE(stream.misses, 10) << "0.5 % of 2000, exploration included";
}

TEST(QLearning, RestsAtTheLowestClocksBetweenJobs) {
  TinyWorld world;
  QLearning agent(world.context());
  Stream stream(world, agent);
  for (int i = 0; i < 5; ++i) stream.job(1);
  Action action;
  agent.decide(world.idle(500'000'000, 10'000'000), action);
  EXPECT_EQ(action.opp, OppChoice{});
  EXPECT_EQ(action.app[0], stream.action().app[0]);
}

TEST(QLearning, HurriesAJobThatRunsLong) {
  TinyWorld world;
  world.scenario.apps[0].required.accuracy_floor_pct = 0;
  QLearning agent(world.context());
  Action action;
  agent.decide(world.release(0), action);
  const Action first = action;
  // Nothing finished; 30 of 40 ms are over.
  for (int i = 1; i <= 6; ++i) {
    Observation running = world.release(i * 5'000'000, 5'000'000);
    running.app[0].released = 0;
    running.app[0].oldest_release_ns = 0;
    running.app[0].setting = action.app[0];
    for (int c = 0; c < 2; ++c) world.set_opp(running, c, action.opp[c]);
    agent.learn(running, action, 0);
    agent.decide(running, action);
  }
  const Mapping& mapping = world.platform.mappings[first.app[0].mapping];
  for (int c = 0; c < 2; ++c) {
    if (mapping.cores[c] == 0) continue;
    EXPECT_EQ(action.opp[c], world.platform.clusters[c].max_opp());
  }
  EXPECT_THAT(agent.why().text, HasSubstr("hurry"));
}

TEST(QLearning, StaysWithinTheThermalCap) {
  TinyWorld world;
  world.scenario.apps[0].required.deadline_ns = 3'000'000;
  QLearning agent(world.context());
  Observation now = world.release(0);
  now.cluster[0].opp_cap = 1;
  now.cluster[1].opp_cap = 0;
  Action action;
  agent.decide(now, action);
  EXPECT_LE(action.opp[0], 1);
  EXPECT_LE(action.opp[1], 0);
}

TEST(QLearning, EpsilonFallsToItsFloorAndIsZeroWithoutLearning) {
  TinyWorld world;
  QLearning agent(world.context());
  EXPECT_DOUBLE_EQ(agent.epsilon(), QLearning::kEpsilonStart);
  Stream stream(world, agent);
  // The job under way is not counted yet.
  for (int i = 0; i <= QLearning::kEpsilonJobs; ++i) stream.job(1);
  EXPECT_NEAR(agent.epsilon(), (QLearning::kEpsilonStart + QLearning::kEpsilonFloor) / 2, 1e-3);
  agent.set_learning(false);
  EXPECT_EQ(agent.epsilon(), 0);
  const auto before = agent.save();
  stream.job(1);
  EXPECT_EQ(agent.save().size(), before.size());
}

TEST(QLearning, LoadedItDecidesAsBefore) {
  TinyWorld world;
  QLearning trained(world.context());
  Stream training(world, trained);
  Random rng(2);
  for (int i = 0; i < 1000; ++i) training.job(rng.uniform(0.9, 1.1));
  QLearning a(world.context()), b(world.context());
  a.load(trained.save());
  b.load(a.save());
  EXPECT_EQ(b.save(), a.save());
  EXPECT_EQ(a.epsilon(), trained.epsilon()) << "the schedule goes on where it was";
  a.set_learning(false);
  b.set_learning(false);
  Stream sa(world, a), sb(world, b);
  for (int i = 0; i < 100; ++i) {
    const double work = rng.uniform(0.9, 1.1);
    sa.job(work);
    sb.job(work);
    ASSERT_EQ(sa.action(), sb.action()) << i;
  }
}

TEST(QLearning, SameSeedSameDecisions) {
  TinyWorld world;
  QLearning a(world.context()), b(world.context());
  Stream sa(world, a), sb(world, b);
  for (int i = 0; i < 300; ++i) {
    sa.job(1 + 0.01 * (i % 7));
    sb.job(1 + 0.01 * (i % 7));
    ASSERT_EQ(sa.action(), sb.action()) << i;
  }
  EXPECT_EQ(a.save(), b.save());
}

TEST(QLearning, RefusesPayloadsThatDoNotFit) {
  TinyWorld world;
  QLearning agent(world.context());
  const auto good = agent.save();
  const auto refused = [&](const std::vector<std::uint8_t>& payload) {
    try {
      agent.load(payload);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), StartsWith("policy of 'q_learning': "));
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refused(good));
  EXPECT_TRUE(refused({}));
  auto bad = good;
  bad.pop_back();
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad.push_back(0);
  EXPECT_TRUE(refused(bad));
  bad = good;
  bad[0] = 9;
  EXPECT_TRUE(refused(bad)) << "version";
  bad = good;
  bad[4] = 2;
  EXPECT_TRUE(refused(bad)) << "applications";
  // The first entry of the first table follows version, applications, jobs, states and actions: 4 +
  // 4 + 8 + 4 + 4.
  bad = good;
  bad[26] = 0xc0, bad[27] = 0x7f;
  EXPECT_TRUE(refused(bad)) << "NaN";
  bad = good;
  bad[26] = 0x80, bad[27] = 0x7f;
  EXPECT_TRUE(refused(bad)) << "infinity";
  EXPECT_EQ(agent.save(), good) << "a refused payload changes nothing";
}

TEST(QLearning, SaysWhy) {
  TinyWorld world;
  QLearning agent(world.context());
  agent.set_learning(false);
  Action action;
  agent.decide(world.release(0), action);
  EXPECT_THAT(agent.why().text, StartsWith("slack "));
  EXPECT_THAT(agent.why().text, HasSubstr("width 75 (floor 68)"));
  agent.decide(world.idle(30'000'000, 5'000'000), action);
  EXPECT_STREQ(agent.why().text, "no job: lowest clocks");
}

}  // namespace
}  // namespace flyball
