#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "agents/as_told.h"
#include "agents/prime.h"
#include "agents/profile_table.h"
#include "agents/static_best.h"
#include "env/sim/simulator.h"
#include "kernels/base/error.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

using testing::HasSubstr;

std::string error_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::kInput);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "one line";
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

std::vector<std::uint8_t> saved_of(const Agent& agent) {
  ByteWriter out;
  agent.save(out);
  return out.take();
}

TEST(Catalogue, MakesEveryAgentUnderItsName) {
  TinyWorld world;
  for (const AgentInfo& info : agent_catalogue()) {
    if (info.name == "oracle") continue;
    std::string policy(info.name);
    if (policy == "userspace") policy += ":1000000";
    if (policy == "static_best") policy += ":big=2000000;camera=bigx1@100";
    const auto agent = world.make(policy);
    EXPECT_EQ(agent->name(), info.name);
    EXPECT_EQ(agent->learns(), info.learns) << info.name;
    EXPECT_EQ(agent->learns(), !saved_of(*agent).empty()) << info.name;
  }
}

// Who is said to decide by clusters may govern a machine on which nobody announces a job: it turns the
// clocks where there is no application at all.
TEST(Catalogue, WhoDecidesByClustersNeedsNoApplication) {
  TinyWorld world;
  for (const AgentInfo& info : agent_catalogue()) {
    if (!info.by_clusters) continue;
    std::string policy(info.name);
    if (policy == "userspace") policy += ":1000000";
    const auto agent = world.make(policy);
    bool turned = false;
    Decision decision;
    for (int epoch = 1; epoch <= 40; ++epoch) {
      const std::int64_t ns = 20'000'000;
      Observation now = world.idle(epoch * ns, ns);
      now.app_count = 0;
      const double busy = epoch <= 20 ? 1 : 0;
      for (int c = 0; c < now.cluster_count; ++c) {
        world.set_opp(now, c, decision.action.opp[c]);
        now.cluster[c].util_max = now.cluster[c].util_mean = busy;
      }
      agent->decide(now, decision);
      for (int c = 0; c < now.cluster_count; ++c) {
        ASSERT_LE(decision.action.opp[c], world.platform.clusters[c].max_opp()) << info.name;
        turned = turned || decision.action.opp[c] > 0;
      }
    }
    EXPECT_EQ(turned, info.role != AgentInfo::Role::kSlowest) << info.name;
  }
}

TEST(Catalogue, ErrorsSayWhatToDo) {
  TinyWorld world;
  EXPECT_THAT(error_of([&] { world.make("q_lerning"); }), HasSubstr("q_learning"));
  EXPECT_THAT(error_of([&] { world.make("oracle"); }), HasSubstr("simulation"));
  EXPECT_THAT(error_of([&] { world.make("static_best"); }), HasSubstr("flyball compare"));
  EXPECT_THAT(error_of([&] { world.make("userspace"); }), HasSubstr("kHz"));
  EXPECT_THAT(error_of([&] { world.make("userspace:fast"); }), HasSubstr("kHz"));
  EXPECT_THAT(error_of([&] { world.make("userspace:1500"); }),
              HasSubstr("did you mean 'userspace:1500000'?"));
  EXPECT_THAT(error_of([&] { world.make("userspace:1600000"); }),
              HasSubstr("the nearest is 'userspace:1500000'"));
  EXPECT_THAT(error_of([&] { world.make("performance:1"); }), HasSubstr("takes no argument"));
}

TEST(Catalogue, TheTruthIsToldToWhoKnowsTheFutureOnly) {
  TinyWorld world;
  const Simulator simulator(world.platform, world.scenario, {});
  world.truth = &simulator;
  int told = 0;
  for (const AgentInfo& info : agent_catalogue()) {
    const AgentContext context = as_told(info, world.context());
    EXPECT_EQ(context.truth, info.knows_future ? &simulator : nullptr) << info.name;
    EXPECT_EQ(context.seed, world.seed);
    EXPECT_EQ(context.weights.ref_energy_mj, world.weights.ref_energy_mj);
    told += context.truth != nullptr;
  }
  EXPECT_EQ(told, 1);
}

