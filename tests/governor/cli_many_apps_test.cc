// As many applications as there are slots come and go in one run, by the real program.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "env/spaces/limits.h"
#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr double kPeriodS = 1.5;

/// The i-th comes at i / 10 s and stays four seconds, in which three jobs are released.
std::string crowd(const TempDir& dir, int apps) {
  std::string text =
      "schema: 1\nname: crowd\ndescription: they come and go\nduration_s: 12\napps:\n";
  for (int i = 0; i < apps; ++i)
    text += fmt::format(
        "  - {{name: a{}, profile: dynamic_cnn, arrival: {{kind: periodic, period_ms: {}}}, "
        "deadline_ms: 1400, start_s: {}, stop_s: {}}}\n",
        i, 1000 * kPeriodS, 0.1 * i, 0.1 * i + 4);
  const std::string path = dir / fmt::format("crowd{}.yaml", apps);
  std::ofstream(path) << text;
  return path;
}

Finished run(const std::string& scenario, const std::string& record) {
  return flyball_run({"run", "--platform", "odroid_xu3", "--scenario", scenario, "--policy",
                      "q_learning", "--no-learn", "--record", record, "--json"});
}

TEST(CliManyApps, AllSlotsComeAndGoAndTheRecordHasThemAll) {
  const OwnConfigs configs;
  const TempDir dir;
  const std::string record = dir / "crowd.flyrec";
  const Finished ran = run(crowd(dir, kMaxApps), record);
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const Finished shown = flyball_run({"record", "show", record, "--json"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  const json summary = json::parse(shown.out);
  EXPECT_EQ(summary.at("complete"), true);
  EXPECT_EQ(summary.at("problem"), nullptr);
  EXPECT_EQ(summary.at("applications").size(), static_cast<std::size_t>(kMaxApps));
  EXPECT_DOUBLE_EQ(summary.at("duration_s"), 12);
  // Released at 0, 1.5 and 3 s of its four, and all but what is dropped ends within the run.
  EXPECT_EQ(summary.at("finished").get<int>() + summary.at("dropped").get<int>(), 3 * kMaxApps);
  const std::string csv = dir / "csv";
  const Finished exported = flyball_run({"export", record, "--csv", csv});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  std::ifstream jobs(csv + "/jobs.csv");
  std::string line;
  std::getline(jobs, line);
  std::map<std::string, int> of_app;
  const auto column = [&](int n) {
    std::size_t at = 0;
    while (n-- > 0) at = line.find(',', at) + 1;
    return line.substr(at, line.find(',', at) - at);
  };
  int app = 0;
  while (column(app) != "app" && app < 30) ++app;
  while (std::getline(jobs, line)) ++of_app[column(app)];
  EXPECT_EQ(of_app.size(), static_cast<std::size_t>(kMaxApps));
  for (const auto& [name, count] : of_app) EXPECT_EQ(count, 3) << name;
}

TEST(CliManyApps, OneMoreThanThereAreSlotsIsRefusedWithItsLine) {
  const OwnConfigs configs;
  const TempDir dir;
  const std::string record = dir / "crowd.flyrec", scenario = crowd(dir, kMaxApps + 1);
  const Finished ran = run(scenario, record);
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr(scenario + ":5: key 'apps': too many applications are listed; list 1 to 64"));
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1);
  EXPECT_FALSE(std::filesystem::exists(record));
}

}  // namespace
}  // namespace flyball::testing
