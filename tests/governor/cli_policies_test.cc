// Where what was learned is kept, and who finds it there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/governor/own_configs.h"
#include "tests/governor/stored_policies.h"
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
  EXPECT_TRUE(start_of(compare()).is_null());
  const Finished trained = train();
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  ASSERT_EQ(stored_policies(configs, "odroid_xu3").size(), 1u);
  const std::string place = stored_policies(configs, "odroid_xu3")[0];
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
  const std::string named = configs / "mine.policy";
  std::filesystem::create_directories(configs / "configs/policies");
  ASSERT_EQ(train({"--out", shipped}).exit_code, 0);
  EXPECT_EQ(start_of(compare()), shipped);
  ASSERT_EQ(train().exit_code, 0);
  ASSERT_EQ(stored_policies(configs, "odroid_xu3").size(), 1u);
  const std::string learned = stored_policies(configs, "odroid_xu3")[0];
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

/// The board's file with its jobs, or the board itself, a little different, under the same name.
std::string board_with(const OwnConfigs& configs, const std::string& from, const std::string& to) {
  std::string text = read_text(configs.config("platforms/odroid_xu3.yaml"));
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  const std::string path = configs / "other.yaml";
  std::ofstream(path) << text.replace(at, from.size(), to);
  return path;
}
constexpr const char* kLittleJob = "A7: {mcycles: 351.2,";
constexpr const char* kOtherLittleJob = "A7: {mcycles: 371.2,";

// A policy that nobody asked for is no obstacle: one of other jobs is passed over, with a word, as
// one of another board is; one that was asked for is refused, and the way out is named.
TEST(CliTrainedPolicies, OfOtherJobsIsPassedOverUnlessAskedFor) {
  const OwnConfigs configs;
  ASSERT_EQ(train().exit_code, 0);
  const std::string learned = stored_policies(configs, "odroid_xu3").at(0);
  const std::string belief = board_with(configs, kLittleJob, kOtherLittleJob);
  EXPECT_TRUE(start_of(compare({"--belief", belief})).is_null());
  const Finished told = flyball_run(
      with({"compare"}, {"--policies", "q_learning", "--seeds", "1", "--belief", belief}));
  std::string line = told.out;  // which is broken into several
  std::replace(line.begin(), line.end(), '\n', ' ');
  EXPECT_THAT(line, HasSubstr("q_learning starts untrained (" + learned +
                              ": 'dynamic_cnn' had other costs or levels"));
  const Finished asked = compare({"--belief", belief, "--policy-file", "q_learning=" + learned});
  EXPECT_EQ(asked.exit_code, 2);
  EXPECT_THAT(asked.err, AllOf(HasSubstr("policy file '" + learned + "': 'dynamic_cnn' had other"),
                               HasSubstr("take it as a prior with --from\n")));
  EXPECT_EQ(start_of(compare({"--belief", belief, "--from", "q_learning=" + learned})), learned);
}

// Files that share a platform's name do not take each other's policy away.
TEST(CliTrainedPolicies, EveryDescriptionHasAPlaceOfItsOwn) {
  const OwnConfigs configs;
  ASSERT_EQ(train().exit_code, 0);
  const std::string learned = stored_policies(configs, "odroid_xu3").at(0);
  const std::string bytes = read_text(learned);
  for (const auto& [from, to] :
       {std::pair{kLittleJob, kOtherLittleJob}, std::pair{"uncore_nf: 0.21", "uncore_nf: 0.22"}}) {
    const std::string board = board_with(configs, from, to);
    const std::size_t before = stored_policies(configs, "odroid_xu3").size();
    const Finished trained = flyball_run(
        {"train", "--platform", board, "--scenario", "single_periodic", "--episodes", "2"});
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    EXPECT_EQ(stored_policies(configs, "odroid_xu3").size(), before + 1);
    EXPECT_EQ(read_text(learned), bytes);
  }
  EXPECT_EQ(start_of(compare()), learned);
}

// The name that policies had before their platform's hash was in it.
TEST(CliTrainedPolicies, APlainNameIsFoundAndLeftAlone) {
  const OwnConfigs configs;
  const std::string plain = configs / "state/flyball/policies/odroid_xu3.q_learning.policy";
  std::filesystem::create_directories(configs / "state/flyball/policies");
  ASSERT_EQ(train({"--out", plain}).exit_code, 0);
  const std::string bytes = read_text(plain);
  EXPECT_EQ(start_of(compare()), plain);
  ASSERT_EQ(train().exit_code, 0);
  EXPECT_EQ(stored_policies(configs, "odroid_xu3").size(), 2u);
  EXPECT_EQ(read_text(plain), bytes);
  EXPECT_NE(start_of(compare()), plain);
}

json trained_from(const Finished& trained) {
  EXPECT_EQ(trained.exit_code, 0) << trained.err;
  return json::parse(trained.out).at("from");
}

// Training again adds to what was learned; to begin anew is asked for, and takes nothing away.
TEST(CliTrainedPolicies, TrainingGoesOnFromWhatIsStored) {
  const OwnConfigs configs;
  const std::string named = configs / "mine.policy";
  EXPECT_TRUE(trained_from(train({"--json"})).is_null());
  const std::string stored = stored_policies(configs, "odroid_xu3").at(0);
  EXPECT_EQ(trained_from(train({"--json"})), stored);
  const std::string bytes = read_text(stored);
  EXPECT_TRUE(trained_from(train({"--json", "--out", named})).is_null());
  EXPECT_EQ(read_text(stored), bytes);
  const Finished from_named = train({"--json", "--from", named});
  EXPECT_EQ(trained_from(from_named), named);
  EXPECT_EQ(read_text(stored + ".old"), bytes);
  EXPECT_THAT(from_named.err, HasSubstr("is kept in " + stored + ".old.\n"));
  // Neither is one that cannot be read.
  std::ofstream(stored) << "FLYPOL damaged";
  const Finished anew = train({"--json"});
  EXPECT_TRUE(trained_from(anew).is_null());
  EXPECT_THAT(anew.err, HasSubstr("q_learning starts untrained (policy file '" + stored));
  EXPECT_EQ(read_text(stored + ".old2"), "FLYPOL damaged");
  EXPECT_EQ(read_text(stored + ".old"), bytes);
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
