#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Finished compared(std::vector<std::string> more) {
  std::vector<std::string> all = {"compare",    "--platform", "jetson_nano",
                                  "--scenario", "background", "--seeds",
                                  "3",          "--policies", "performance,rule,oracle"};
  all.insert(all.end(), more.begin(), more.end());
  return flyball_run(all);
}

TEST(CliCompare, RequirementsDecideTheExitCodeAndTheResultIsThereAnyway) {
  const Finished met = compared({"--require", "rule:deadline_miss_pct<=50,accuracy_pct>=56"});
  EXPECT_EQ(met.exit_code, 0) << met.err;
  EXPECT_THAT(met.out,
              AllOf(HasSubstr("met: rule: deadline_miss_pct"),
                    HasSubstr("met: performance: accuracy_pct"), Not(HasSubstr("met: oracle"))));
  const Finished unmet = compared({"--require", "energy_mj_per_job<=1", "--json"});
  EXPECT_EQ(unmet.exit_code, 1);
  EXPECT_THAT(unmet.err, AllOf(HasSubstr("performance: energy_mj_per_job is "),
                               HasSubstr(", required <= 1; rule: ")));
  const json result = json::parse(unmet.out);
  ASSERT_EQ(result.at("requirements").size(), 2u);
  EXPECT_EQ(result.at("requirements")[1].at("met"), false);
  // A figure that there is not meets nothing.
  const Finished absent = compared({"--require", "rule:time_in_interval_pct<=100"});
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("rule: time_in_interval_pct has no figure"));
}

TEST(CliCompare, RequirementsAreCheckedBeforeAnythingRuns) {
  const auto refused = [](const std::string& text, const std::string& why) {
    const Finished finished = compared({"--require", text});
    EXPECT_EQ(finished.exit_code, 2) << text;
    EXPECT_EQ(finished.out, "") << text;
    EXPECT_THAT(finished.err, HasSubstr(why)) << text;
  };
  refused("deadline_mis_pct<=1", "did you mean 'deadline_miss_pct'?");
  refused("deadline_miss_pct<1", "has neither '<=' nor '>='");
  refused("deadline_miss_pct<=many", "'many' is no number");
  refused("deadline_miss_pct<=nan", "'nan' is no number");
  refused("deadline_miss_pct<=1,", "has a comma too many");
  refused("schedutil:deadline_miss_pct<=1", "'schedutil' is not among the policies compared");
  EXPECT_THAT(compared({"--against", "model"}).err,
              HasSubstr("--against model: it is not among the policies compared"));
}

