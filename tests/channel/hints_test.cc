#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/channel/channel_fixture.h"

namespace flyball {
namespace {

/// A deadline session of the calling thread.
struct HintSession {
  explicit HintSession(const std::string& socket, std::int64_t target_ns = 20'000'000) {
    setenv("FLYBALL_SOCKET", socket.c_str(), 1);
    setenv("FLYBALL_QUIET", "1", 1);
    const std::int32_t thread = static_cast<std::int32_t>(syscall(SYS_gettid));
    error = flyball_session_create(&thread, 1, target_ns, &session);
    sched_getaffinity(0, sizeof before, &before);
  }
  ~HintSession() {
    flyball_close(session);
    sched_setaffinity(0, sizeof before, &before);
  }
  HintSession(const HintSession&) = delete;
  HintSession& operator=(const HintSession&) = delete;
  flyball_session* session = nullptr;
  int error = 0;
  cpu_set_t before{};
};

TEST(Hints, ErrorsMeanWhatAndroidsMean) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  flyball_session* none = nullptr;
  const std::int32_t init = 1;
  const std::int32_t self = static_cast<std::int32_t>(syscall(SYS_gettid));
  EXPECT_EQ(flyball_session_create(&self, 1, 0, &none), EINVAL);
  EXPECT_EQ(flyball_session_create(&self, 0, 1, &none), EINVAL);
  EXPECT_EQ(flyball_session_create(&init, 1, 1, &none), EPERM);  // a thread of another process
  EXPECT_EQ(none, nullptr);
  HintSession hint(dir.socket());
  ASSERT_EQ(hint.error, 0) << flyball_why();
  flyball_session* s = hint.session;
  EXPECT_EQ(flyball_session_update_target(s, 0), EINVAL);
  EXPECT_EQ(flyball_session_report_actual(s, 0), EINVAL);
  EXPECT_EQ(flyball_session_report_actual2(s, monotonic_ns() - 1000, 1000, 0, 0), EINVAL);
  EXPECT_EQ(flyball_session_report_actual2(s, 0, 1000, 1, 0), EINVAL);
  EXPECT_EQ(flyball_session_set_threads(s, &init, 1), EPERM);
  EXPECT_EQ(flyball_session_set_threads(s, &self, 0), EINVAL);
  EXPECT_EQ(flyball_session_notify_spike(s, 0, 0, "neither"), EINVAL);
  EXPECT_EQ(flyball_supports(s, FLYBALL_FEATURE_SESSIONS), 1);
  int busy = 0;
  for (int i = 0; i < 3 * FLYBALL_VOTES_PER_SECOND; ++i)
    busy += flyball_session_notify_reset(s, 1, 0, "again") == EBUSY;
  EXPECT_GE(busy, FLYBALL_VOTES_PER_SECOND);  // of two seconds at most, so many are told
  EXPECT_EQ(flyball_connected(s), 1);         // and the governor does not mind
}

TEST(Hints, TheGovernorsEndIsEPIPE) {
  const SocketDir dir;
  auto governor = std::make_unique<TestGovernor>(dir.path());
  HintSession hint(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor->agent.seen().bound_now == 1; }));
  EXPECT_EQ(flyball_session_report_actual(hint.session, 1000), 0);
  governor.reset();
  ASSERT_TRUE(comes_about([&] { return flyball_connected(hint.session) == 0; }));
  EXPECT_EQ(flyball_session_update_target(hint.session, 7'000'000), EPIPE);
  EXPECT_EQ(flyball_session_notify_increase(hint.session, 1, 0, "more"), EPIPE);
  EXPECT_EQ(flyball_supports(hint.session, FLYBALL_FEATURE_SESSIONS), 0);
  // What was asked for meanwhile, the next one is told.
  TestGovernor next(dir.path());
  ASSERT_TRUE(comes_about([&] { return flyball_connected(hint.session) == 1; }));
  EXPECT_TRUE(comes_about([&] { return next.agent.seen().required.deadline_ns == 7'000'000; }));
}

