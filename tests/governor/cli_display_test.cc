// The live display on a terminal of its own: what it shows, and that it leaves the terminal as it
// was.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/governor/on_terminal.h"
#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kLong = {"run",          "--duration", "60",
                                        "--no-compare", "--policy",   "rule"};
const std::string kHint = "? what the words mean";

TEST(CliRunDisplay, GivesTheTerminalBackHoweverItEnds) {
  const OwnConfigs configs;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGUSR1, SIGALRM}) {
    OnTerminal flyball(80, kLong);
    ASSERT_TRUE(flyball.shows(kHint)) << flyball.out();
    EXPECT_FALSE(flyball.modes_are_as_before()) << "keys are not read";
    flyball.signal(signal);
    flyball.wait();
    EXPECT_TRUE(flyball.modes_are_as_before()) << strsignal(signal);
  }
  OnTerminal flyball(80, {"run", "--duration", "1", "--no-compare", "--policy", "rule"});
  EXPECT_EQ(flyball.wait(), 0);
  EXPECT_THAT(flyball.out(), HasSubstr(kHint));
  EXPECT_TRUE(flyball.modes_are_as_before());
}

TEST(CliRunDisplay, GivesTheTerminalBackWhileItIsStopped) {
  const OwnConfigs configs;
  OnTerminal flyball(80, kLong);
  ASSERT_TRUE(flyball.shows(kHint));
  flyball.signal(SIGTSTP);
  flyball.wait_until_stopped();
  EXPECT_TRUE(flyball.modes_are_as_before());
  flyball.signal(SIGCONT);
  ASSERT_TRUE(flyball.shows(kHint));
  EXPECT_FALSE(flyball.modes_are_as_before());
}

TEST(CliRunDisplay, ExplainsItsWordsOnRequest) {
  const OwnConfigs configs;
  OnTerminal flyball(100, kLong);
  ASSERT_TRUE(flyball.shows(kHint));
  EXPECT_THAT(flyball.out(), Not(HasSubstr("demand      ")));
  flyball.press('?');
  ASSERT_TRUE(flyball.shows("? the last minute again"));
  for (const char* word : {"cpux", "demand", "slack", "floor", "spread", "_x", "infeasible"})
    EXPECT_THAT(flyball.out(), HasSubstr(word));
  EXPECT_THAT(flyball.out(), HasSubstr("demand       least time the job can take"));
}

/// The lines of the last look.
std::vector<std::string> last_look(const std::string& out) {
  const std::size_t end = out.rfind(kHint);
  const std::size_t start = out.rfind("rule on host", end);
  std::vector<std::string> lines;
  std::istringstream look(out.substr(start, end - start));
  for (std::string line; std::getline(look, line);) {
    std::string plain;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\033') {
        while (i < line.size() && std::isalpha(static_cast<unsigned char>(line[i])) == 0) ++i;
      } else if (line[i] != '\r') {
        plain += line[i];
      }
    }
    lines.push_back(plain);
  }
  return lines;
}

TEST(CliRunDisplay, NothingIsCutOnANarrowTerminal) {
  const OwnConfigs configs;
  setenv("LC_ALL", "C", 1);
  for (const int columns : {60, 80, 120}) {
    OnTerminal flyball(columns, {"run", "--duration", "3", "--no-compare", "--policy", "rule"});
    EXPECT_EQ(flyball.wait(), 0);
    const std::vector<std::string> lines = last_look(flyball.out());
    std::string all;
    for (const std::string& line : lines) {
      EXPECT_LT(line.size(), static_cast<std::size_t>(columns)) << line;
      all += line + '\n';
    }
    EXPECT_THAT(all, ::testing::ContainsRegex("[0-9]+ of [0-9]+ missed \\([0-9.]+ %\\)"));
    EXPECT_THAT(all, ::testing::ContainsRegex("cpux[0-9]+, width +[0-9]+ %"));
    EXPECT_THAT(all, HasSubstr("mJ/job"));
    EXPECT_THAT(all, ::testing::ContainsRegex("last [0-9]+ s .*up to [0-9]+ mW"));
    EXPECT_THAT(all, ::testing::ContainsRegex("up to [0-9.]+ of a deadline"));
    EXPECT_THAT(all, ::testing::ContainsRegex("[0-9]+ missed\n"));
  }
  unsetenv("LC_ALL");
}

