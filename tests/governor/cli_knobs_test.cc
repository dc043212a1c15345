// An application with three quality knobs of its own, through every verb that meets it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/governor/own_configs.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

json parsed(const Finished& finished) {
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out, nullptr, /*allow_exceptions=*/false);
}

/// A stream that is content with 60 %. Of the 32 levels of mobilenet_v1 the quickest that reaches it
/// is 50 % wide, 192 px, int8, at 60.4 %.
std::string stream(const OwnConfigs& configs) {
  const std::string path = configs / "stream.yaml";
  std::ofstream(path) << "schema: 1\nname: stream\nduration_s: 20\napps:\n"
                         "  - {name: camera, profile: mobilenet_v1, deadline_x: 1.5,\n"
                         "     arrival: {kind: periodic, period_x: 2}, accuracy_floor_pct: 60}\n";
  return path;
}

TEST(CliKnobs, EveryPolicyMeetsThemAndTheCheapestLevelThatReachesTheFloorIsChosen) {
  const OwnConfigs configs;
  const json result = parsed(flyball_run(
      {"compare", "--platform", "odroid_xu3", "--scenario", stream(configs), "--policies",
       "performance,schedutil,prime,mean20,rule,q_learning,static_best,oracle", "--seeds", "1",
       "--json"}));
  std::map<std::string, double> accuracy_pct, energy_mj;
  for (const json& row : result.at("policies")) {
    const std::string policy = row.at("policy");
    accuracy_pct[policy] = row.at("accuracy_pct").at("mean");
    energy_mj[policy] = row.at("energy_mj_per_job").at("mean");
  }
  // The first job runs as it is found, before anybody decides: whole, at 70.9 %.
  for (const char* policy : {"rule", "q_learning", "static_best", "oracle"}) {
    EXPECT_GE(accuracy_pct.at(policy), 60.4) << policy;
    EXPECT_LT(accuracy_pct.at(policy), 61) << policy;
    EXPECT_LT(energy_mj.at(policy), 0.5 * energy_mj.at("performance")) << policy;
  }
  for (const char* policy : {"performance", "schedutil", "prime"}) {
    EXPECT_NEAR(accuracy_pct.at(policy), 70.9, 1e-4) << policy << " leaves it whole";
  }
  EXPECT_GE(accuracy_pct.at("mean20"), 63.3) << "the least width, at 224 px in fp32";
}

TEST(CliKnobs, TrainLearnsAndWhatIsLearnedIsOfTheseKnobs) {
  const OwnConfigs configs;
  const std::string scenario = stream(configs), policy = configs / "p.policy";
  const auto train = [&](const std::string& out) {
    return flyball_run({"train", "--platform", "odroid_xu3", "--scenario", scenario, "--agent",
                        "q_learning", "--episodes", "1", "--out", out});
  };
  EXPECT_EQ(train(policy).exit_code, 0);
  const auto compare = [&] {
    return flyball_run({"compare", "--platform", "odroid_xu3", "--scenario", scenario, "--policies",
                        "q_learning", "--policy-file", "q_learning=" + policy, "--seeds", "1"});
  };
  EXPECT_EQ(compare().exit_code, 0);
  // A value of a knob that is called otherwise makes it another application.
  const std::string platform = configs.config("platforms/odroid_xu3.yaml");
  std::string text = read_text(platform);
  for (const std::string value : {"values: [128", "resolution: 128"}) {
    for (std::size_t at = 0; (at = text.find(value, at)) != std::string::npos; ++at) {
      text.replace(at + value.size() - 3, 3, "127");
    }
  }
  std::ofstream(platform) << text;
  const Finished other = compare();
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("'mobilenet_v1' had other costs or levels"));
}

TEST(CliKnobs, CharacteriseHasAColumnForEach) {
  const OwnConfigs configs;
  const std::vector<std::string> verb = {"characterise", "--platform", "odroid_xu3", "--app",
                                         "mobilenet_v1"};
  std::vector<std::string> with_json = verb;
  with_json.push_back("--json");
  const json rows = parsed(flyball_run(with_json)).at("rows");
  ASSERT_EQ(rows.size(), (19u + 13u) * 4 * 32);
  EXPECT_EQ(rows[0].at("width_pct"), 25);
  EXPECT_EQ(rows[0].at("resolution_px"), 128);
  EXPECT_EQ(rows[0].at("precision"), "int8");
  EXPECT_EQ(rows[31].at("resolution_px"), 224);
  EXPECT_EQ(rows[31].at("accuracy_pct"), 70.9);
  std::string text = flyball_run(verb).out;
  EXPECT_THAT(text, AllOf(HasSubstr("resolution"), HasSubstr("precision")));
  std::replace(text.begin(), text.end(), '\n', ' ');  // it is wrapped
  EXPECT_THAT(text, HasSubstr("70.9 % at width 100 %, resolution 224 px, precision fp32"));
}

TEST(CliKnobs, RunRefusesWhatIsNotItsNetwork) {
  const OwnConfigs configs;
  const std::string platform = configs.config("platforms/host.yaml");
  std::string text = read_text(platform);
  const std::string app =
      "apps:\n"
      "  mobilenet_v1:\n"
      "    kind: network\n"
      "    parallel_fraction: 0.9\n"
      "    knobs: [{name: resolution, unit: px, values: [128, 224]}]\n"
      "    levels:\n"
      "      - {resolution: 128, time_factor: 0.3, activity_factor: 1, accuracy_pct: 65.2, "
      "accuracy_source: x}\n"
      "      - {resolution: 224, time_factor: 1, activity_factor: 1, accuracy_pct: 70.9, "
      "accuracy_source: x}\n"
      "    units: {cpu: {mcycles: 38.4, core_nf: 0.45}}\n";
  text.replace(text.find("apps:\n"), 6, app);
  std::ofstream(platform) << text;
  const Finished refused =
      flyball_run({"run", "--scenario", stream(configs), "--duration", "1", "--check"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.err.find('\n'), refused.err.size() - 1) << "one line";
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("flyball: application 'mobilenet_v1': its knobs are resolution, and "
                              "real jobs run the network "),
                    HasSubstr("use 'flyball compare' or 'flyball train' with it")));
  EXPECT_EQ(flyball_run({"compare", "--platform", platform, "--scenario", stream(configs),
                         "--policies", "rule", "--seeds", "1"})
                .exit_code,
            0);
}

}  // namespace
}  // namespace flyball::testing
