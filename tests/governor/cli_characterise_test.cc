// The best point for a budget, and the front that it lies on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

json characterise(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"characterise", "--platform", "odroid_xu3", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Finished finished = flyball_run(arguments);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out);
}

bool meets(const json& row, double time_ms, double energy_mj) {
  return row.at("time_ms") <= time_ms && row.at("energy_mj") <= energy_mj;
}

TEST(CliBestPoint, IsTheMostAccurateThatMeetsTheBudget) {
  const json table = characterise({"--time-ms", "200", "--energy-mj", "150"});
  EXPECT_EQ(table.at("budget"), json({{"time_ms", 200}, {"energy_mj", 150}}));
  const json& best = table.at("best");
  ASSERT_TRUE(best.is_object());
  EXPECT_FALSE(table.contains("nearest"));
  EXPECT_TRUE(meets(best, 200, 150));
  EXPECT_TRUE(best.at("pareto"));
  int met = 0;
  for (const json& row : table.at("rows")) {
    if (!meets(row, 200, 150)) continue;
    ++met;
    EXPECT_LE(row.at("accuracy_pct"), best.at("accuracy_pct"));
    if (row.at("accuracy_pct") == best.at("accuracy_pct")) {
      EXPECT_GE(row.at("energy_mj"), best.at("energy_mj"));
    }
  }
  EXPECT_GT(met, 10);
  const std::string text = flyball_run({"characterise", "--platform", "odroid_xu3", "--time-ms",
                                        "200", "--energy-mj", "150"})
                               .out;
  EXPECT_THAT(text,
              AllOf(HasSubstr("Best of dynamic_cnn within 200 ms, 150 mJ: "), HasSubstr(" MHz, ")));
}

TEST(CliBestPoint, SaysWhenThereIsNoneAndNamesTheNearest) {
  const json table = characterise({"--time-ms", "40", "--energy-mj", "20", "--accuracy-pct", "71"});
  EXPECT_TRUE(table.at("best").is_null());
  const auto excess = [](const json& row) {
    return std::max({row.at("time_ms").get<double>() / 40, row.at("energy_mj").get<double>() / 20,
                     71 / row.at("accuracy_pct").get<double>()});
  };
  for (const json& row : table.at("rows")) EXPECT_GE(excess(row), excess(table.at("nearest")));
  EXPECT_GT(excess(table.at("nearest")), 1);
  const std::string text = flyball_run({"characterise", "--platform", "odroid_xu3", "--time-ms",
                                        "1", "--energy-mj", "1"})
                               .out;
  EXPECT_THAT(text,
              AllOf(HasSubstr("Nothing that dynamic_cnn can do meets 1 ms, 1 mJ; nearest: A")));
}

TEST(CliBestPoint, TheFrontIsWhatNothingBeats) {
  const json all = characterise({}), front = characterise({"--pareto"});
  const auto beats = [](const json& a, const json& b) {
    return a.at("time_ms") <= b.at("time_ms") && a.at("energy_mj") <= b.at("energy_mj") &&
           a.at("accuracy_pct") >= b.at("accuracy_pct") &&
           (a.at("time_ms") < b.at("time_ms") || a.at("energy_mj") < b.at("energy_mj") ||
            a.at("accuracy_pct") > b.at("accuracy_pct"));
  };
  std::size_t on_front = 0;
  for (const json& row : all.at("rows")) {
    bool beaten = false;
    for (const json& other : front.at("rows")) beaten |= beats(other, row);
    EXPECT_EQ(row.at("pareto"), !beaten);
    if (!beaten) ++on_front;
  }
  EXPECT_EQ(front.at("rows").size(), on_front);
  EXPECT_GT(on_front, 5u);
  EXPECT_LT(on_front, all.at("rows").size() / 2);
}

TEST(CliBestPoint, OfAPlainLoadOrANumberThatIsNoneIsRefused) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--app", "busy", "--time-ms", "5"}, "is a plain load"},
      {{"--app", "busy", "--pareto"}, "is a plain load"},
      {{"--time-ms", "0"}, "is not a number above 0"},
      {{"--time-ms", "nan"}, "is not a number above 0"},
      {{"--energy-mj", "1x"}, "is not a number above 0"},
      {{"--accuracy-pct", "101"}, "up to 100"},
  };
  for (const auto& [more, part] : cases) {
    std::vector<std::string> arguments = {"characterise", "--platform", "odroid_xu3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished finished = flyball_run(arguments);
    EXPECT_EQ(finished.exit_code, 2);
    EXPECT_EQ(finished.out, "");
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1);
    EXPECT_THAT(finished.err, HasSubstr(part));
  }
}

TEST(CliBestPoint, NamesTheApplicationsThereAre) {
  EXPECT_EQ(characterise({}).at("apps"),
            json({"dynamic_cnn", "mobilenet_v1", "whetstone", "busy"}));
  EXPECT_THAT(flyball_run({"characterise", "--platform", "odroid_xu3", "--pareto"}).out,
              HasSubstr("--app takes one of dynamic_cnn, mobilenet_v1, whetstone, busy."));
}

}  // namespace
}  // namespace flyball::testing
