// What is kept of threads before they are clamped.

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "governor/machine/kept_settings.h"
#include "tests/channel/channel_fixture.h"

namespace flyball {
namespace {

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

/// The scheduling of whoever started the tests, with these clamps.
std::string scheduling(const char* clamps) {
  return fmt::format("0 {} 0 {}", getpriority(PRIO_PROCESS, 0), clamps);
}

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
  EXPECT_EQ(file.before(0), scheduling("10 800"));
  EXPECT_TRUE(file.ours(0).contains(scheduling("409 409")));
  kept.on_clamped(process.pid, {409, 409});
  EXPECT_EQ(kept.on_clamp(process.pid, {10, 800}, {500, 500}), 0);
  EXPECT_EQ(file.count(), 1) << "one of a thread";
  EXPECT_TRUE(file.ours(0).contains(scheduling("500 500")));
  EXPECT_TRUE(file.ours(0).contains(scheduling("409 409"))) << "until the new one is in force";
  kept.on_clamp_left(process.pid, true);
  EXPECT_EQ(file.state(0), SettingState::kGivenBack);
  EXPECT_EQ(kept.on_clamp(process.pid, {0, 700}, {300, 300}), 0);
  EXPECT_EQ(file.state(0), SettingState::kTaken);
  EXPECT_EQ(file.before(0), scheduling("0 700"));
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
