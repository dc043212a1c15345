// The best fixed configuration for real jobs, on a machine that nobody has profiled.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/governor/own_configs.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
}

// The file takes three quarters of the network for quick and the rest for slow, which is wrong: its
// times would lead to where every job misses.
TEST(CliStaticBest, WithoutAProfileTimesAreMeasuredBeforeItIsSearched) {
  const OwnConfigs configs;
  std::string board = read_text(configs.config("platforms/host.yaml"));
  for (const char* narrow : {"0.21", "0.25", "0.42", "0.5"})
    replace(board, std::string("time_factor: ") + narrow + ",", "time_factor: 1,");
  for (const char* quick : {"0.63", "0.75"})
    replace(board, std::string("time_factor: ") + quick + ",", "time_factor: 0.05,");
  std::ofstream(configs.config("platforms/host.yaml")) << board;
  std::ofstream(configs / "half.yaml")
      << "schema: 1\nname: half\nduration_s: 2\n"
         "apps:\n  - {name: camera, profile: dynamic_cnn, deadline_x: 0.5,\n"
         "     arrival: {kind: periodic, period_x: 2}}\n";
  const Finished finished =
      flyball_run({"run", "--policy", "static_best", "--scenario", configs / "half.yaml",
                   "--duration", "1", "--no-compare", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json policy = json::parse(finished.out).at("policies")[0];
  EXPECT_THAT(policy.at("notes").dump(), HasSubstr("times measured in the second before the run"));
  const json& used = policy.at("settings")[0];
  EXPECT_LT(used.at("width_pct"), 75) << used;
}

}  // namespace
}  // namespace flyball::testing
