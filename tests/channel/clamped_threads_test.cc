// Whose threads may be clamped, and what is kept of them before they are.

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "governor/machine/kept_settings.h"
#include "tests/channel/channel_fixture.h"

namespace flyball {
namespace {

std::int32_t this_thread() { return static_cast<std::int32_t>(syscall(SYS_gettid)); }

TEST(ClampedThreads, AreThoseThatAGovernedSessionHasNamed) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  const std::int32_t self = this_thread();
  setenv("FLYBALL_SOCKET", dir.socket().c_str(), 1);
  flyball_session* session = nullptr;
  ASSERT_EQ(flyball_session_create(&self, 1, 20'000'000, &session), 0) << flyball_why();
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().bound_now == 1; }));
  EXPECT_TRUE(governor.threads().empty()) << "its first jobs run as it came";
  ASSERT_TRUE(comes_about([&] {
    EXPECT_EQ(flyball_session_report_actual(session, 1'000'000), 0) << flyball_why();
    return !governor.threads().empty();
  }));
  EXPECT_EQ(governor.threads(), std::vector<pid_t>{self});

  std::atomic<std::int32_t> other{0};
  std::atomic<bool> over{false};
  std::thread second([&] {
    other = this_thread();
    while (!over) std::this_thread::yield();
  });
  while (other == 0) std::this_thread::yield();
  const std::int32_t both[] = {other, self};
  EXPECT_EQ(flyball_session_set_threads(session, both, 2), 0) << flyball_why();
  EXPECT_TRUE(comes_about([&] {
    return governor.threads() == std::vector<pid_t>{other.load(), self};
  }));
  over = true;
  second.join();
  flyball_close(session);
  EXPECT_TRUE(comes_about([&] { return governor.threads().empty(); }));
}

TEST(ClampedThreads, OneThatNamesNoneHasNone) {
  const SocketDir dir;
  TestGovernor governor(dir.path());
  TestSession plain(dir.socket());
  ASSERT_EQ(plain.error, 0) << flyball_why();
  ASSERT_TRUE(comes_about([&] { return flyball_connected(plain.session) == 1; }));
  plain.jobs(40);
  ASSERT_TRUE(comes_about([&] { return governor.agent.seen().finished == 40; }));
  EXPECT_TRUE(governor.threads().empty());
}

/// A process that waits.
struct Waiting {
  Waiting() : pid(fork()) {
    if (pid == 0)
      for (;;) pause();
  }
  ~Waiting() { end(); }
  void end() {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    pid = -1;
  }
  pid_t pid;
};

TEST(ClampedThreads, WhatTheyWereStandsInTheFileBeforeTheyAreWritten) {
  const SocketDir dir;
  SettingsFile file = SettingsFile::create(StateDir::make(dir.path()), "/", 4);
  KeptSettings kept(file, "");
  Waiting process;
  ASSERT_EQ(kept.on_clamp(process.pid, {10, 800}, {409, 409}), 0);
  ASSERT_EQ(file.count(), 1);
  EXPECT_EQ(file.kind(0), SettingKind::kThreadScheduling);
  EXPECT_EQ(file.state(0), SettingState::kTaken);
  EXPECT_EQ(file.thread(0), *identify(process.pid));
  EXPECT_EQ(file.before(0), "0 0 0 10 800");
  EXPECT_TRUE(file.ours(0).contains("0 0 0 409 409"));
  kept.on_clamped(process.pid, {409, 409});
  EXPECT_EQ(kept.on_clamp(process.pid, {10, 800}, {500, 500}), 0);
  EXPECT_EQ(file.count(), 1) << "one of a thread";
  EXPECT_TRUE(file.ours(0).contains("0 0 0 500 500"));
  EXPECT_TRUE(file.ours(0).contains("0 0 0 409 409")) << "until the new one is in force";
  kept.on_clamp_left(process.pid, true);
  EXPECT_EQ(file.state(0), SettingState::kGivenBack);
  EXPECT_EQ(kept.on_clamp(process.pid, {0, 700}, {300, 300}), 0);
  EXPECT_EQ(file.state(0), SettingState::kTaken);
  EXPECT_EQ(file.before(0), "0 0 0 0 700");
  kept.on_clamp_left(process.pid, false);
  EXPECT_EQ(file.state(0), SettingState::kLeft);
  const pid_t gone = process.pid;
  process.end();
  EXPECT_EQ(kept.on_clamp(gone, {0, 700}, {300, 300}), ESRCH);
}

TEST(ClampedThreads, AFileThatIsFullSaysSo) {
  const SocketDir dir;
  SettingsFile file = SettingsFile::create(StateDir::make(dir.path()), "/", 1);
  KeptSettings kept(file, "");
  Waiting one, two;
  EXPECT_EQ(kept.on_clamp(one.pid, {}, {300, 300}), 0);
  EXPECT_EQ(kept.on_clamp(two.pid, {}, {300, 300}), ENOSPC);
}

}  // namespace
}  // namespace flyball