TEST(Hints, DurationsAreJobs) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  HintSession hint(dir.socket(), 5'000'000);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  const std::int64_t start_ns = monotonic_ns() - 6'000'000;
  ASSERT_EQ(flyball_session_report_actual2(hint.session, start_ns, 4'000'000, 3'000'000, 0), 0);
  ASSERT_EQ(flyball_session_report_actual2(hint.session, start_ns, 6'000'000, 3'000'000, 0), 0);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().jobs.size() == 2; }));
  const auto seen = governor.agent.seen();
  EXPECT_EQ(seen.jobs[0].execution_ns(), 4'000'000);
  EXPECT_FALSE(seen.jobs[0].missed);
  EXPECT_TRUE(seen.jobs[1].missed);
}

TEST(Hints, AnIncreaseRaisesTheClocksUntilItExpires) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  HintSession hint(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  ASSERT_TRUE(comes_about([&] { return governor.machine().opp(0) == 0; }));
  const std::int64_t asked_ns = monotonic_ns();
  ASSERT_EQ(flyball_session_notify_increase(hint.session, 1, 0, "menu"), 0);
  ASSERT_TRUE(comes_about([&] { return governor.machine().opp(0) == 2; }));
  ASSERT_TRUE(comes_about([&] { return governor.machine().opp(0) == 0; }));
  EXPECT_GE(monotonic_ns() - asked_ns, FLYBALL_VOTE_NS);
}

TEST(Hints, ASpikeEndsWithTheJobThatItIsOf) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  HintSession hint(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  bool ended_by_job = false;
  // On a machine that stands still for as long as a vote lasts it is asked again.
  for (int i = 0; i < 20 && !ended_by_job; ++i) {
    const std::int64_t asked_ns = monotonic_ns();
    if (flyball_session_notify_spike(hint.session, 1, 0, "level") != 0) continue;
    if (!comes_about([&] { return governor.machine().opp(0) == 2; })) break;
    ASSERT_EQ(flyball_session_report_actual(hint.session, 1000), 0);
    ASSERT_TRUE(comes_about([&] { return governor.machine().opp(0) == 0; }));
    ended_by_job = monotonic_ns() - asked_ns < FLYBALL_VOTE_NS;
  }
  EXPECT_TRUE(ended_by_job);
}

TEST(Hints, PowerEfficiencyForgivesAQuarter) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  HintSession hint(dir.socket(), 8'000'000);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().required.deadline_ns == 8'000'000; }));
  EXPECT_EQ(governor.agent.seen().required.grace_ns, 0);
  ASSERT_EQ(flyball_session_prefer_power_efficiency(hint.session, 1), 0);
  EXPECT_TRUE(comes_about([&] { return governor.agent.seen().required.grace_ns == 2'000'000; }));
  ASSERT_EQ(flyball_session_prefer_power_efficiency(hint.session, 0), 0);
  EXPECT_TRUE(comes_about([&] { return governor.agent.seen().required.grace_ns == 0; }));
}

TEST(Hints, AResetIsAnotherApplicationToTheAgent) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  HintSession hint(dir.socket());
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  ASSERT_EQ(flyball_session_notify_reset(hint.session, 1, 0, "other video"), 0);
  EXPECT_TRUE(comes_about([&] { return governor.agent.seen().bound.size() == 2; }));
  EXPECT_EQ(governor.agent.seen().unbound.size(), 1u);
  EXPECT_EQ(governor.agent.seen().bound_now, 1);
}

TEST(Hints, ThreadsAreWhereTheSettingSays) {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  if (!CPU_ISSET(0, &allowed)) GTEST_SKIP() << "CPU 0 is not ours";
  const SocketDir dir;
  TestGovernor governor(dir.path());
  governor.agent.mapping = governor.mapping("smallx1");
  HintSession hint(dir.socket());
  ASSERT_GE(governor.agent.mapping.load(), 0);
  for (int i = 0; i < 16; ++i) ASSERT_EQ(flyball_session_report_actual(hint.session, 1000), 0);
  ASSERT_TRUE(comes_about([&] { return flyball_now(hint.session)->number > 0; }));
  EXPECT_STREQ(flyball_now(hint.session)->where, "smallx1");
  EXPECT_EQ(flyball_now(hint.session)->threads, 1);
  cpu_set_t now;
  sched_getaffinity(0, sizeof now, &now);
  EXPECT_EQ(CPU_COUNT(&now), 1);
  EXPECT_TRUE(CPU_ISSET(0, &now));
  flyball_close(hint.session);
  hint.session = nullptr;
  sched_getaffinity(0, sizeof now, &now);
  EXPECT_TRUE(CPU_EQUAL(&now, &allowed));  // given back
}

}  // namespace
}  // namespace flyball