TEST(CliRunDisplay, FinishedPoliciesStayAndTheLastJobsDecisionIsShown) {
  const OwnConfigs configs;
  const Finished finished =
      flyball_run({"run", "--duration", "3", "--compare-with", "performance"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err,
              ::testing::ContainsRegex("\nq_learning, [0-9.]+ s: [0-9]+ jobs, [0-9.]+ mJ/job, "
                                       "[0-9.]+ % missed, [0-9.]+ % accuracy\n"));
  EXPECT_THAT(finished.err, ::testing::ContainsRegex("\nperformance, [0-9.]+ s: "));
  EXPECT_THAT(finished.err, HasSubstr("slack"));
  EXPECT_THAT(finished.err, Not(HasSubstr("no job: lowest clocks")));
}

// The thermal governor caps for an epoch or two at a time: each is said, whatever the last one was.
TEST(CliRunDisplay, SaysThatHeatHeldTheClockDown) {
  const OwnConfigs configs;
  const std::vector<std::string> run = {"run",  "--duration",   "2",      "--policy",
                                        "rule", "--no-compare", "--plain"};
  EXPECT_THAT(flyball_run(run).err, Not(HasSubstr(" throttled")));
  const std::string host = configs.config("platforms/host.yaml");
  std::string text = read_text(host);
  for (const char* trip : {"temp_c: 75", "temp_c: 85"}) {
    ASSERT_NE(text.find(trip), std::string::npos);
    text.replace(text.find(trip), std::strlen(trip), "temp_c: 30");
  }
  std::ofstream(host) << text;
  EXPECT_THAT(flyball_run(run).err, HasSubstr(" C throttled"));
}

// Whatever waits at the end: here all jobs are late, and more come than can be done.
TEST(CliRunDisplay, AMissRateIsTheSameWhereverItIsPrinted) {
  const OwnConfigs configs;
  std::ofstream(configs / "late.yaml")
      << "schema: 1\nname: late\nduration_s: 1\napps:\n  - name: camera\n    profile: dynamic_cnn\n"
         "    arrival: {kind: periodic, period_x: 0.4}\n    deadline_ms: 0.05\n";
  const Finished finished = flyball_run({"run", "--scenario", configs / "late.yaml", "--policy",
                                         "performance", "--no-compare", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(json::parse(finished.out).at("policies")[0].at("deadline_miss_pct"), 100.0);
  EXPECT_THAT(finished.err, ::testing::ContainsRegex("\nperformance, [^\n]*, 100.00 % missed"));
}

TEST(CliRunDisplay, WithoutAJobThereIsNoLatencyAndNoMissRate) {
  const OwnConfigs configs;
  std::ofstream(configs / "none.yaml")
      << "schema: 1\nname: none\nduration_s: 3\napps:\n  - name: camera\n    profile: dynamic_cnn\n"
         "    arrival: {kind: periodic, period_ms: 1000}\n    deadline_ms: 500\n    start_s: "
         "2.999\n";
  const Finished finished = flyball_run({"run", "--scenario", configs / "none.yaml", "--policy",
                                         "performance", "--no-compare", "--plain"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr(", -/500.0 ms, no job finished yet  "));
  EXPECT_THAT(finished.err, HasSubstr(": 0 jobs\n"));
  EXPECT_THAT(finished.out, HasSubstr("no job finished: '-' has no figure"));
}

}  // namespace
}  // namespace flyball::testing
