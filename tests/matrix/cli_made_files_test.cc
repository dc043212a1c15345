#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

TEST(CliMatrixFiles, AMinusIsStandardOutput) {
  const TempDir dir;
  const std::string points = dir / "points.json", page = dir / "page.html";
  std::ofstream(points) << flyball_run({"characterise", "--platform", "jetson_nano", "--json"}).out;
  const Finished written = flyball_run({"report", points, "--out", page});
  ASSERT_EQ(written.exit_code, 0) << written.err;
  const Finished printed = flyball_run({"report", points, "--out", "-"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_EQ(printed.out, read_text(page));
  const Finished figure = flyball_run(
      {"characterise", "--platform", "jetson_nano", "--figure", "energy_time", "--out", "-"});
  EXPECT_THAT(figure.out, AllOf(HasSubstr("<svg"), Not(HasSubstr("wrote"))));
  const Finished both = flyball_run({"report", points, "--out", "-", "--json"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("both would be standard output"));
  EXPECT_FALSE(std::filesystem::exists("-"));
}

TEST(CliMatrixFiles, AnInputIsDrawnOnceHoweverItIsSpelled) {
  const TempDir dir;
  const std::string points = dir / "points.json";
  std::ofstream(points) << flyball_run({"characterise", "--platform", "jetson_nano", "--json"}).out;
  const std::string once = flyball_run({"report", points, "--out", "-"}).out;
  const std::string again = dir.path().string() + "/./points.json";
  EXPECT_EQ(flyball_run({"report", points, again, points, "--out", "-"}).out, once);
}

TEST(CliMatrixFiles, ARecordingIsExportedToStandardOutputAndItsOptionIsNamed) {
  FLYBALL_STARTS_PROGRAMS();
  const TempDir dir;
  const std::string recording = dir / "run.flyrec";
  ASSERT_EQ(flyball_run({"run", "--policy", "rule", "--duration", "0.5", "--no-compare", "--plain",
                         "--record", recording})
                .exit_code,
            0);
  const std::string file = dir / "run.json";
  ASSERT_EQ(flyball_run({"record", "export", "json", recording, "--out", file}).exit_code, 0);
  EXPECT_EQ(flyball_run({"record", "export", "json", recording, "--out", "-"}).out,
            read_text(file));
  const Finished two = flyball_run({"record", "export", "csv", recording, "--out", "-"});
  EXPECT_EQ(two.exit_code, 2);
  EXPECT_THAT(two.err, StartsWith("flyball: --out -: CSV of a recording are two files"));
  EXPECT_THAT(flyball_run({"record", "export", "csv", recording, "--out", file}).err,
              StartsWith("flyball: --out "));
  EXPECT_THAT(flyball_run({"export", recording, "--csv", file}).err, StartsWith("flyball: --csv "));
}

TEST(CliMatrixFiles, ATableWhoseRowsCostTheSameHasNothingToMiss) {
  const TempDir dir;
  const std::string table = dir / "flat.csv";
  std::ofstream(table) << "mhz,energy\n100,5\n200,5\n300,5\n";
  const Finished finished =
      flyball_run({"evaluate", "--suite", "bandit", "--table", table, "--agents", "ucb", "--seeds",
                   "3", "--pulls", "10", "--noise-pct", "0.5"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, AllOf(HasSubstr("0.5 % of noise"), HasSubstr("met"),
                                  Not(HasSubstr("missed")), HasSubstr("nothing to find")));
  EXPECT_EQ(flyball_run({"evaluate", "--suite", "bandit", "--noise-pct", "51"}).exit_code, 2);
}

// Energy alone would rank whoever gives least of what is wanted first.
TEST(CliMatrixFiles, WhereAccuracyIsWantedAReportRanksByUtility) {
  const TempDir dir;
  const std::string compared = dir / "compared.json";
  const Finished finished =
      flyball_run({"compare", "--platform", "jetson_nano", "--scenario", "accuracy_in_budget",
                   "--policies", "model,powersave,schedutil", "--seeds", "2", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::ofstream(compared) << finished.out;
  const json result = json::parse(finished.out);
  EXPECT_EQ(result.at("energy_wanted"), false);
  EXPECT_EQ(result.at("ranking").at("by"), "utility_pct");
  const std::string page = flyball_run({"report", compared, "--out", "-"}).out;
  EXPECT_THAT(page, AllOf(HasSubstr("Policies by utility"), HasSubstr("gap to bound"),
                          Not(HasSubstr("needs least energy"))));
  EXPECT_EQ(count_of(page, "Policies by utility"), 1u);
}

}  // namespace
}  // namespace flyball::testing
