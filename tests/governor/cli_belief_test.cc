// What agents believe of a platform, beside what is true of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
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

/// A copy of a platform's file with one text replaced by another.
std::string altered(const OwnConfigs& configs, const std::string& platform, const std::string& from,
                    const std::string& to) {
  std::string text = read_text(configs.config("platforms/" + platform + ".yaml"));
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  const std::string path = configs / "altered.yaml";
  std::ofstream(path) << text.replace(at, from.size(), to);
  return path;
}

/// The LITTLE cores' power, three times what it is.
std::string thirsty_littles(const OwnConfigs& configs) {
  return altered(configs, "odroid_xu3",
                 "A7: {mcycles: 351.2, memory_ms: 7.2, core_nf: 0.0784, static_ma: 52}",
                 "A7: {mcycles: 351.2, memory_ms: 7.2, core_nf: 0.2352, static_ma: 156}");
}

json compare(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"compare",
                                        "--platform",
                                        "odroid_xu3",
                                        "--scenario",
                                        "single_periodic",
                                        "--policies",
                                        "userspace:1000000,q_learning",
                                        "--seeds",
                                        "2",
                                        "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  json result = parsed(flyball_run(arguments));
  for (json& row : result.at("policies")) row.erase("decide_p50_ns");
  return result;
}

TEST(CliBelief, ChangesWhatAgentsChooseAndNotWhatIsTrue) {
  const OwnConfigs configs;
  const std::string belief = thirsty_littles(configs);
  const json sure = compare({}), misled = compare({"--belief", belief});
  EXPECT_TRUE(sure.at("belief").is_null());
  EXPECT_EQ(misled.at("belief"), belief);
  // Every figure of a policy that asks no belief.
  EXPECT_EQ(sure.at("policies")[0].dump(), misled.at("policies")[0].dump());
  const auto energy = [](const json& result) -> double {
    return result.at("policies")[1].at("energy_mj_per_job").at("mean");
  };
  EXPECT_NE(energy(sure), energy(misled));
  // A belief that says what is true changes nothing.
  const json same = compare({"--belief", "odroid_xu3"});
  EXPECT_EQ(same.at("policies").dump(), sure.at("policies").dump());
}

// Nobody measures accuracy: what it really is changes that figure and no other, whatever share of it
// the scenario asks for.
TEST(CliBelief, IsWhatIsKnownOfAccuracy) {
  const OwnConfigs configs;
  const std::string worse =
      altered(configs, "odroid_xu3", "accuracy_pct: 71.2", "accuracy_pct: 69");
  const auto figures = [](const std::string& platform) {
    json rows = parsed(flyball_run({"compare", "--platform", platform, "--belief", "odroid_xu3",
                                    "--scenario", "full_accuracy", "--policies", "q_learning,rule",
                                    "--seeds", "1", "--json"}))
                    .at("policies");
    for (json& row : rows) row.erase("decide_p50_ns");
    return rows;
  };
  json declared = figures("odroid_xu3"), really = figures(worse);
  for (json* rows : {&declared, &really}) {
    for (json& row : *rows) {
      EXPECT_NEAR(row.at("accuracy_pct").at("mean"), rows == &declared ? 71.2 : 69.0, 1e-4);
      row.erase("accuracy_pct");
      row.erase("utility_pct");  // what jobs were worth goes by what was true
    }
  }
  EXPECT_EQ(declared.dump(), really.dump());
}

TEST(CliBelief, OfOtherKnobsIsRefusedWithTheFirstDifference) {
  const OwnConfigs configs;
  const auto refused = [&](const std::string& belief, const std::string& why) {
    const std::vector<std::string> setting = {"--platform",      "odroid_xu3", "--scenario",
                                              "single_periodic", "--belief",   belief};
    for (const char* verb : {"compare", "train"}) {
      std::vector<std::string> arguments = {verb};
      arguments.insert(arguments.end(), setting.begin(), setting.end());
      const Finished finished = flyball_run(arguments);
      EXPECT_EQ(finished.exit_code, 2);
      EXPECT_EQ(finished.out, "");
      EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
      EXPECT_THAT(finished.err, HasSubstr(why));
    }
  };
  refused("jetson_nano", "its cluster 'A57' is called 'A15' there");
  refused(altered(configs, "odroid_xu3", "- {mhz: 1400, mv: 1300}", "- {mhz: 1410, mv: 1300}"),
          "its cluster 'A7' has 1410000 kHz where it has 1400000 there");
  refused(altered(configs, "odroid_xu3", "- {mhz: 1300, mv: 1300}\n", "\n"),
          "its cluster 'A7' has 12 operating points and there 13");
  refused(altered(configs, "odroid_xu3", "cores: 4", "cores: 3"),
          "its cluster 'A15' has 3 cores and there 4");
  const Finished live = flyball_run({"run", "--check", "--belief", "odroid_xu3"});
  EXPECT_EQ(live.exit_code, 2);
  EXPECT_THAT(live.err, HasSubstr("belief 'odroid_xu3': it has 2 clusters and platform 'host' 1"));
}

TEST(CliBelief, IsWhatTrainingRanksBy) {
  const OwnConfigs configs;
  const std::string belief = thirsty_littles(configs);
  const auto train = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {
        "train",      "--platform", "odroid_xu3", "--scenario",         "single_periodic",
        "--episodes", "3",          "--out",      configs / "x.policy", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return parsed(flyball_run(arguments));
  };
  const json sure = train({}), misled = train({"--belief", belief});
  EXPECT_TRUE(sure.at("belief").is_null());
  EXPECT_EQ(misled.at("belief"), belief);
  EXPECT_NE(sure.at("curve").dump(), misled.at("curve").dump());
}

TEST(CliBelief, OfALiveRun) {
  const OwnConfigs configs;
  const std::string belief = altered(configs, "host", "core_nf: 0.45", "core_nf: 1.35");
  const json result =
      parsed(flyball_run({"run", "--belief", belief, "--duration", "1", "--no-compare", "--json"}));
  EXPECT_GT(result.at("policies")[0].at("jobs"), 0);
}

}  // namespace
}  // namespace flyball::testing
