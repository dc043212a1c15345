#include "governor/compare/table_bandit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "env/config/yaml.h"
#include "kernels/base/error.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class BanditTest : public ::testing::Test {
 protected:
  std::string table(const std::string& text) const {
    const std::string path = dir_ / "t.csv";
    std::ofstream(path) << text;
    return path;
  }
  std::string refusal(const std::string& text) const {
    try {
      read_bandit_table(table(text));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::kInput);
      return error.what();
    }
    return "";
  }
  const TempDir dir_;
};

double mean_of(const std::vector<BanditRow>& rows, const std::string& agent,
               double (*figure)(const BanditRow&)) {
  double sum = 0;
  int count = 0;
  for (const BanditRow& row : rows) {
    if (row.agent == agent) sum += figure(row), ++count;
  }
  return sum / count;
}

TEST_F(BanditTest, ReadsATable) {
  const BanditTable read =
      read_bandit_table(table("# a comment\nbatch,bin,energy_j\n1,0,8\n\n2,-1,2.5e0\r\n"));
  EXPECT_EQ(read.knobs, (std::vector<std::string>{"batch", "bin"}));
  EXPECT_EQ(read.cost, "energy_j");
  ASSERT_EQ(read.rows.size(), 2u);
  EXPECT_EQ(read.rows[1].knob, (std::vector<double>{2, -1}));
  EXPECT_EQ(read.least(), 2.5);
  EXPECT_EQ(read.mean(), 5.25);
}

TEST_F(BanditTest, RefusesWhatIsNone) {
  EXPECT_THAT(refusal(""), HasSubstr("less than two rows"));
  EXPECT_THAT(refusal("a,b\n1,2\n"), HasSubstr("less than two rows"));
  EXPECT_THAT(refusal("a\n1\n"), HasSubstr("t.csv:1: 1 columns are named; name 1 to 4 knobs"));
  EXPECT_THAT(refusal("a,b,c,d,e,f\n"), HasSubstr("t.csv:1: 6 columns"));
  EXPECT_THAT(refusal("a,b\n1,2\n1\n"), HasSubstr("t.csv:3: has 1 cells, and 2 columns"));
  EXPECT_THAT(refusal("a,b\n1,x\n"), HasSubstr("t.csv:2: b 'x': is not a number"));
  EXPECT_THAT(refusal("a,b\n1,nan\n"), HasSubstr("is not a number"));
  EXPECT_THAT(refusal("a,b\n1,0\n"), HasSubstr("b '0': is not above 0"));
}

TEST_F(BanditTest, OnThreeRowsEverybodyFindsTheBestAndRegretIsAddedUp) {
  const BanditTable three = read_bandit_table(table("a,cost\n1,4\n2,2\n3,6\n"));
  BanditOptions options;
  options.agents = {"ucb", "linucb", "thompson", "random"};
  options.pulls = 6;
  options.seeds = 4;
  options.noise_pct = 0;
  for (const BanditRow& row : play_bandit(three, options)) {
    SCOPED_TRACE(row.agent);
    EXPECT_EQ(row.uniform_regret, 6 * (4.0 - 2));
    EXPECT_GE(row.regret, 0);
    // Who learns pulls a row that is not the best once. At random it may be pulled again, as long as it
    // is the best that was seen.
    if (row.agent != "random") {
      EXPECT_LE(row.regret, 2 + 4);
    }
    EXPECT_EQ(row.final_pick_pct, 0);
  }
}

TEST_F(BanditTest, TheSameSeedGivesTheSameOnAnyNumberOfThreads) {
  const BanditTable orin = read_bandit_table(find_config("tables", "orin_llm"));
  BanditOptions options;
  options.agents = {"thompson", "ucb"};
  options.seeds = 2;
  options.pulls = 20;
  const std::vector<BanditRow> one = play_bandit(orin, options);
  options.threads = 1;
  const std::vector<BanditRow> other = play_bandit(orin, options);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].regret, other[i].regret);
    EXPECT_EQ(one[i].final_pick_pct, other[i].final_pick_pct);
  }
}

TEST_F(BanditTest, OnTheOrinRegretIsAtMostHalfOfUniforms) {
  if (*FLYBALL_EMULATOR != '\0') GTEST_SKIP() << "takes a minute under emulation";
  const BanditTable orin = read_bandit_table(find_config("tables", "orin_llm"));
  EXPECT_EQ(orin.rows.size(), 3871u);
  BanditOptions options;
  options.agents = {"ucb", "linucb", "thompson"};
  options.seeds = 8;
  const std::vector<BanditRow> rows = play_bandit(orin, options);
  for (const std::string& agent : options.agents) {
    SCOPED_TRACE(agent);
    EXPECT_LE(
        mean_of(rows, agent, [](const BanditRow& row) { return row.regret / row.uniform_regret; }),
        0.5);
  }
}

TEST(CliBandit, PrintsItsRowsAsJsonAndRefusesWhatDoesNotFit) {
  const std::vector<std::string> words = {
      "evaluate", "--suite", "bandit",  "--agents", "thompson,random",
      "--seeds",  "2",       "--pulls", "5",        "--json"};
  const Finished finished = flyball_run(words);
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json report = json::parse(finished.out);
  EXPECT_EQ(report.at("suite"), "bandit");
  ASSERT_EQ(report.at("rows").size(), 4u);
  EXPECT_EQ(report.at("rows")[0].at("agent"), "thompson");
  EXPECT_GT(report.at("rows")[0].at("regret"), 0);
  EXPECT_EQ(flyball_run(words).out, finished.out);
  const auto refused = [](std::vector<std::string> more, const char* why) {
    more.insert(more.begin(), {"evaluate", "--suite", "bandit"});
    const Finished told = flyball_run(more);
    EXPECT_EQ(told.exit_code, 2);
    EXPECT_EQ(told.out, "");
    EXPECT_THAT(told.err, HasSubstr(why));
  };
  refused({"--agents", "model"}, "--agents 'model': it decides about boards");
  refused({"--agents", "sarsa"}, "--agents 'sarsa': it learns from what follows");
  refused({"--ablate"}, "--ablate: the suite 'bandit' has no use for it");
  refused({"--table", "orin_lm"}, "did you mean 'orin_llm'?");
}

}  // namespace
}  // namespace flyball::testing