TEST(StaticBest, IsWhatItWasGiven) {
  TinyWorld world;
  const auto agent = world.bound("static_best:big=1500000,little=1000000;camera=littlex2@75");
  Decision decision;
  agent->decide(world.release(0), decision);
  const Action& action = decision.action;
  EXPECT_EQ(action.opp[0], 2);
  EXPECT_EQ(action.opp[1], 1);
  EXPECT_EQ(action.app[0].mapping, 3);
  EXPECT_EQ(action.app[0].level, 2);
  EXPECT_EQ(format_action(world.platform, world.scenario, action),
            "big=1500000,little=1000000;camera=littlex2@75");
}

TEST(StaticBest, ErrorsNameThePart) {
  TinyWorld world;
  const auto error = [&](const std::string& text) {
    return error_of([&] { parse_action(world.platform, world.scenario, text); });
  };
  EXPECT_THAT(error("bgi=500000;camera=bigx1@100"), HasSubstr("no cluster 'bgi'"));
  EXPECT_THAT(error("big=123;camera=bigx1@100"), HasSubstr("no operating point at 123 kHz"));
  EXPECT_THAT(error("big=fast;camera=bigx1@100"), HasSubstr("not a whole number"));
  EXPECT_THAT(error("big;camera=bigx1@100"), HasSubstr("no '='"));
  EXPECT_THAT(error("big=500000;camera=hugex1@100"), HasSubstr("no mapping 'hugex1'"));
  EXPECT_THAT(error("big=500000;camera=bigx1@42"), HasSubstr("no level '42'"));
  EXPECT_THAT(error("big=500000;camera=bigx1"), HasSubstr("no '@'"));
  EXPECT_THAT(error("big=500000"), HasSubstr("'camera' is missing"));
  EXPECT_THAT(error("big=500000;radar=bigx1@100,camera=bigx1@100"),
              HasSubstr("no such application"));
}

TEST(Profile, FrontierFallsInEnergyAsTimeGrows) {
  TinyWorld world;
  const Profile profile(world.platform, world.platform.apps[0], 0);
  for (int m = 0; m < profile.mapping_count(); ++m) {
    const auto frontier = profile.frontier(m, 3);
    ASSERT_FALSE(frontier.empty());
    for (std::size_t i = 1; i < frontier.size(); ++i) {
      EXPECT_GT(frontier[i].time_ns, frontier[i - 1].time_ns);
      EXPECT_LT(frontier[i].energy_mj, frontier[i - 1].energy_mj);
    }
  }
  EXPECT_NEAR(profile.frontier(0, 3).front().time_ns, 5e6, 1);  // 10 Mcycles at 2 GHz
  EXPECT_EQ(profile.level_for(68), 2);
  EXPECT_EQ(profile.level_for(0), 0);
  EXPECT_EQ(profile.level_for(99), 3);
}

TEST(Profile, CheapestWithinObeysLimitAndCap) {
  const std::vector<ProfilePoint> frontier = {{10, 9, {3}}, {20, 7, {2}}, {30, 4, {1}}};
  const OppChoice free{3};
  EXPECT_EQ(cheapest_within(frontier, 30, free), 2);
  EXPECT_EQ(cheapest_within(frontier, 29, free), 1);
  EXPECT_EQ(cheapest_within(frontier, 5, free), 0) << "too late: the fastest";
  EXPECT_EQ(cheapest_within(frontier, 15, OppChoice{2}), 1)
      << "too late: the fastest that is allowed";
  EXPECT_EQ(cheapest_within(frontier, 15, OppChoice{0}), -1);
}