TEST(CliCompare, TheTableHasTheColumnsThatAreAskedFor) {
  const Finished table = compared({"--columns", "accuracy_pct,energy_mj_per_job", "--markdown"});
  ASSERT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("| policy | accuracy, % top-1 | energy, mJ/job |\n"));
  const Finished refused = compared({"--columns", "accuracy"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--columns: there is no metric 'accuracy'"));
}

TEST(CliCompare, DifferencesAreSeedBySeed) {
  const Finished finished = compared({"--against", "rule", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json result = json::parse(finished.out);
  const json& differences = result.at("differences");
  EXPECT_EQ(differences.at("against"), "rule");
  ASSERT_EQ(differences.at("policies").size(), 2u);
  const auto mean = [&](int row) -> double {
    return result.at("policies")[row].at("energy_mj_per_job").at("mean");
  };
  const json& energy = differences.at("policies")[0].at("energy_mj_per_job");
  EXPECT_EQ(differences.at("policies")[0].at("policy"), "performance");
  EXPECT_NEAR(energy.at("mean"), mean(0) - mean(1), 1e-9);
  EXPECT_EQ(energy.at("below"), 0.0);
  EXPECT_LT(0.0, energy.at("ci95")[0]);
  // Three seeds have no worst tenth.
  const json& missed = result.at("policies")[1].at("deadline_miss_pct");
  EXPECT_LE(missed.at("mean"), missed.at("worst"));
  EXPECT_TRUE(missed.at("cvar10").is_null());
  EXPECT_THAT(result.at("no_cvar10_reason").get<std::string>(), HasSubstr("fewer than 10 seeds"));
}

TEST(CliCompare, ARequirementMayHaveBlanksAndACommaTooManyIsNamed) {
  EXPECT_EQ(compared({"--require", " rule : accuracy_pct >= 1 , accuracy_pct >= 1"}).exit_code, 0);
  const Finished comma = compared({"--require", "accuracy_pct>=1,"});
  EXPECT_EQ(comma.exit_code, 2);
  EXPECT_THAT(comma.err, HasSubstr("--require 'accuracy_pct>=1,': has a comma too many"));
}

TEST(CliCompare, OfTwoSeedsItSaysWhatTheIntervalsAreWorth) {
  const std::vector<std::string> two = {"compare",          "--platform",      "jetson_nano",
                                        "--scenario",       "single_periodic", "--policies",
                                        "performance,rule", "--seeds",         "2"};
  EXPECT_THAT(flyball_run(two).out, HasSubstr("two seeds say next to nothing of others"));
}

TEST(CliCompare, WithoutAJobThereIsNoFigureAndNobodyIsLate) {
  const TempDir dir;
  std::ofstream(dir / "noj.yaml")
      << "schema: 1\nname: nojobs\ndescription: nothing comes\nduration_s: 2\n"
         "apps:\n  - {name: camera, profile: dynamic_cnn, arrival: {kind: "
         "periodic, period_x: 2}, start_s: 1.99999, deadline_x: 2}\n";
  std::vector<std::string> words = {"compare",          "--platform",     "odroid_xu3",
                                    "--scenario",       dir / "noj.yaml", "--policies",
                                    "performance,rule", "--seeds",        "3"};
  const Finished table = flyball_run(words);
  ASSERT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("No lower bound: the best schedule found meets no job"),
                               Not(HasSubstr("performance !")), Not(HasSubstr("rule !"))));
  words.push_back("--json");
  const json result = json::parse(flyball_run(words).out);
  EXPECT_TRUE(result.at("bounds").at("width_pct").at("mean").is_null());
  EXPECT_TRUE(result.at("bounds").at("no_bound_reason").is_string());
  for (const json& rank : result.at("ranking").at("policies"))
    EXPECT_TRUE(rank.at("mark").is_null());
  // Nor does a report have a plot of nothing.
  std::ofstream(dir / "noj.json") << result.dump();
  const Finished page = flyball_run({"report", dir / "noj.json", "--out", dir / "r.html"});
  ASSERT_EQ(page.exit_code, 0) << page.err;
  EXPECT_THAT(read_text(dir / "r.html"), HasSubstr("No job says anything of deadlines"));
  const Finished figure = flyball_run(
      {"report", dir / "noj.json", "--figure", "energy_misses", "--out", dir / "f.svg"});
  EXPECT_EQ(figure.exit_code, 2);
  EXPECT_THAT(figure.err, HasSubstr("--figure energy_misses: there is none of that name"));
}

TEST(CliCompare, IsWrittenAsCsvAndAsMarkdown) {
  const Finished csv = compared({"--csv"});
  EXPECT_EQ(csv.exit_code, 0) << csv.err;
  EXPECT_EQ(std::ranges::count(csv.out, '\n'), 1 + 3 * 3);
  EXPECT_THAT(csv.out, AllOf(HasSubstr("platform,scenario,policy,seed,energy_mj_per_job,"),
                             HasSubstr("jetson_nano,background,rule,3,"), Not(HasSubstr(",nan"))));
  const Finished markdown = compared({"--markdown"});
  EXPECT_EQ(markdown.exit_code, 0) << markdown.err;
  EXPECT_THAT(markdown.out, AllOf(HasSubstr("| policy | energy, mJ/job |"), HasSubstr("|-|-:|")));
  EXPECT_EQ(compared({"--csv", "--json"}).exit_code, 2);
}

TEST(CliCompare, ExplainsAMetricWithoutRunningAnything) {
  const Finished told = flyball_run({"compare", "--explain", "energy_gap_pct"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("energy_gap_to_best_found_pct"), HasSubstr("% energy"),
                              HasSubstr("fewest")));
  EXPECT_EQ(flyball_run({"compare", "--explain", "speed"}).exit_code, 2);
  for (const char* made : {"ci95", "cvar10", "worst", "iqm", "improvement", "effect_size", "p",
                           "p_holm", "optimality_gap_pct", "performance_profiles"})
    EXPECT_THAT(flyball_run({"compare", "--explain", made}).out, HasSubstr("formula")) << made;
  EXPECT_THAT(flyball_run({"compare", "--explain", "p_holm"}).out,
              HasSubstr("not corrected for the metrics"));
}

}  // namespace
}  // namespace flyball::testing
