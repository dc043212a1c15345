#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class CliTrainCurve : public ::testing::Test {
 protected:
  Finished train(std::vector<std::string> more) const {
    std::vector<std::string> all = {"train", "--scenario", "single_periodic", "--episodes", "16"};
    all.insert(all.end(), more.begin(), more.end());
    return flyball_run(all);
  }
  TempDir dir_;
};

TEST_F(CliTrainCurve, IsWrittenAsATableAndAsAPicture) {
  const Finished first = train({"--platform", "odroid_xu3", "--out", dir_ / "a.policy", "--lanes",
                                "3", "--curve", dir_ / "curve.csv", "--json"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const json result = json::parse(first.out);
  EXPECT_EQ(result.at("lanes"), 3);
  const json& tried = result.at("validation").at("checkpoints");
  ASSERT_EQ(tried.size(), 1u + 2 * 3) << "what it began with, and two rounds of three learners";
  std::istringstream lines(read_text(dir_ / "curve.csv"));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "lane,episodes,reward,energy_mj_per_job,deadline_miss_pct,kept");
  int kept = 0;
  std::size_t rows = 0;
  for (; std::getline(lines, line); ++rows) {
    EXPECT_THAT(line, HasSubstr("," + std::to_string(tried[rows].at("episodes").get<int>()) + ","));
    kept += line.ends_with(",1");
    EXPECT_EQ(line.ends_with(",1"), rows == result.at("validation").at("kept"));
  }
  EXPECT_EQ(rows, tried.size());
  EXPECT_EQ(kept, 1);

  const Finished second = train({"--platform", "odroid_xu3", "--out", dir_ / "b.policy", "--lanes",
                                 "3", "--curve", dir_ / "curve.svg"});
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(read_text(dir_ / "a.policy"), read_text(dir_ / "b.policy"));
  const std::string picture = read_text(dir_ / "curve.svg");
  for (const char* name : {"learner 1", "learner 2", "learner 3", "kept"})
    EXPECT_THAT(picture, HasSubstr(name));
  EXPECT_TRUE(second.out.find("Kept is what learner") != std::string::npos ||
              second.out.find("nothing that was learned did better") != std::string::npos)
      << second.out;
}

TEST_F(CliTrainCurve, TheCurveIsAPictureInPngWhereThatCanBeMade) {
  const Finished finished = train({"--platform", "odroid_xu3", "--out", dir_ / "c.policy",
                                   "--lanes", "1", "--curve", dir_ / "curve.png"});
  if (finished.exit_code == 2 && finished.err.find("librsvg") != std::string::npos)
    GTEST_SKIP() << finished.err;
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(read_text(dir_ / "curve.png"), ::testing::StartsWith("\x89PNG\r\n"));
}

TEST_F(CliTrainCurve, SeveralPlatformsHaveAPolicyEach) {
  const Finished finished = train({"--platform", "odroid_xu3,jetson_nano", "--agent", "linucb",
                                   "--out", dir_ / "policies/", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json policies = json::parse(finished.out).at("policies");
  ASSERT_EQ(policies.size(), 2u);
  for (const json& policy : policies) {
    const std::string platform = policy.at("platform");
    const std::string file = dir_ / ("policies/" + platform + ".linucb.policy");
    EXPECT_EQ(policy.at("out"), file);
    const Finished used =
        flyball_run({"compare", "--platform", platform, "--scenario", "single_periodic", "--seeds",
                     "1", "--policies", "linucb", "--policy-file", "linucb=" + file, "--json"});
    EXPECT_EQ(used.exit_code, 0) << used.err;
  }
}

TEST_F(CliTrainCurve, WhatCannotBeIsRefusedBeforeAnyWork) {
  const auto refused = [&](std::vector<std::string> more, const std::string& why) {
    const Finished finished = train(std::move(more));
    EXPECT_EQ(finished.exit_code, 2);
    EXPECT_THAT(finished.err, HasSubstr(why));
    EXPECT_EQ(finished.out, "");
  };
  const std::string out = dir_ / "x.policy";
  refused({"--platform", "odroid_xu3", "--out", out, "--curve", dir_ / "x.pdf"},
          "end its name in .csv, .svg or .png");
  refused({"--platform", "odroid_xu3,jetson_nano", "--out", out}, "give a folder, with '/'");
  refused({"--platform", "odroid_xu3,jetson_nano", "--out", dir_ / "p/", "--from", out},
          "is of one platform");
  refused({"--platform", "odroid_xu3", "--out", out, "--lanes", "0"}, "--lanes");
  refused({"--platform", "odroid_xu3", "--out", out, "--randomise", "-1"}, "--randomise");
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "p"));
}

}  // namespace
}  // namespace flyball::testing