/// Feeds the rule jobs that are on time or late and returns the steps it stands above the table.
TEST(Rule, OneStepUpPerMissOneDownPer20OnTime) {
  TinyWorld world;
  const auto rule = world.bound("rule");
  const auto decide = [&, now = world.release(0)] {
    Decision decision;
    rule->decide(now, decision);
    return decision.action;
  };
  const Action start = decide();
  Action action;
  EXPECT_EQ(start.app[0].level, 2) << "the least width that reaches the floor";
  const auto feed = [&](bool missed, int times) {
    for (int i = 0; i < times; ++i) {
      Observation outcome = world.idle(0, 1);
      JobRecord job;
      job.missed = missed;
      outcome.add_job(job);
      rule->learn(outcome, action, {});
    }
    action = decide();
  };
  const Profile profile(world.platform, world.platform.apps[0], 0);
  const auto time_of = [&](const Action& a) {
    return execution_ns(world.platform, world.platform.apps[0],
                        world.platform.mappings[a.app[0].mapping], a.app[0].level, a.opp);
  };
  EXPECT_LE(time_of(start), 0.9 * 40e6);
  feed(true, 1);
  const Action one_up = action;
  EXPECT_LT(time_of(one_up), time_of(start));
  feed(false, 19);
  EXPECT_EQ(action, one_up);
  feed(false, 1);
  EXPECT_EQ(action, start);
  feed(false, 40);
  EXPECT_EQ(action, start) << "never below the table";
  feed(true, 50);
  EXPECT_LT(time_of(action), time_of(one_up));
  for (int i = 0; i < 30; ++i) feed(false, 20);
  EXPECT_EQ(action, start)
      << "however many misses there were, the way back is as long as the ladder";
}

TEST(Mean20, OneWidthDownWhenTheMeanIsLate) {
  TinyWorld world;
  const auto agent = world.bound("mean20");
  Decision decision;
  const Action& action = decision.action;
  const auto feed = [&](std::int64_t latency_ms, int jobs) {
    for (int i = 0; i < jobs; ++i) {
      Observation outcome = world.idle(0, 1);
      JobRecord job;
      job.finish_ns = latency_ms * 1'000'000;
      outcome.add_job(job);
      agent->learn(outcome, action, {});
    }
    agent->decide(world.release(0), decision);
    return action.app[0].level;
  };
  EXPECT_EQ(feed(50, 19), 3) << "19 are not 20";
  EXPECT_EQ(feed(50, 1), 2);
  EXPECT_EQ(feed(50, 40), 2) << "the floor of 68 % needs width 75";
  EXPECT_EQ(feed(28, 20), 2) << "28 ms * 1 / 0.75 is above 0.9 * 40 ms";
  EXPECT_EQ(feed(26, 20), 3);
  EXPECT_EQ(action.opp[0], 3);
}

TEST(Prime, ExplorationSchedule) {
  EXPECT_DOUBLE_EQ(Prime::exploration(0), 1);
  EXPECT_NEAR(Prime::exploration(1), 0.68 * 173 / 174, 1e-12);
  EXPECT_NEAR(Prime::exploration(87), 0.34, 1e-12);
  EXPECT_DOUBLE_EQ(Prime::exploration(174), 0);
  double random = 0;
  for (int i = 0; i < 174; ++i) random += Prime::exploration(i);
  EXPECT_NEAR(random, 60, 1) << "some 60 random actions, as observed of the released code";
}

TEST(Prime, RewardAndUpdate) {
  EXPECT_DOUBLE_EQ(Prime::job_reward(20, 40), 50);
  EXPECT_DOUBLE_EQ(Prime::job_reward(40, 40), 100);
  EXPECT_DOUBLE_EQ(Prime::job_reward(52, 40), -10);  // -100 * 12 / 120
  EXPECT_DOUBLE_EQ(Prime::job_reward(400, 40), -100);
  EXPECT_DOUBLE_EQ(Prime::update(1, 50), 20.6);  // 0.6 * 1 + 0.4 * 50
}

TEST(Prime, OneDecisionPer10JobsAndTheTableByHand) {
  TinyWorld world;
  Prime prime(world.context());
  world.bind(prime);
  Decision first;
  prime.decide(world.release(0), first);
  const int opp = first.action.opp[0];
  for (int i = 0; i < 10; ++i) {
    Decision again;
    prime.decide(world.release(0), again);
    EXPECT_EQ(again.action.opp[0], opp) << "the same for 10 jobs";
    EXPECT_EQ(again.action.app[0].level, 3);
    EXPECT_EQ(prime.q(0, opp), 1);
    Observation outcome = world.idle(0, 1);
    JobRecord job;
    job.finish_ns = 20'000'000;
    job.cycles = 10e6;
    outcome.add_job(job);
    prime.learn(outcome, again.action, {});
  }
  EXPECT_NEAR(prime.q(0, opp), 20.6, 1e-5);
}

