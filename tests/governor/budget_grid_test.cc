// Budgets of time and energy on the boards that ship: what is feasible, and who meets it.

#include "governor/compare/budget_grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "env/model/model.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const PlatformSpec& xu3() {
  static const PlatformSpec spec = load_platform("odroid_xu3");
  return spec;
}

BudgetOptions small(std::vector<std::string> agents) {
  BudgetOptions options;
  options.agents = std::move(agents);
  options.jobs = 80;
  return options;
}

// Feasible settings with a bound moved to either side of what the best of them takes.
TEST(BudgetGrid, TheBestFixedSettingIsTheBest) {
  const BudgetOptions options = small({});
  const auto loose = best_fixed(xu3(), {1000, 300}, options);
  ASSERT_TRUE(loose);
  EXPECT_DOUBLE_EQ(loose->accuracy_pct, 71.2);
  EXPECT_FALSE(best_fixed(xu3(), {1000, 15}, options));
  EXPECT_FALSE(best_fixed(xu3(), {5, 300}, options));
  double before = 0;
  for (const double energy_mj : {30, 50, 75, 100}) {
    const auto best = best_fixed(xu3(), {100, energy_mj}, options);
    ASSERT_TRUE(best) << energy_mj;
    EXPECT_GE(best->accuracy_pct, before);
    before = best->accuracy_pct;
  }
  EXPECT_GT(before, best_fixed(xu3(), {100, 30}, options)->accuracy_pct);
  const AppProfile& app = xu3().apps[0];
  const auto best = best_fixed(xu3(), {100, 50}, options);
  EXPECT_LE(execution_ns(xu3(), app, xu3().mappings[best->action.app[0].mapping],
                         best->action.app[0].level, best->action.opp),
            100e6);
}

// The small edition of the gate: of all pairs of the grid those that are hard on the XU3.
TEST(BudgetGrid, AllFeasiblePairsAreMetAtNoRegret) {
  BudgetOptions options = small({"model", "planner", "q_learning"});
  options.platforms = {xu3(), load_platform("jetson_nano")};
  options.pairs = {{50, 50},  {50, 150}, {75, 75},  {100, 100},
                   {150, 30}, {200, 75}, {1000, 50}};
  const std::vector<BudgetRow> rows = run_budget_grid(options);
  EXPECT_EQ(rows.size(), 2u * 7 * 3);
  const std::vector<BudgetVerdict> verdicts = budget_verdicts(rows);
  ASSERT_EQ(verdicts.size(), 6u);
  for (const BudgetVerdict& verdict : verdicts) {
    EXPECT_GE(verdict.feasible, 5) << verdict.platform;
    EXPECT_TRUE(verdict.holds()) << verdict.agent << " on " << verdict.platform << ": "
                                 << verdict.within << " of " << verdict.feasible << ", "
                                 << verdict.worst.deadline_ms << " ms, " << verdict.worst.energy_mj
                                 << " mJ";
  }
}

// One that reads no budget is within them by luck.
TEST(BudgetGrid, WhoReadsNoBudgetMissesIt) {
  BudgetOptions options = small({"performance"});
  options.platforms = {xu3()};
  options.pairs = {{150, 30}, {200, 75}, {1000, 300}};
  const BudgetVerdict verdict = budget_verdicts(run_budget_grid(options)).at(0);
  EXPECT_EQ(verdict.feasible, 3);
  EXPECT_FALSE(verdict.holds());
  EXPECT_LT(verdict.met, 3);
}

BudgetRow row(double deadline_ms, bool feasible, double best, double accuracy, double over) {
  BudgetRow one;
  one.agent = "a";
  one.platform = "p";
  one.pair = {deadline_ms, 50};
  one.feasible = feasible;
  one.best_accuracy_pct = best;
  one.accuracy_pct = accuracy;
  one.over_budget_pct = over;
  one.complete = true;
  return one;
}

TEST(BudgetGrid, VerdictsByHand) {
  const std::vector<BudgetRow> rows = {
      row(1, true, 70, 70, 0),    // met
      row(2, true, 70, 69, 0),    // met, and too much is lost
      row(3, true, 70, 69.6, 1),  // met
      row(4, true, 60, 70, 40),   // not met: the accuracy is not had
      row(5, false, 0, 56, 100)};
  const BudgetVerdict four = budget_verdicts(rows).at(0);
  EXPECT_EQ(four.pairs, 5);
  EXPECT_EQ(four.feasible, 4);
  EXPECT_EQ(four.met, 3);
  EXPECT_EQ(four.within, 2);
  EXPECT_EQ(four.worst.deadline_ms, 4);
  EXPECT_NEAR(four.worst_regret_points, 1, 1e-9);
  EXPECT_FALSE(four.holds());
  const BudgetVerdict three = budget_verdicts({rows[0], rows[1], rows[2]}).at(0);
  EXPECT_EQ(three.worst.deadline_ms, 2);
  EXPECT_NEAR(three.mean_regret_points, 1.4 / 3, 1e-9);
  EXPECT_TRUE(budget_verdicts({rows[0], rows[2]}).at(0).holds());
}

TEST(CliEvaluateBudgets, PrintsItsRowsAsJsonAndItsVerdictsAsText) {
  const std::vector<std::string> command = {"evaluate", "--suite",    "budgets",     "--agents",
                                            "rule",     "--platform", "jetson_nano", "--quick"};
  const auto text = flyball_run(command);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("24 pairs"));
  auto as_json = command;
  as_json.push_back("--json");
  const json all = json::parse(flyball_run(as_json).out);
  EXPECT_EQ(all.at("schema"), 1);
  EXPECT_EQ(all.at("suite"), "budgets");
  ASSERT_EQ(all.at("rows").size(), 24u);
  for (const json& one : all.at("rows")) {
    EXPECT_EQ(one.at("agent"), "rule");
    EXPECT_EQ(one.contains("accuracy_regret_points"), one.at("feasible").get<bool>());
    EXPECT_TRUE(one.at("met").is_boolean() && one.at("deadline_miss_pct").is_number());
  }
}

TEST(CliEvaluateBudgets, RefusesWhatTheSuiteHasNot) {
  for (const char* option : {"--boards", "--scenario"}) {
    const auto refused = flyball_run({"evaluate", "--suite", "budgets", option, "2"});
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_THAT(refused.err, HasSubstr(option));
  }
}

}  // namespace
}  // namespace flyball::testing
