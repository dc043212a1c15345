// `flyball status`, `explain`, `set` and `top` ask a `flyball run --platform linux`, all of them the
// real program, on a tree of files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(CliStatus, SaysThatNoneGoverns) {
  const TempDir dir;
  for (const std::string verb : {"status", "explain", "top"}) {
    const Finished told = flyball_run({verb, "--state-dir", dir / "none"});
    EXPECT_EQ(told.exit_code, 3) << verb;
    EXPECT_THAT(told.out, HasSubstr("no flyball governs here")) << verb;
    EXPECT_EQ(told.err, "") << verb;
  }
  const Finished told = flyball_run({"status", "--json", "--state-dir", dir / "none"});
  EXPECT_EQ(told.exit_code, 3);
  EXPECT_EQ(json::parse(told.out).at("running"), false);
  EXPECT_EQ(flyball_run({"set", "epoch_ms", "20", "--state-dir", dir / "none"}).exit_code, 3);
}

TEST(CliStatus, ShowsAGovernorInMeansOfASecond) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  const json now = governed.first_status();
  EXPECT_EQ(now.at("running"), true);
  EXPECT_EQ(now.at("mode"), "governs");
  EXPECT_EQ(now.at("policy"), "plain_load");
  EXPECT_EQ(now.at("stalled"), false);
  EXPECT_GE(now.at("window_s"), 1.0);
  EXPECT_EQ(now.at("power_source"), "rails A15, memory, GPU, A7 by INA231");
  EXPECT_NEAR(now.at("power_mw"), 2000, 1);  // the sum of the four rails
  ASSERT_EQ(now.at("clusters").size(), 2u);
  for (const json& cluster : now.at("clusters")) {
    EXPECT_EQ(cluster.at("actuator"), "bounds");
    EXPECT_GT(cluster.at("asked_khz"), 0);
    EXPECT_GT(cluster.at("delivered_khz"), 0);
    const double busiest_pct = cluster.at("busiest_pct");
    EXPECT_GT(busiest_pct, 10);
    EXPECT_NEAR(cluster.at("busy_pct"), busiest_pct / 4, 0.01);  // of four cores, one is busy
    EXPECT_EQ(cluster.at("temp_c"), 55.0);
    EXPECT_EQ(cluster.at("trip_c"), 95.0);
  }
  EXPECT_FALSE(now.at("clusters")[0].contains("idle_states")) << "Linux counts none there";
  const json& states = now.at("clusters")[1].at("idle_states");
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].at("name"), "WFI");
  EXPECT_EQ(states[1].at("name"), "cpu-sleep");
  const Finished text = governed.ask({"status"});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.out, HasSubstr("flyball governs: policy plain_load"));
  EXPECT_THAT(text.out, HasSubstr(", measured (rails A15, memory, GPU, A7 by INA231)"));
  EXPECT_EQ(now.at("power_measured_pct"), 100);
}

TEST(CliStatus, SaysWhoElseTurnsThePolicies) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed({"--actuator", "setspeed"});
  const std::string governor = LinuxTree::policy(4) + "scaling_governor";
  while (governed.tree().line(governor) != "userspace") std::this_thread::yield();
  governed.tree().write(governor, "performance\n");
  for (;;) {
    const json now = governed.first_status();
    if (now.at("notes").empty() || now.at("clusters")[1].at("stood_down") == 0) continue;
    EXPECT_THAT(now.at("notes").back().get<std::string>(), HasSubstr("policy4 is left to them"));
    EXPECT_EQ(now.at("clusters")[0].at("stood_down"), 0);
    break;
  }
}

