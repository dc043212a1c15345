// Where what was learned is kept, and who finds it there.

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

const std::vector<std::string> kSetting = {"--platform", "odroid_xu3", "--scenario",
                                           "single_periodic"};

std::vector<std::string> with(std::vector<std::string> verb, const std::vector<std::string>& more) {
  verb.insert(verb.end(), kSetting.begin(), kSetting.end());
  verb.insert(verb.end(), more.begin(), more.end());
  return verb;
}

Finished train(const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = with({"train"}, {"--episodes", "2"});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return flyball_run(arguments);
}

Finished compare(const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments =
      with({"compare"}, {"--policies", "q_learning", "--seeds", "1", "--json"});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return flyball_run(arguments);
}

/// What compare's q_learning started from; null: untrained.
json start_of(const Finished& finished) {
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out).at("policy_files").at("q_learning");
}

TEST(CliTrainedPolicies, WhatWasLearnedIsFoundWithoutNamingIt) {
  const OwnConfigs configs;
  const std::string place = configs / "state/flyball/policies/odroid_xu3.q_learning.policy";
  EXPECT_TRUE(start_of(compare()).is_null());
  const Finished trained = train();
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr("wrote " + place));
  EXPECT_EQ(start_of(compare()), place);
  EXPECT_EQ(json::parse(flyball_run({"list", "agents", "--json"}).out).at("policy_files"),
            json::array({place}));
  EXPECT_THAT(flyball_run({"list", "agents"}).out, HasSubstr("trained: " + place + "\n"));
}

// A file that is named, before what was learned here, before what was shipped.
TEST(CliTrainedPolicies, TheNearestIsTaken) {
  const OwnConfigs configs;
  const std::string shipped = configs / "configs/policies/odroid_xu3.q_learning.policy";
  const std::string learned = configs / "state/flyball/policies/odroid_xu3.q_learning.policy";
  const std::string named = configs / "mine.policy";
  std::filesystem::create_directories(configs / "configs/policies");
  ASSERT_EQ(train({"--out", shipped}).exit_code, 0);
  EXPECT_EQ(start_of(compare()), shipped);
  ASSERT_EQ(train().exit_code, 0);
  EXPECT_EQ(start_of(compare()), learned);
  ASSERT_EQ(train({"--out", named}).exit_code, 0);
  EXPECT_EQ(start_of(compare({"--policy-file", "q_learning=" + named})), named);
  // A damaged one is passed over, with a word, and what was asked for is done.
  std::ofstream(learned) << "FLYPOL damaged";
  EXPECT_EQ(start_of(compare()), shipped);
  const Finished told =
      flyball_run(with({"compare"}, {"--policies", "q_learning", "--seeds", "1"}));
  EXPECT_THAT(told.out, AllOf(HasSubstr(shipped), HasSubstr(learned)));
}

TEST(CliTrainedPolicies, WithoutAHomeItGoesOnWithout) {
  const OwnConfigs configs;
  setenv("XDG_STATE_HOME", "relative", 1);
  const std::string home = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
  unsetenv("HOME");
  const Finished compared = compare();
  const Finished trained = train();
  setenv("HOME", home.c_str(), 1);
  EXPECT_TRUE(start_of(compared).is_null());
  EXPECT_EQ(trained.exit_code, 2);
  EXPECT_THAT(trained.err, HasSubstr("neither XDG_STATE_HOME nor HOME"));
}

// The hint of an untrained start names no folder that is not there.
TEST(CliTrainedPolicies, AnUntrainedStartSaysWhatMakesAPolicy) {
  const OwnConfigs configs;
  const Finished told =
      flyball_run(with({"compare"}, {"--policies", "q_learning", "--seeds", "1"}));
  EXPECT_THAT(told.out, HasSubstr("q_learning starts untrained (nothing learned for it is stored"));
  EXPECT_EQ(told.out.find("policies/"), std::string::npos) << told.out;
}

TEST(CliRunCheck, SaysWhetherItCouldRunAndRunsNothing) {
  const OwnConfigs configs;
  const Finished fine = flyball_run({"run", "--check", "--duration", "600"});
  EXPECT_EQ(fine.exit_code, 0) << fine.err;
  EXPECT_EQ(fine.out + fine.err, "");
  EXPECT_EQ(flyball_run({"run", "--check", "--scenario", "lvie"}).exit_code, 2);
}

}  // namespace
}  // namespace flyball::testing
