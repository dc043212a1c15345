// Real processes: a governor that dies of everything a governor can die of, and a machine that must be
// as it was before.

#include <gmock/gmock.h>

#include <random>

#include "governor/supervisor/close_descriptors.h"
#include "governor/supervisor/supervise.h"
#include "tests/supervisor/stub_governor.h"

namespace flyball::testing {
namespace {

using ::testing::HasSubstr;

using SupervisorTest = SupervisedFixture;

TEST_F(SupervisorTest, ANormalEndGivesBackAndLeavesNothing) {
  StubGovernor::Options few = options();
  few.epochs = 20;
  StubGovernor governor(few);
  EXPECT_EQ(governor.wait(), 0);
  EXPECT_EQ(changed(), "");
  EXPECT_FALSE(std::filesystem::exists(settings_path()));
  EXPECT_TRUE(GovernorLock::try_lock(make_state()));  // the supervisor has ended, too
}

// SIGKILL at moments from before the take-over to long after the first write.
TEST_F(SupervisorTest, AGovernorKilledAtAnyMomentIsGivenBackFor) {
  std::mt19937 random(20);
  std::uniform_int_distribution<long> moment_us(0, 30'000);
  std::int64_t longest_ns = 0;
  int had_begun = 0;
  for (int round = 0; round < 60; ++round) {
    StubGovernor governor(options());
    if (round % 2 == 0) wait_until_governing();
    sleep_us(moment_us(random));
    governor.signal(SIGKILL);
    const std::int64_t killed_ns = monotonic_ns();
    governor.wait();
    had_begun += changed().empty() ? 0 : 1;
    ASSERT_TRUE(wait_for([&] { return changed().empty(); }))
        << "round " << round << ": " << changed();
    longest_ns = std::max(longest_ns, monotonic_ns() - killed_ns);
    ASSERT_TRUE(wait_until_unlocked());
    // One that died before it had a supervisor leaves a file of what it has not changed yet.
    restore({state_path(), root()});
    EXPECT_FALSE(std::filesystem::exists(settings_path()));
    EXPECT_EQ(changed(), "");
  }
  EXPECT_GT(had_begun, 20);  // the test has met what it is about
  RecordProperty("longest_ms", static_cast<int>(longest_ns / 1'000'000));
  std::printf("longest time from SIGKILL to all given back: %.1f ms\n",
              static_cast<double>(longest_ns) / 1e6);
}

TEST_F(SupervisorTest, WhenBothAreKilledTheNextStartGivesBack) {
  std::mt19937 random(21);
  std::uniform_int_distribution<long> moment_us(0, 5000);
  for (int round = 0; round < 20; ++round) {
    StubGovernor governor(options());
    const pid_t supervisor = wait_until_governing();
    sleep_us(moment_us(random));
    // In either order, and with or without time for the other to notice.
    if (round % 2 == 0) kill(supervisor, SIGKILL);
    if (round % 4 >= 2) sleep_us(moment_us(random) / 10);
    governor.signal(SIGKILL);
    kill(supervisor, SIGKILL);
    governor.wait();
    StubGovernor::Options few = options();
    few.epochs = 3;
    StubGovernor next(few);
    ASSERT_EQ(next.wait(), 0) << "round " << round;
    ASSERT_EQ(changed(), "") << "round " << round;
  }
}

TEST_F(SupervisorTest, WithoutItsSupervisorTheGovernorGivesBackAndEnds) {
  StubGovernor governor(options());
  kill(wait_until_governing(), SIGKILL);
  EXPECT_EQ(governor.wait(), StubGovernor::kSupervisorDied);
  EXPECT_EQ(changed(), "");
  EXPECT_FALSE(std::filesystem::exists(settings_path()));
}

TEST_F(SupervisorTest, AGovernorThatHangsIsStoppedAndGivenBackFor) {
  StubGovernor governor(options());
  wait_until_governing();
  const std::int64_t hung_ns = monotonic_ns();
  governor.signal(SIGSTOP);
  EXPECT_EQ(governor.wait(), 128 + SIGKILL);
  // It governs, and has not the time of one that starts any more, though it began just now.
  EXPECT_LT(monotonic_ns() - hung_ns, hang_limit_ns(GovernorPhase::kStarting, 0));
  EXPECT_TRUE(wait_for([&] { return changed().empty(); })) << changed();
}

// The first write comes before the first epoch has ended: from it on the limit holds.
TEST_F(SupervisorTest, AGovernorThatHangsInItsFirstEpochHasNoMoreTimeThanInAnother) {
  StubGovernor::Options silent = options();
  silent.beats = false;
  StubGovernor governor(silent);
  wait_until_governing();
  EXPECT_EQ(settings().value().phase(), GovernorPhase::kGoverning);
  const std::int64_t begun_ns = monotonic_ns();
  EXPECT_EQ(governor.wait(), 128 + SIGKILL);
  EXPECT_LT(monotonic_ns() - begun_ns, hang_limit_ns(GovernorPhase::kStarting, 0));
  EXPECT_TRUE(wait_for([&] { return changed().empty(); })) << changed();
}

TEST_F(SupervisorTest, AGovernorThatHangsOnItsWayBackIsStoppedAndGivenBackFor) {
  StubGovernor::Options hangs = options();
  hangs.epochs = 20;
  hangs.hangs_at_end = true;
  StubGovernor governor(hangs);
  wait_until_governing();
  const std::int64_t begun_ns = monotonic_ns();
  EXPECT_EQ(governor.wait(), 128 + SIGKILL);
  EXPECT_LT(monotonic_ns() - begun_ns, hang_limit_ns(GovernorPhase::kStarting, 0));
  EXPECT_TRUE(wait_for([&] { return changed().empty(); })) << changed();
}

TEST_F(SupervisorTest, WhoeverGivesBackLivesAsLongAsItSaysSo) {
  SettingsFile file = SettingsFile::create(make_state(), root(), 4);
  file.beat(1, 0);
  file.gives_back();
  EXPECT_EQ(file.beat_ns(), 1) << "it governs, and only an epoch is a sign of life";
  file.set_phase(GovernorPhase::kGivingBack);
  file.gives_back();
  EXPECT_GT(file.beat_ns(), 1);
  EXPECT_EQ(hang_limit_ns(GovernorPhase::kGivingBack, 0), 1'000'000'000);
  EXPECT_GE(hang_limit_ns(GovernorPhase::kGivingBack, 0, /*owes=*/false), 5'000'000'000);
  EXPECT_EQ(hang_limit_ns(GovernorPhase::kGoverning, 0, /*owes=*/false), 1'000'000'000);
}

// Linux 4.9 and 4.14, as boards have them, have neither close_range nor pidfd_open.
TEST_F(SupervisorTest, AnOldLinuxKernelTakesNothingFromIt) {
  const int held = open("/dev/null", O_RDONLY);  // inheritable: not for the supervisor
  StubGovernor::Options old = options();
  old.old_linux = true;
  StubGovernor governor(old);
  const pid_t supervisor = wait_until_governing();
  std::vector<std::string> kept;
  for (const auto& each :
       std::filesystem::directory_iterator("/proc/" + std::to_string(supervisor) + "/fd"))
    kept.push_back(each.path().filename());
  EXPECT_LE(kept.size(), 3u + kSupervisorDescriptors);
  governor.signal(SIGKILL);
  governor.wait();
  EXPECT_TRUE(wait_for([&] { return changed().empty(); })) << changed();
  close(held);
}

TEST(CloseDescriptorsTest, OneByOneClosesTheSameAndNoOthers) {
  std::vector<int> made;
  for (int i = 0; i < 200; ++i) made.push_back(fcntl(STDIN_FILENO, F_DUPFD, 500 + 2 * i));
  close_one_by_one(600, 700);
  for (const int each : made) {
    const bool open = fcntl(each, F_GETFD) >= 0;
    EXPECT_EQ(open, each < 600 || each > 700) << each;
    if (open) close(each);
  }
}

TEST_F(SupervisorTest, AGovernorThatSleepsAsItSaidIsNoHang) {
  EXPECT_EQ(hang_limit_ns(GovernorPhase::kGoverning, 50'000'000), 1'000'000'000);
  EXPECT_EQ(hang_limit_ns(GovernorPhase::kGoverning, 500'000'000), 1'500'000'000);
  EXPECT_EQ(hang_limit_ns(GovernorPhase::kGoverning, -1), 1'000'000'000);
  EXPECT_EQ(hang_limit_ns(GovernorPhase::kGoverning, INT64_MAX), 1'800'000'000'000);
  EXPECT_GE(hang_limit_ns(GovernorPhase::kStarting, 0), 5'000'000'000);
}

// Ctrl-C reaches the whole group of the terminal; a service manager's SIGTERM the whole control group.
TEST_F(SupervisorTest, SignalsThatEndTheGovernorDoNotEndTheSupervisor) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    StubGovernor governor(options());
    const pid_t supervisor = wait_until_governing();
    kill(supervisor, number);
    sleep_us(2000);
    EXPECT_EQ(kill(supervisor, 0), 0);
    EXPECT_NE(getpgid(supervisor), governor.pid());
    kill(-governor.pid(), number);
    EXPECT_EQ(governor.wait(), 128 + number);
    EXPECT_TRUE(wait_for([&] { return changed().empty(); })) << number << ": " << changed();
    ASSERT_TRUE(wait_until_unlocked());
  }
}

TEST_F(SupervisorTest, WhatSomebodyElseChangesIsTheirsWhateverEndsTheGovernor) {
  StubGovernor governor(options());
  wait_until_governing();
  governor.signal(SIGSTOP);
  write("policy0/scaling_governor", "performance");
  governor.signal(SIGKILL);
  governor.wait();
  EXPECT_TRUE(wait_for([&] { return changed() == "policy0/scaling_governor=performance "; }))
      << changed();
}

TEST_F(SupervisorTest, TwoNeverGovernAtOnce) {
  StubGovernor governor(options());
  wait_until_governing();
  RestoreReport remains;
  EXPECT_THAT(error_of([&] {
                Takeover::begin({state_path(), root(), 64, ""}, remains);
              }),
              HasSubstr("another flyball governs (process " + std::to_string(governor.pid()) +
                        "); stop it"));
  EXPECT_EQ(governor.pid() > 0 && kill(governor.pid(), 0) == 0, true);
}

// It would take the first one's limits for the user's, and give them back for good.
TEST_F(SupervisorTest, TwoNeverGovernAMachineWhereverTheirStateIs) {
  StubGovernor::Options elsewhere = options();
  elsewhere.state_dir += "2";
  RestoreReport remains;
  {
    StubGovernor governor(options());
    wait_until_governing();
    EXPECT_THAT(error_of([&] {
                  Takeover::begin({elsewhere.state_dir, root(), 64, ""}, remains);
                }),
                HasSubstr("another flyball governs it, with another state folder"));
    governor.signal(SIGKILL);
    governor.wait();
    elsewhere.epochs = 1;
    StubGovernor next(elsewhere);  // while the first one's supervisor gives back
    EXPECT_EQ(next.wait(), 0);
  }
  EXPECT_EQ(changed(), "");
  std::filesystem::remove_all(elsewhere.state_dir);
}

/// A machine whose governor and supervisor were both killed, and its state folder.
class LeftElsewhere : public SupervisedFixture {
 protected:
  LeftElsewhere() : elsewhere_((folder_ / "elsewhere").string()) {
    std::filesystem::create_directories(root() + "/run");
    StubGovernor::Options other = options();
    other.state_dir = elsewhere_;
    StubGovernor governor(other);
    wait_for([&] { return read("policy4/scaling_max_freq") != "2000000"; });
    const pid_t supervisor =
        SettingsFile::open_existing(StateDir::open_existing(elsewhere_))->supervisor()->pid;
    governor.signal(SIGSTOP);  // it would give back itself
    kill(supervisor, SIGKILL);
    governor.signal(SIGKILL);
    governor.wait();
  }
  std::string note() const { return root() + kDefaultStateDir + "/machine.lock"; }
  RestoreReport restore_here() const { return restore({state_path(), root()}); }

  const std::string elsewhere_;
};

TEST_F(LeftElsewhere, TheNextStartGivesItBackWhereverItsOwnStateIs) {
  EXPECT_NE(changed(), "");
  EXPECT_EQ(file_text(note()), elsewhere_ + "\n");
  RestoreReport remains;
  {
    const Takeover next =
        Takeover::begin({state_path(), root(), 64, options().supervisor}, remains);
    EXPECT_EQ(changed(), "") << "before it takes what it finds for the user's";
    EXPECT_EQ(file_text(note()), state_path() + "\n");
  }
  EXPECT_EQ(remains.remains, Remains::kSettings);
  EXPECT_EQ(remains.elsewhere, elsewhere_);
  EXPECT_EQ(remains.result.settings.size(), 6u);
  EXPECT_FALSE(std::filesystem::exists(elsewhere_ + "/" + SettingsFile::kName));
}

TEST_F(LeftElsewhere, RestoreFindsItThoughNothingNamesItsFolder) {
  EXPECT_FALSE(std::filesystem::exists(state_path()));
  const RestoreReport report = restore_here();
  EXPECT_EQ(report.elsewhere, elsewhere_);
  EXPECT_EQ(changed(), "");
  EXPECT_EQ(restore_here().remains, Remains::kNothing) << "once";
}

TEST_F(LeftElsewhere, WhoeverGivesAllBackNamesNoFolderAnyMore) {
  {
    RestoreReport remains;
    Takeover next = Takeover::begin({state_path(), root(), 64, options().supervisor}, remains);
  }
  EXPECT_EQ(file_text(note()), "");
  std::filesystem::remove_all(state_path());
  EXPECT_EQ(restore_here().elsewhere_removed, "");
}

TEST_F(LeftElsewhere, AFolderThatWasRemovedIsSaid) {
  std::filesystem::remove_all(elsewhere_);
  const RestoreReport report = restore_here();
  EXPECT_EQ(report.remains, Remains::kNothing);
  EXPECT_EQ(report.elsewhere_problem, "");
  EXPECT_EQ(report.elsewhere_removed, elsewhere_);
  // Whoever makes it anew is told as well.
  RestoreReport remains;
  const Takeover next = Takeover::begin({elsewhere_, root(), 64, options().supervisor}, remains);
  EXPECT_EQ(remains.elsewhere_removed, elsewhere_);
}

TEST_F(LeftElsewhere, NothingIsMadeInAFolderThatIsNoGovernors) {
  std::filesystem::remove_all(elsewhere_);
  std::filesystem::create_directory(elsewhere_);
  const RestoreReport report = restore_here();
  EXPECT_EQ(report.elsewhere_problem, "");
  EXPECT_TRUE(std::filesystem::is_empty(elsewhere_));
}

TEST_F(SupervisorTest, WhoeverGovernsAMachineIsNamedToASecondOne) {
  std::filesystem::create_directories(root() + "/run");
  StubGovernor::Options other = options();
  other.state_dir = (folder_ / "elsewhere").string();
  StubGovernor first(other);
  wait_for([&] { return read("policy4/scaling_max_freq") != "2000000"; });
  RestoreReport remains;
  const std::string why = error_of([&] {
    Takeover::begin({state_path(), root(), 64, options().supervisor}, remains);
  });
  EXPECT_THAT(why, HasSubstr("process " + std::to_string(first.pid())));
  EXPECT_THAT(why, HasSubstr(other.state_dir));
}

TEST_F(LeftElsewhere, AFolderThatOthersCouldHaveWrittenIsNamedAndNotLookedAt) {
  const std::string before = changed(), aside = (folder_ / "aside").string();
  const auto why = [&] {
    const RestoreReport report = restore_here();
    EXPECT_EQ(report.remains, Remains::kNothing);
    EXPECT_EQ(report.elsewhere, "");
    EXPECT_EQ(changed(), before);
    return report.elsewhere_problem;
  };
  ASSERT_EQ(chmod(elsewhere_.c_str(), 0775), 0);
  EXPECT_THAT(why(), HasSubstr("state folder " + elsewhere_));
  EXPECT_THAT(why(), HasSubstr("others may write to it"));
  // Nor does the next one take for the user's what stands there, and forget the folder.
  RestoreReport remains;
  EXPECT_THAT(error_of([&] {
                Takeover::begin({state_path(), root(), 64, options().supervisor}, remains);
              }),
              HasSubstr("others may write to it"));
  EXPECT_EQ(file_text(note()), elsewhere_ + "\n");
  EXPECT_EQ(changed(), before);
  ASSERT_EQ(chmod(elsewhere_.c_str(), 0755), 0);
  std::filesystem::rename(elsewhere_, aside);
  std::filesystem::create_symlink(aside, elsewhere_);
  EXPECT_THAT(why(), HasSubstr("it is a link or no folder"));
  std::filesystem::remove(elsewhere_);
  // A link on the way there.
  std::filesystem::create_directory(folder_ / "real");
  std::filesystem::rename(aside, folder_ / "real" / "state");
  std::filesystem::create_symlink(folder_ / "real", folder_ / "link");
  write_text(note(), (folder_ / "link" / "state").string() + "\n");
  EXPECT_THAT(why(), HasSubstr("it is reached by a link"));
  // What is no path, or was not written to its end, names nobody.
  for (const std::string& text : {std::string("relative\n"), (folder_ / "real/state").string(),
                                  std::string(), std::string(8192, '/')}) {
    write_text(note(), text);
    EXPECT_EQ(why(), "") << text.substr(0, 40);
  }
  write_text(note(), (folder_ / "real" / "state").string() + "\n");
  EXPECT_EQ(restore_here().remains, Remains::kSettings);
  EXPECT_EQ(changed(), "");
}

TEST_F(SupervisorTest, ANextGovernorWaitsUntilTheSupervisorHasGivenBack) {
  for (int round = 0; round < 5; ++round) {
    StubGovernor governor(options());
    wait_until_governing();
    governor.signal(SIGKILL);
    governor.wait();
    StubGovernor::Options few = options();
    few.epochs = 1;
    StubGovernor next(few);  // at once
    ASSERT_EQ(next.wait(), 0);
    ASSERT_EQ(changed(), "");
  }
}

TEST_F(SupervisorTest, WithoutASupervisorNothingIsTaken) {
  StubGovernor::Options without = options();
  for (const char* program : {"/nonexistent/flyball-supervisor", "/bin/false"}) {
    without.supervisor = program;
    StubGovernor governor(without);
    EXPECT_EQ(governor.wait(), StubGovernor::kCannotStart) << program;
    EXPECT_EQ(changed(), "");
  }
}

/// A capability of root's that containers withhold.
bool may_ask_to_be_spared() {
  const pid_t child = fork();
  if (child == 0) {
    const int file = open("/proc/self/oom_score_adj", O_WRONLY);
    _exit(::write(file, "-1000", 5) == 5 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0;
}

TEST_F(SupervisorTest, IsSmallAndTheLastToGoWhenMemoryRunsOut) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "the emulator's memory is not the program's";
  StubGovernor governor(options());
  const std::string proc = "/proc/" + std::to_string(wait_until_governing());
  if (may_ask_to_be_spared()) {
    EXPECT_EQ(file_text(proc + "/oom_score_adj"), "-1000\n");
  }
  const std::string status = file_text(proc + "/status");
  EXPECT_THAT(status, HasSubstr("Threads:\t1\n"));
  const std::size_t at = status.find("VmRSS:");
  ASSERT_NE(at, std::string::npos);
  std::printf("%s\n", status.substr(at, status.find('\n', at) - at).c_str());
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT(std::stol(status.substr(at + 6)), 2048);  // kB
#endif
}

}  // namespace
}  // namespace flyball::testing