/// inotify tells that somebody was here and not who.
TEST(CliStatus, NamesWhoMayHaveTurnedThePoliciesWhereLinuxDoesNotTell) {
  FLYBALL_STARTS_PROGRAMS();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_CAPBSET_DROP, 21 /* CAP_SYS_ADMIN */, 0, 0, 0);  // of what is started from here on
    using std::string_literals::operator""s;
    Governed governed({"--actuator", "setspeed"}, [](const LinuxTree& tree) {
      tree.write("/proc/812/cmdline", "/usr/bin/python3\0-Es\0/usr/sbin/tuned\0"s);
    });
    const std::string governor = LinuxTree::policy(4) + "scaling_governor";
    while (governed.tree().line(governor) != "userspace") std::this_thread::yield();
    governed.tree().write(governor, "performance\n");
    for (;;) {
      const json now = governed.first_status();
      if (now.at("clusters")[1].at("stood_down") == 0) continue;
      const std::string note = now.at("notes").back();
      std::fprintf(stderr, "%s\n", note.c_str());
      governed.governor().signal(SIGTERM);
      governed.governor().wait();
      _exit(note.find("Somebody else, perhaps tuned (process 812), which runs here, has set") !=
                    std::string::npos
                ? 0
                : 1);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(CliStatus, ADryRunIsShownAsOne) {
  Governed governed({"--dry-run"});
  EXPECT_EQ(governed.first_status().at("mode"), "dry_run");
  EXPECT_THAT(governed.ask({"status"}).out, HasSubstr("a dry run, which writes nothing"));
}

TEST(CliStatus, AGovernorThatIsStoppedIsSaidToBe) {
  Governed governed({"--dry-run"});  // of a governor, the supervisor would take over
  governed.first_status();
  governed.governor().signal(SIGSTOP);
  const Finished told = governed.ask({"status"});
  governed.governor().signal(SIGCONT);
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("does not answer"));
}

TEST(CliStatus, TheSocketGoesWithTheGovernorAndComesBack) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  governed.governor().signal(SIGTERM);
  EXPECT_EQ(governed.governor().wait().exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(governed.state_dir() + "/control.sock"));
  EXPECT_EQ(governed.ask({"status"}).exit_code, 3);
}

TEST(CliStatus, WhatAKilledGovernorLeftIsNoGovernor) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  governed.governor().signal(SIGKILL);
  governed.governor().wait();
  EXPECT_TRUE(std::filesystem::exists(governed.state_dir() + "/control.sock"));
  EXPECT_EQ(governed.ask({"status"}).exit_code, 3);
}

TEST(CliExplain, SaysWhatWasSeenExpectedAndCameOut) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  governed.first_status();
  const json told = json::parse(governed.ask({"explain", "--json", "-n", "3"}).out);
  ASSERT_GE(told.at("decisions").size(), 1u);
  ASSERT_LE(told.at("decisions").size(), 3u);
  for (const json& one : told.at("decisions")) {
    EXPECT_NE(one.at("chosen").at("khz"), one.at("last_asked_khz"));
    EXPECT_NE(one.at("chosen").at("khz"), one.at("next_best").at("khz"));
    EXPECT_GT(one.at("chosen").at("power_mw"), 0);
    EXPECT_GT(one.at("outcome").at("khz"), 0);
    EXPECT_GE(one.at("seen").at("busiest_pct"), 0);
    EXPECT_THAT(one.at("shield"), ::testing::AnyOf("passed", "clamped"));
    EXPECT_THAT(one.at("reason").get<std::string>(), HasSubstr("busiest core"));
  }
  const Finished text = governed.ask({"explain", "-n", "1"});
  for (const char* part : {"seen", "chosen", "next best", "came out", "shield"})
    EXPECT_THAT(text.out, HasSubstr(part));
}

