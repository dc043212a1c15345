// The file of settings of a service, by the real command line on a machine made of files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "governor/service/service_config.h"
#include "governor/status/tuning_control.h"
#include "tests/service/installed_tree.h"
#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kShipped = FLYBALL_SOURCE_DIR "/governor/service/flyball.yaml";

Finished check(const LinuxTree& tree, std::vector<std::string> more = {}) {
  std::vector<std::string> words = {"run",     "--platform",   "linux",
                                    "--check", "--sysfs-root", tree.root()};
  words.insert(words.end(), more.begin(), more.end());
  return flyball_run(words);
}

TEST(ServiceConfig, AUnknownKeyIsAnErrorThatNamesTheNearest) {
  LinuxTree tree;
  tree.make_xu3();
  tree.write("/etc/flyball/flyball.yaml", "schema: 1\npreferense: 0.2\n");
  const Finished refused = check(tree);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("flyball.yaml:2: key 'preferense'"));
  EXPECT_THAT(refused.err, HasSubstr("did you mean 'preference'?"));
  // Another file, or none, in its place.
  tree.write("/good.yaml", "schema: 1\npreference: 0.2\n");
  EXPECT_EQ(check(tree, {"--config", tree.path("/good.yaml")}).exit_code, 0);
  EXPECT_EQ(check(tree, {"--config", "none"}).exit_code, 0);
  EXPECT_EQ(check(tree, {"--config", tree.path("/absent.yaml")}).exit_code, 2);
  EXPECT_EQ(flyball_run({"run", "--config", tree.path("/good.yaml"), "--check"}).exit_code, 2);
}

TEST(ServiceConfig, WhatIsWrongInItIsRefusedBeforeAnythingIsDone) {
  const std::pair<const char*, const char*> wrong[] = {
      {"policy: plain_lod", "did you mean 'plain_load'"},
      {"policy: q_learning", "decides by jobs"},
      {"applications: oracle", "--applications oracle"},
      {"actuator: bound", "did you mean 'bounds'"},
      {"preference: 2", "out of range"},
      {"epoch_ms: 1", "from 5 to 1000"},
      {"state_dir: run", "begin it with a slash"},
      {"force: yes", "key 'force'"},
      {"limits: {policy9: {max_khz: 800000}}", "no policy 'policy9'"},
      {"limits: {policy4: {max_khz: 5000000}}", "within 200000 and 2000000 kHz"},
      {"limits: {policy4: {min_khz: 900000, max_khz: 1000000}}", "between two of them"},
      {"limits: {policy4: {}}", "limits nothing"},
      {"metrics: {every_s: 5}", "no effect without 'file'"}};
  for (const auto& [line, said] : wrong) {
    LinuxTree tree;
    tree.make_xu3();
    tree.write("/etc/flyball/flyball.yaml", std::string("schema: 1\n") + line + "\n");
    const Finished refused = check(tree);
    EXPECT_EQ(refused.exit_code, 2) << line << refused.err;
    EXPECT_THAT(refused.err, HasSubstr(said)) << line;
    EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
  }
}

TEST(ServiceConfig, RootObeysNoFileThatOthersMayWrite) {
  if (geteuid() != 0) GTEST_SKIP() << "this is not root";
  LinuxTree tree;
  tree.make_xu3();
  tree.write("/open.yaml", "schema: 1\n");
  ASSERT_EQ(chmod(tree.path("/open.yaml").c_str(), 0664), 0);
  const Finished refused = check(tree, {"--config", tree.path("/open.yaml")});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("others than root may write to it"));
}

// Every line that is commented out, taken in: each key is known, and there is none beside them.
TEST(ServiceConfig, TheShippedFileExplainsEveryKey) {
  LinuxTree tree;
  tree.make_xu3();
  const std::string shipped = read_text(kShipped);
  tree.write("/shipped.yaml", shipped);
  EXPECT_EQ(check(tree, {"--config", tree.path("/shipped.yaml")}).exit_code, 0);
  std::string all =
      std::regex_replace(shipped, std::regex("(^|\n)# (  )?([a-z_0-9]+):(?= |\n)"), "$1$2$3:");
  tree.write("/all.yaml", all);
  const Finished taken = check(tree, {"--config", tree.path("/all.yaml")});
  EXPECT_EQ(taken.exit_code, 0) << taken.err << all;
  const ServiceConfig config = read_service_config(tree.path("/all.yaml"));
  EXPECT_TRUE(config.policy && config.applications && config.actuator && config.force &&
              config.dry_run && config.seed && config.state_dir && config.epoch_ms &&
              config.preference && config.metrics_file && config.metrics_every_s &&
              config.metrics_socket);
  EXPECT_EQ(config.limits.size(), 1u);
  // An unknown key lists those that are known: all of them are in the file.
  tree.write("/asks.yaml", "schema: 1\nzzz: 1\n");
  const std::string told = check(tree, {"--config", tree.path("/asks.yaml")}).err;
  std::istringstream known(told.substr(told.find("known keys here are ") + 20));
  int keys = 0;
  for (std::string key; std::getline(known, key, ',');) {
    key.erase(0, key.find_first_not_of(' '));
    key = key.substr(0, key.find_first_of("\n "));
    EXPECT_THAT(shipped, HasSubstr("\n# " + key + ":")) << told;
    ++keys;
  }
  EXPECT_EQ(keys, 11);
  // What can be set while it runs is explained there, too.
  ASSERT_FALSE(tuning_keys().empty());
  for (const std::string& key : tuning_keys())
    EXPECT_TRUE(std::regex_search(shipped, std::regex("\\b" + key + "\\b"))) << key;
}

TEST(ServiceConfig, IsInForceAndOptionsHavePrecedence) {
  FLYBALL_STARTS_PROGRAMS();
  const TempDir dir;
  std::ofstream(dir / "flyball.yaml")
      << "schema: 1\npolicy: powersave\nactuator: setspeed\npreference: 0.9\nepoch_ms: 40\n"
         "limits:\n  policy4: {min_khz: 300000, max_khz: 1300000}\n";
  Governed governed({"--config", dir / "flyball.yaml", "--actuator", "bounds"});
  const json now = governed.first_status();
  EXPECT_EQ(now.at("policy"), "powersave");
  EXPECT_EQ(now.at("clusters").at(1).at("actuator"), "bounds");
  EXPECT_EQ(now.at("preference"), 0.9);
  // At clocks that the policy has.
  EXPECT_EQ(now.at("clusters").at(1).at("min_khz"), 400000);
  EXPECT_EQ(now.at("clusters").at(1).at("max_khz"), 1200000);
  // What is set later goes on from there.
  EXPECT_EQ(governed.ask({"set", "preference", "0.1"}).exit_code, 0);
  EXPECT_EQ(governed.ask({"set", "max_khz", "300000", "--policy", "policy4"}).exit_code, 2);
}

}  // namespace
}  // namespace flyball::testing