TEST(Prime, GoesOnFromItsPayload) {
  TinyWorld world;
  Prime a(world.context());
  world.bind(a);
  Decision decision;
  const Action& action = decision.action;
  for (int i = 0; i < 500; ++i) {
    a.decide(world.release(0), decision);
    Observation outcome = world.idle(0, 1);
    JobRecord job;
    job.finish_ns = 10'000'000 * (4 - action.opp[0]);
    job.cycles = 10e6;
    outcome.add_job(job);
    a.learn(outcome, action, {});
  }
  Prime b(world.context());
  const auto saved = saved_of(a);
  b.load(saved, false);
  EXPECT_EQ(saved_of(b), saved);
  auto bad = saved;
  bad[15] = 0x7f, bad[14] = 0x80;  // the first entry becomes infinite
  EXPECT_THROW(b.load(bad, false), Error);
  bad = saved;
  bad.pop_back();
  EXPECT_THROW(b.load(bad, false), Error);
  bad = saved;
  bad.push_back(0);
  EXPECT_THROW(b.load(bad, false), Error);
  EXPECT_EQ(saved_of(b), saved) << "a refused payload changes nothing";
}

/// Ten jobs of a slot; whether the agent then decides anew.
bool learns_from(Prime& prime, const TinyWorld& world, int slot) {
  Decision decision;
  prime.decide(world.release(0), decision);
  for (int i = 0; i < Prime::kJobsPerDecision; ++i) {
    Observation outcome = world.idle(0, 1);
    JobRecord job;
    job.app = static_cast<std::uint8_t>(slot);
    job.finish_ns = 20'000'000;
    job.cycles = 10e6;
    outcome.add_job(job);
    prime.learn(outcome, decision.action, {});
  }
  Decision next;
  prime.decide(world.release(0), next);
  return next.fresh;
}

TEST(Prime, GovernsAnotherWhenItsOwnHasGone) {
  TinyWorld world;
  world.scenario.apps.push_back(world.scenario.apps[0]);
  world.scenario.apps[1].name = "door";
  Prime prime(world.context());
  world.bind(prime);
  EXPECT_TRUE(learns_from(prime, world, 0));
  EXPECT_FALSE(learns_from(prime, world, 1)) << "it governs one application, the first";
  prime.unbind(0);
  EXPECT_TRUE(learns_from(prime, world, 1));
  prime.unbind(1);
  EXPECT_FALSE(learns_from(prime, world, 1));
  world.bind(prime);
  EXPECT_TRUE(learns_from(prime, world, 0));
}

TEST(Prime, JobsOfTheRunBeforeAreNoneOfThisOne) {
  TinyWorld world;
  Prime prime(world.context());
  world.bind(prime);
  Decision decision;
  prime.decide(world.release(0), decision);
  const int opp = decision.action.opp[0];
  Observation outcome = world.idle(0, 1);
  JobRecord late;
  late.finish_ns = 900'000'000;
  late.cycles = 10e6;
  for (int i = 0; i < 9; ++i) outcome.add_job(late);
  prime.learn(outcome, decision.action, {});
  prime.end_run();
  prime.begin_run();
  world.bind(prime);
  EXPECT_TRUE(learns_from(prime, world, 0));
  for (int o = 0; o < 3; ++o) EXPECT_GE(prime.q(0, o), 1) << "no job of this run was late";
  (void)opp;
}

TEST(Prime, AWorkloadBeyondAllBinsIsTheLastOrRefused) {
  TinyWorld world;
  Prime prime(world.context());
  world.bind(prime);
  const std::vector<std::uint8_t> saved = saved_of(prime);
  const auto with_mean = [&](double mcycles) {
    std::vector<std::uint8_t> payload = saved;
    std::memcpy(payload.data() + payload.size() - 8, &mcycles, 8);
    return payload;
  };
  for (const double absurd : {-1.0, 1e300})
    EXPECT_THROW(prime.load(with_mean(absurd), false), Error);
  EXPECT_EQ(saved_of(prime), saved);
  prime.load(with_mean(1e12), false);
  EXPECT_TRUE(learns_from(prime, world, 0));
}

}  // namespace
}  // namespace flyball