TEST(CliSet, ChangesWhatTheGovernorDoes) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  const Finished limit = governed.ask({"set", "max_khz", "1300000", "--policy", "policy4"});
  ASSERT_EQ(limit.exit_code, 0) << limit.err;
  EXPECT_EQ(limit.out, "policy4 max_khz 1200000 (the nearest clock up to 1300000 that it has)\n");
  EXPECT_EQ(governed.ask({"set", "epoch_ms", "50"}).out, "epoch_ms 50\n");
  EXPECT_EQ(governed.ask({"set", "preference", "0.8"}).out, "preference 0.8\n");
  json now = governed.first_status();
  while (now.at("epoch_ms") != 50.0) now = governed.status();
  EXPECT_EQ(now.at("preference"), 0.8);
  EXPECT_EQ(now.at("clusters")[1].at("max_khz"), 1200000);
  EXPECT_FALSE(now.at("clusters")[0].contains("max_khz"));
  EXPECT_LE(now.at("clusters")[1].at("asked_khz"), 1200000);
  // A minimum, of a load that is never above half.
  EXPECT_EQ(governed.ask({"set", "min_khz", "1200000", "--policy", "policy4"}).exit_code, 0);
  while (now.at("clusters")[1].at("asked_khz") != 1200000) now = governed.status();
  EXPECT_EQ(governed.ask({"set", "max_khz", "default"}).out,
            "policy0 max_khz default; policy4 max_khz default\n");
  while (now.at("clusters")[1].contains("max_khz")) now = governed.status();
}

TEST(CliSet, RefusesWhatIsNoneAndNamesTheChoices) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  const auto refused = [&](std::vector<std::string> words, const std::string& with) {
    words.insert(words.begin(), "set");
    const Finished told = governed.ask(words);
    EXPECT_EQ(told.exit_code, 2) << with;
    EXPECT_EQ(told.out, "") << with;
    EXPECT_THAT(told.err, HasSubstr(with));
    EXPECT_EQ(std::count(told.err.begin(), told.err.end(), '\n'), 1) << told.err;
  };
  refused({"epochms", "3"}, "did you mean 'epoch_ms'");
  refused({"speed", "3"}, "use one of epoch_ms, min_khz, max_khz, preference, exploration");
  refused({"epoch_ms", "4.9"}, "from 5 to 1000");
  refused({"epoch_ms", "nan"}, "from 5 to 1000");
  refused({"preference", "1.1"}, "from 0 (performance first) to 1 (battery first)");
  refused({"exploration", "0.1"}, "leaves nothing to chance");
  refused({"max_khz", "100", "--policy", "policy4"}, "policy4 goes from 200000 to 2000000 kHz");
  refused({"max_khz", "2000000"}, "policy0 goes from 200000 to 1400000 kHz");
  refused({"max_khz", "800000", "--policy", "policy1"}, "use one of policy0, policy4");
  refused({"epoch_ms", "20", "--policy", "policy4"}, "is the same for all policies");
  refused({"max_khz", "1 2"}, "is no word");
  refused({"max_khz", std::string(300, '1')}, "is too long");
  EXPECT_EQ(governed.ask({"set", "max_khz", "800000", "--policy", "policy4"}).exit_code, 0);
  refused({"min_khz", "1600000", "--policy", "policy4"}, "change the other one first");
}

TEST(CliTop, IsALinePerSecondWhereThereIsNoTerminal) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  governed.first_status();
  const Finished told = governed.ask({"top", "-n", "2"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(std::count(told.out.begin(), told.out.end(), '\n'), 2);
  EXPECT_THAT(told.out, HasSubstr("2.00 W measured"));
  EXPECT_THAT(told.out, Not(HasSubstr("\033")));
}

TEST(CliTop, EndsWithTheGovernor) {
  FLYBALL_STARTS_PROGRAMS();
  Governed governed;
  governed.first_status();
  Flyball top({"top", "--state-dir", governed.state_dir()});
  governed.governor().signal(SIGTERM);
  governed.governor().wait();
  const Finished told = top.wait();
  // Too late to have met it, or it has met its end.
  EXPECT_THAT(told.exit_code, ::testing::AnyOf(0, 3));
  EXPECT_THAT(told.err + told.out,
              ::testing::AnyOf(HasSubstr("The governor has ended"), HasSubstr("no flyball")));
}

}  // namespace
}  // namespace flyball::testing
