#include <errno.h>

#include "tests/channel/channel_fixture.h"

namespace flyball {
namespace {

TEST(Channel, WithoutAGovernorEveryCallDoesNothing) {
  const SocketDir dir;
  TestSession client(dir.socket());
  ASSERT_EQ(client.error, 0);
  flyball_session* s = client.session;
  EXPECT_EQ(flyball_connected(s), 0);
  const flyball_setting* now = flyball_begin(s, 0);
  EXPECT_EQ(now->number, 0u);
  EXPECT_EQ(now->value[0], 2);  // the best that it has
  EXPECT_EQ(now->speed, 1.0f);
  EXPECT_EQ(flyball_end(s), EPIPE);
  flyball_requirements required{};
  required.deadline_ns = 5'000'000;
  EXPECT_EQ(flyball_require(s, &required), EPIPE);
  EXPECT_EQ(flyball_wait(s, 1'000'000'000'000), EPIPE);
  EXPECT_EQ(flyball_session_notify_increase(s, 1, 0, "more"), EPIPE);
  EXPECT_EQ(flyball_supports(s, FLYBALL_FEATURE_KNOBS), 0);
  flyball_effect effect;
  EXPECT_EQ(flyball_session_effect(s, &effect), EPIPE);
  EXPECT_EQ(effect.jobs, 0u);
}

TEST(Channel, TheAgentIsToldWhoCameAndWhatItOffers) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  TestSession client(dir.socket());
  ASSERT_EQ(client.error, 0);
  EXPECT_EQ(flyball_connected(client.session), 1);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound.size() == 1; }));
  const Binding bound = governor.agent.seen().bound[0];
  EXPECT_EQ(bound.name, "camera");
  ASSERT_EQ(bound.levels.size(), 3u);
  EXPECT_EQ(bound.levels[2].accuracy_pct, 80);
  EXPECT_EQ(bound.knobs[0].values[1], "medium");
  ASSERT_TRUE(
      comes_about([&] { return governor.agent.seen().required.deadline_ns == 20'000'000; }));
}

TEST(Channel, JobsOfAnotherProcessAreInTheObservation) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  TestSession client(dir.socket());
  flyball_begin(client.session, 0);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().running; }));
  ASSERT_EQ(flyball_end(client.session), 0);
  client.jobs(4);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().jobs.size() == 5; }));
  const auto seen = governor.agent.seen();
  for (std::size_t i = 0; i < 5; ++i) {
    const JobRecord& job = seen.jobs[i];
    EXPECT_EQ(job.sequence, i);
    EXPECT_LE(job.release_ns, job.start_ns);
    EXPECT_LE(job.start_ns, job.finish_ns);
    EXPECT_EQ(job.deadline_ns, job.release_ns + 20'000'000);
    EXPECT_EQ(job.accuracy_pct, 80);
  }
  // At 1000 mW, alone on the machine: a joule a second.
  EXPECT_NEAR(seen.jobs[0].energy_mj, static_cast<double>(seen.jobs[0].execution_ns()) * 1e-6,
              0.1 + 0.5 * static_cast<double>(seen.jobs[0].execution_ns()) * 1e-6);
  EXPECT_FALSE(governor.agent.seen().running);
}

TEST(Channel, TheAgentTurnsKnobsAfterTheFirstJobs) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  governor.agent.level = 1;
  TestSession client(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound.size() == 1; }));
  EXPECT_EQ(flyball_now(client.session)->value[0], 2);  // left as it came
  client.jobs(GuestSeat::kBeforeJobs);
  ASSERT_TRUE(comes_about([&] { return flyball_now(client.session)->value[0] == 1; }));
  const flyball_setting* now = flyball_now(client.session);
  EXPECT_EQ(now->level, 1);
  EXPECT_GT(now->number, 0u);
  governor.agent.level = 0;
  EXPECT_EQ(flyball_wait(client.session, 20'000'000'000), 0);
  EXPECT_EQ(flyball_now(client.session)->value[0], 0);
  client.jobs(1);
  ASSERT_TRUE(comes_about([&] {
    const auto jobs = governor.agent.seen().jobs;
    return !jobs.empty() && jobs.back().accuracy_pct == 60 && jobs.back().setting.level == 0;
  }));
}

TEST(Channel, RequirementsChangeAtAnyTime) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  TestSession client(dir.socket());
  const flyball_requirements required{7'000'000, 6'000'000, 0, 65, 3, 0, 4, FLYBALL_ACCURACY};
  ASSERT_EQ(flyball_require(client.session, &required), 0);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().required.priority == 4; }));
  const Requirements seen = governor.agent.seen().required;
  EXPECT_EQ(seen.deadline_ns, 6'000'000);
  EXPECT_EQ(seen.accuracy_floor_pct, 65);
  EXPECT_EQ(seen.objective, Objective::kAccuracy);
  client.jobs(1);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().jobs.size() == 1; }));
  const JobRecord job = governor.agent.seen().jobs[0];
  EXPECT_EQ(job.deadline_ns - job.release_ns, 6'000'000);
}

TEST(Channel, TwoOfAKindAreToldApart) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  const TestSession one(dir.socket()), other(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound.size() == 2; }));
  const auto bound = governor.agent.seen().bound;
  EXPECT_EQ(bound[0].name, "camera");
  EXPECT_EQ(bound[1].name, "camera#2");
  EXPECT_EQ(bound[0].profile, bound[1].profile);  // one user, one program
}

TEST(Channel, SixtyFourAtOnceAndNoMore) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  std::vector<std::unique_ptr<TestSession>> sessions;
  for (int i = 0; i < FLYBALL_SESSIONS; ++i) {
    sessions.push_back(std::make_unique<TestSession>(dir.socket()));
    ASSERT_EQ(sessions.back()->error, 0) << flyball_why();
  }
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == FLYBALL_SESSIONS; }));
  EXPECT_EQ(TestSession(dir.socket()).error, EUSERS);
  for (const auto& each : sessions) each->jobs(1);
  EXPECT_TRUE(comes_about([&] { return governor.agent.seen().finished == FLYBALL_SESSIONS; }));
}

TEST(Channel, OneThatMayBeAnywhereTakesAllClocksAlong) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  governor.agent.mapping = governor.mapping("smallx1");
  governor.agent.small_opp = 1;  // of three; the big cluster is asked for its lowest
  TestSession client(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor.machine().opp(1) == 1; }));
  client.jobs(20);
  ASSERT_TRUE(comes_about([&] { return flyball_now(client.session)->number > 0; }));
  EXPECT_STREQ(flyball_now(client.session)->where, "smallx4");
  for (const std::uint64_t word : flyball_now(client.session)->cpus) EXPECT_EQ(word, 0u);
}

TEST(Channel, WhoLeavesFreesTheSlotOnceItsReportsAreRead) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  {
    TestSession client(dir.socket());
    ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
    client.jobs(200);
  }
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 0; }));
  ASSERT_TRUE(comes_about([&] { return governor.places_taken() == 0; }));
}

}  // namespace
}  // namespace flyball
