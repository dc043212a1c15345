// `flyball run --platform linux --scenario`: real jobs in the real pool on a tree of files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::vector<std::string> words(const LinuxTree& tree, const std::vector<std::string>& more) {
  std::filesystem::create_directories(tree.path("/run"));
  std::vector<std::string> all = {"run",        "--platform",  "linux",
                                  "--scenario", "live",        "--sysfs-root",
                                  tree.root(),  "--state-dir", tree.path("/run/flyball")};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string settings_of(const LinuxTree& tree) {
  std::string all;
  for (const int policy : {0, 4}) {
    for (const char* file : {"scaling_governor", "scaling_min_freq", "scaling_max_freq"})
      all += tree.line(LinuxTree::policy(policy) + file) + "\n";
  }
  return all;
}

Finished governed(const LinuxTree& tree, const std::string& learned, const std::string& record) {
  return flyball_run(words(tree, {"--policy", "q_learning", "--duration", "0.7", "--json",
                                  "--learn-to", learned, "--record", record}));
}

TEST(CliRunJobs, GovernsJobsOfItsOwnAndGivesBack) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  tree.make_xu3();
  const std::string before = settings_of(tree);
  const PlayedLoad load(tree, 0.3);
  const std::string learned = tree.path("/learned.policy"), record = tree.path("/run.flyrec");
  const Finished told = governed(tree, learned, record);
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.err, HasSubstr("real inference in the pool, governed by q_learning"));
  const json result = json::parse(told.out);
  const json& jobs = result.at("jobs");
  EXPECT_EQ(jobs.at("scenario"), "live");
  EXPECT_GT(jobs.at("jobs"), 0);
  EXPECT_GT(jobs.at("energy_mj_per_job"), 0);
  EXPECT_GT(jobs.at("latency_p50_ms"), 0);
  EXPECT_GT(result.at("clusters")[0].at("writes").get<int>() +
                result.at("clusters")[1].at("writes").get<int>(),
            0);
  EXPECT_EQ(settings_of(tree), before);
  EXPECT_TRUE(std::filesystem::exists(learned));
  const Finished shown = flyball_run({"record", "show", record, "--json"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  // What was learned is a start for the next run, here.
  const Finished again = flyball_run(
      words(tree, {"--policy", "q_learning", "--policy-file", learned, "--no-learn", "--check"}));
  EXPECT_EQ(again.exit_code, 0) << again.err;
}

// A disk that is slow, or full, must not keep the machine from its user.
TEST(CliRunJobs, FilesAreClosedOnceTheMachineIsGivenBack) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  tree.make_xu3();
  const PlayedLoad load(tree, 0.3);
  const std::string learned = tree.path("/learned.policy"), record = tree.path("/run.flyrec");
  const Finished told = governed(tree, learned, record);
  ASSERT_EQ(told.exit_code, 0) << told.err;
  std::filesystem::file_time_type given_back = std::filesystem::file_time_type::min();
  for (const int policy : {0, 4}) {
    for (const char* file : {"scaling_governor", "scaling_min_freq", "scaling_max_freq"})
      given_back =
          std::max(given_back,
                   std::filesystem::last_write_time(tree.path(LinuxTree::policy(policy) + file)));
  }
  EXPECT_GE(std::filesystem::last_write_time(record), given_back);
  EXPECT_GE(std::filesystem::last_write_time(learned), given_back);
}

TEST(CliRunJobs, ABatteryThatHasToLastIsTheMachinesOwnOrIsSaidNotToBePlayed) {
  const LinuxTree tree;
  tree.make_xu3();
  const std::string file = tree.path("/lasts.yaml");
  std::ofstream(file) << "schema: 1\nname: lasts\ndescription: a battery\nduration_s: 10\n"
                         "battery: {capacity_mj: 600000, charge_pct: 60, last_until_s: 9}\n"
                         "apps:\n  - {name: camera, profile: dynamic_cnn, deadline_x: 2,\n"
                         "     arrival: {kind: periodic, period_x: 2}}\n";
  const auto told = [&] {
    return flyball_run({"run", "--platform", "linux", "--sysfs-root", tree.root(), "--state-dir",
                        tree.path("/run/flyball"), "--scenario", file, "--policy", "q_learning",
                        "--dry-run", "--duration", "0.5", "--no-learn", "--json"});
  };
  Finished none = told();
  ASSERT_EQ(none.exit_code, 0) << none.err;
  std::replace(none.err.begin(), none.err.end(), '\n', ' ');
  EXPECT_THAT(none.err, HasSubstr("is not played: this machine has none of its own, so nothing"));
  EXPECT_THAT(json::parse(none.out).at("jobs").at("notes").dump(), HasSubstr("is not played"));
  const std::string battery = "/sys/class/power_supply/BAT0/";
  tree.write(battery + "type", "Battery\n");
  tree.write(battery + "status", "Discharging\n");
  tree.write(battery + "capacity", "40\n");
  EXPECT_THAT(told().err, HasSubstr("percentage only"));
  tree.write(battery + "energy_now", "30000000\n");
  tree.write(battery + "energy_full", "60000000\n");
  const Finished own = told();
  ASSERT_EQ(own.exit_code, 0) << own.err;
  EXPECT_THAT(own.err, HasSubstr("This machine's own battery (BAT0) has to last"));
}

TEST(CliRunJobs, RefusesWhatHasNoJobs) {
  const LinuxTree tree;
  tree.make_xu3();
  const auto refused = [&](const std::vector<std::string>& more, const std::string& with) {
    const Finished told = flyball_run(words(tree, more));
    EXPECT_EQ(told.exit_code, 2) << with;
    EXPECT_THAT(told.err, HasSubstr(with));
    EXPECT_EQ(std::count(told.err.begin(), told.err.end(), '\n'), 1);
  };
  refused({"--policy", "oracle"}, "a simulation can tell");
  refused({"--policy", "rule", "--learn-to", "x.policy"}, "does not learn");
  refused({"--compare-with", "rule"}, "--compare-with: has no meaning");
  refused({"--policy", "nobody"}, "nobody");
  const Finished video = flyball_run(
      {"run", "--platform", "linux", "--scenario", "video", "--sysfs-root", tree.root()});
  EXPECT_EQ(video.exit_code, 2);
  const Finished none =
      flyball_run({"run", "--platform", "linux", "--no-learn", "--sysfs-root", tree.root()});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("add '--scenario NAME'"));
}

}  // namespace
}  // namespace flyball::testing
