#include "agents/q_learning.h"

#include <gtest/gtest.h>

#include "env/model/model.h"
#include "env/spaces/reward.h"
#include "kernels/base/random.h"
#include "tests/agents/learned_tables.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

/// A stream in which a job takes what the model says times `work`: an epoch to its end, and one for
/// the rest of the period; energy is the profile's.
class Stream {
 public:
  Stream(const TinyWorld& world, Agent& agent)
      : world_(world), agent_(agent), profile_(world.platform, world.platform.apps[0], 0) {
    world.bind(agent);
    decide(world.idle());
    now_ = world.release(40'000'000, 40'000'000);
    now_.app[0].running.setting = action().app[0];
  }

  /// Runs one period; returns whether the job missed.
  bool job(double work) {
    const RunningJobObservation run = now_.app[0].running;
    decide(now_);
    const double ns = work * execution_ns(world_.platform, world_.platform.apps[0],
                                          world_.platform.mappings[run.setting.mapping],
                                          run.setting.level, action().opp);
    JobRecord record;
    record.sequence = run.sequence;
    record.release_ns = record.start_ns = now_.now_ns;
    record.finish_ns = now_.now_ns + static_cast<std::int64_t>(ns);
    record.deadline_ns = now_.now_ns + 40'000'000;
    record.missed = record.finish_ns > record.deadline_ns;
    record.setting = run.setting;
    Observation outcome = world_.idle(record.finish_ns, record.execution_ns());
    outcome.app[0].last_setting = run.setting;
    outcome.app[0].finished = 1;
    outcome.app[0].missed = record.missed;
    for (const ProfilePoint& p : profile_.frontier(run.setting.mapping, run.setting.level)) {
      if (p.opp == action().opp) outcome.app[0].energy_mj = work * p.energy_mj;
    }
    outcome.add_job(record);
    learn(outcome);
    decide(outcome);

    const std::int64_t next_ns = std::max(record.finish_ns + 1, record.deadline_ns);
    now_ = world_.release(next_ns, next_ns - record.finish_ns);
    now_.app[0].running.setting = action().app[0];
    now_.app[0].running.sequence = run.sequence + 1;
    learn(now_);
    misses += record.missed;
    setting = run.setting;
    return record.missed;
  }
  const Action& action() const { return decision_.action; }
  double energy_mj = 0;
  int misses = 0;
  AppSetting setting;  ///< of the last job

 private:
  void decide(const Observation& now) {
    decision_.reset();
    agent_.decide(now, decision_);
  }
  void learn(Observation& outcome) {
    for (int c = 0; c < 2; ++c) world_.set_opp(outcome, c, action().opp[c]);
    outcome.app[0].setting = action().app[0];
    outcome.app[0].energy_mj += profile_.idle_mw() * static_cast<double>(outcome.epoch_ns) * 1e-9;
    outcome.energy_mj = outcome.app[0].energy_mj;
    energy_mj += outcome.energy_mj;
    Reward reward;
    judge(world_.weights, outcome, reward);
    agent_.learn(outcome, action(), reward);
  }

  const TinyWorld& world_;
  Agent& agent_;
  Profile profile_;
  Decision decision_;
  Observation now_;
};

TEST(QLearning, UntrainedItIsOnTimeAndCheaperThanFullSpeed) {
  TinyWorld world;
  QLearning agent(world.context());
  Stream stream(world, agent);
  for (int i = 0; i < 200; ++i) stream.job(1);
  EXPECT_EQ(stream.misses, 0);
  const Profile profile(world.platform, world.platform.apps[0], 0);
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
      EXPECT_EQ(stream.setting.level, width) << floor;
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
  EXPECT_EQ(stream.action().opp, OppChoice{}) << "as decided at the end of the last job";
}

TEST(QLearning, HurriesAJobThatRunsLong) {
  TinyWorld world;
  world.scenario.apps[0].required.accuracy_floor_pct = 0;
  QLearning agent(world.context());
  world.bind(agent);
  Decision decision;
  agent.decide(world.idle(), decision);
  const AppSetting setting = decision.action.app[0];
  // Nothing finished; 30 of 40 ms are over.
  for (int i = 0; i <= 6; ++i) {
    Observation running = world.release(i * 5'000'000, 5'000'000);
    running.app[0].released = i == 0;
    running.app[0].running.release_ns = running.app[0].running.start_ns = 0;
    running.app[0].running.deadline_ns = 40'000'000;
    running.app[0].running.setting = setting;
    for (int c = 0; c < 2; ++c) world.set_opp(running, c, decision.action.opp[c]);
    if (i > 0) agent.learn(running, decision.action, {});
    decision.reset();
    agent.decide(running, decision);
  }
  const Mapping& mapping = world.platform.mappings[setting.mapping];
  for (int c = 0; c < 2; ++c) {
    if (mapping.cores[c] == 0) continue;
    EXPECT_EQ(decision.action.opp[c], world.platform.clusters[c].max_opp());
  }
  EXPECT_EQ(decision.reason.code, Reason::Code::kHurry);
}

TEST(QLearning, StaysWithinTheThermalCap) {
  TinyWorld world;
  world.scenario.apps[0].required.deadline_ns = 3'000'000;
  QLearning agent(world.context());
  world.bind(agent);
  Observation now = world.release(0);
  now.cluster[0].opp_cap = 1;
  now.cluster[1].opp_cap = 0;
  Decision decision;
  agent.decide(now, decision);
  EXPECT_LE(decision.action.opp[0], 1);
  EXPECT_LE(decision.action.opp[1], 0);
}

TEST(QLearning, LoadedItDecidesAsBefore) {
  TinyWorld world;
  QLearning trained(world.context());
  Stream training(world, trained);
  Random rng(2);
  for (int i = 0; i < 1000; ++i) training.job(rng.uniform(0.9, 1.1));
  QLearning a(world.context()), b(world.context());
  a.load(saved_of(trained), false);
  b.load(saved_of(a), false);
  EXPECT_EQ(saved_of(a), saved_of(trained));
  EXPECT_EQ(saved_of(b), saved_of(a));
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
  EXPECT_EQ(saved_of(a), saved_of(b));
}

}  // namespace
}  // namespace flyball
