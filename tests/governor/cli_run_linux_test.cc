// `flyball run --platform linux`, end to end through the real program, on trees of files.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/env/linux_tree.h"
#include "tests/governor/subprocess.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::vector<std::string> words(const LinuxTree& tree, const std::vector<std::string>& more) {
  std::vector<std::string> all = {"run",
                                  "--platform",
                                  "linux",
                                  "--sysfs-root",
                                  tree.root(),
                                  "--state-dir",
                                  tree.path("/run/flyball")};
  std::filesystem::create_directories(tree.path("/run"));
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// The policies' files, all of them.
std::string settings_of(const LinuxTree& tree) {
  std::string all;
  for (const int policy : {0, 4}) {
    for (const char* file : {"scaling_governor", "scaling_min_freq", "scaling_max_freq"})
      all += tree.line(LinuxTree::policy(policy) + file) + "\n";
  }
  return all;
}

TEST(CliRunLinux, GovernsWithEachActuatorAndLeavesAllAsItWas) {
  FLYBALL_STARTS_PROGRAMS();
  for (const std::string actuator : {"auto", "setspeed", "bounds"}) {
    const LinuxTree tree;
    tree.make_xu3();
    const std::string before = settings_of(tree);
    const Finished told =
        flyball_run(words(tree, {"--duration", "0.5", "--actuator", actuator, "--json"}));
    ASSERT_EQ(told.exit_code, 0) << told.err;
    const json result = json::parse(told.out);
    EXPECT_EQ(result.at("platform"), "linux");
    ASSERT_EQ(result.at("clusters").size(), 2u);
    const json& big = result.at("clusters")[1];
    EXPECT_EQ(big.at("actuator"), actuator == "setspeed" ? "setspeed" : "bounds");
    EXPECT_GT(big.at("writes"), 0) << actuator;
    EXPECT_EQ(big.at("refused"), 0) << actuator;
    EXPECT_EQ(result.at("power_source"), "rails A15, memory, GPU, A7 by INA231");
    EXPECT_EQ(settings_of(tree), before) << actuator;
  }
}

TEST(CliRunLinux, ADryRunSaysWhatItWouldDoAndWritesNothing) {
  const LinuxTree tree;
  tree.make_xu3();
  const std::string path = LinuxTree::policy(4) + "scaling_max_freq";
  const auto before = std::filesystem::last_write_time(tree.path(path));
  const Finished told = flyball_run(words(tree, {"--duration", "0.5", "--dry-run"}));
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.err, HasSubstr("nothing is written"));
  EXPECT_THAT(told.err, HasSubstr("keeps energy-aware scheduling"));
  EXPECT_THAT(told.out, HasSubstr("0 writes by none"));
  EXPECT_EQ(std::filesystem::last_write_time(tree.path(path)), before);
}

TEST(CliRunLinux, ASignalEndsItAndAllIsGivenBack) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  tree.make_xu3();
  const std::string before = settings_of(tree);
  Flyball program(words(tree, {"--actuator", "setspeed", "--json"}));
  const std::string governor = LinuxTree::policy(4) + "scaling_governor";
  while (tree.line(governor) != "userspace") std::this_thread::yield();
  program.signal(SIGTERM);
  const Finished told = program.wait();
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(settings_of(tree), before);
}

TEST(CliRunLinux, KilledOutrightItsSupervisorGivesBack) {
  FLYBALL_STARTS_PROGRAMS();
  const LinuxTree tree;
  tree.make_xu3();
  const std::string before = settings_of(tree);
  Flyball program(words(tree, {"--actuator", "setspeed", "--json"}));
  const std::string governor = LinuxTree::policy(4) + "scaling_governor";
  while (tree.line(governor) != "userspace") std::this_thread::yield();
  program.signal(SIGKILL);
  program.wait();
  while (settings_of(tree) != before) std::this_thread::yield();  // or the test runs out of time
  SUCCEED();
}

TEST(CliRunLinux, RefusesWhatItCannotDo) {
  const LinuxTree machine;
  machine.make_vm();
  const Finished none = flyball_run(words(machine, {}));
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("has no cpufreq policy"));

  const LinuxTree tree;
  tree.make_xu3();
  const std::string before = settings_of(tree);
  const auto refused = [&](const std::vector<std::string>& more, const std::string& with) {
    const Finished told = flyball_run(words(tree, more));
    EXPECT_EQ(told.exit_code, 2) << with;
    EXPECT_THAT(told.err, HasSubstr(with));
    EXPECT_EQ(std::count(told.err.begin(), told.err.end(), '\n'), 1);
  };
  refused({"--actuator", "bound"}, "did you mean");
  refused({"--csv", "x"}, "--csv: has no meaning for '--platform linux'");
  refused({"--policy", "q_learning"}, "decides by jobs");
  refused({"--policy", "userspace"}, "needs a frequency");
  EXPECT_EQ(settings_of(tree), before);
  const Finished elsewhere = flyball_run({"run", "--dry-run"});
  EXPECT_EQ(elsewhere.exit_code, 2);
  EXPECT_THAT(elsewhere.err, HasSubstr("--dry-run: is for '--platform linux'"));
}

}  // namespace
}  // namespace flyball::testing
