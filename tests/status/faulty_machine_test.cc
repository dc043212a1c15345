// The real program on a tree of files that fail as drivers do: whatever a policy does, the other one is
// governed, nobody waits for it, and at the end all is as it was, or said not to be and kept.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/status/governed.h"

namespace flyball::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kSmall = LinuxTree::policy(0), kBig = LinuxTree::policy(4);

class FaultyMachine : public ::testing::Test {
 protected:
  void SetUp() override {
    FLYBALL_STARTS_PROGRAMS();
#ifdef FLYBALL_SANITIZED
    GTEST_SKIP() << "a sanitizer is to be loaded first, and so is what makes faults";
#endif
    tree_.make_xu3();
    std::filesystem::create_directories(tree_.path("/run"));
  }
  ~FaultyMachine() override { clear(); }

  void faults(const std::string& lines) const {
    tree_.write("/faults.new", lines + "\n");
    std::filesystem::rename(tree_.path("/faults.new"), tree_.path("/faults"));
  }
  std::unique_ptr<Flyball> start(std::vector<std::string> more) const {
    std::vector<std::string> words = {"run",        "--platform",  "linux", "--sysfs-root",
                                      tree_.root(), "--state-dir", state(), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    setenv("LD_PRELOAD", FLYBALL_FAULTY_SYSFS, 1);
    setenv("FLYBALL_FAULTS", tree_.path("/faults").c_str(), 1);
    auto program = std::make_unique<Flyball>(words);
    clear();
    return program;
  }
  json run(const std::vector<std::string>& more) const {
    const Finished told = start(more)->wait();
    EXPECT_EQ(told.exit_code, 0) << told.err;
    return told.exit_code == 0 ? json::parse(told.out) : json();
  }
  std::string state() const { return tree_.path("/run/flyball"); }
  std::string settings() const {
    std::string all;
    for (const std::string& policy : {kSmall, kBig}) {
      for (const char* file : {"scaling_governor", "scaling_min_freq", "scaling_max_freq"})
        all += tree_.read(policy + file);
    }
    return all;
  }

  LinuxTree tree_;

 private:
  static void clear() {
    unsetenv("LD_PRELOAD");
    unsetenv("FLYBALL_FAULTS");
  }
};

TEST_F(FaultyMachine, APolicyThatRefusesStopsNoOtherOne) {
  const std::string before = settings();
  for (const int error : {EBUSY, EINVAL, EIO, ENODEV, ENOSPC, EACCES}) {
    for (const char* call : {"write", "open"}) {
      faults("policy4/scaling_max_freq " + std::string(call) + " errno " + std::to_string(error));
      const json told = run({"--duration", "0.6", "--actuator", "bounds", "--policy", "powersave"});
      ASSERT_FALSE(told.is_null()) << error;
      EXPECT_GT(told.at("clusters")[0].at("writes"), 0) << error;
      EXPECT_EQ(told.at("clusters")[0].at("refused"), 0) << error;
      EXPECT_GT(told.at("clusters")[1].at("refused"), 0) << error;
      EXPECT_EQ(settings(), before) << error;
    }
  }
}

TEST_F(FaultyMachine, SilentRoundingIsReadBackAndGivenBack) {
  const std::string before = settings();
  faults("policy4/scaling_max_freq write round 500000");
  const json told = run({"--duration", "0.6", "--actuator", "bounds", "--policy", "powersave"});
  ASSERT_FALSE(told.is_null());
  EXPECT_GT(told.at("clusters")[1].at("rounded"), 0);
  EXPECT_EQ(told.at("clusters")[0].at("rounded"), 0);
  EXPECT_EQ(settings(), before);
}

TEST_F(FaultyMachine, ASilentFailureIsSeen) {
  tree_.write(kBig + "scaling_governor", "userspace\n");
  tree_.write(kBig + "scaling_setspeed", "1600000\n");
  const std::string before = settings();
  faults("policy4/scaling_setspeed write silent");
  const json told = run({"--duration", "0.6", "--actuator", "setspeed", "--policy", "powersave"});
  ASSERT_FALSE(told.is_null());
  EXPECT_GT(told.at("clusters")[1].at("ignored"), 0);
  EXPECT_EQ(told.at("clusters")[0].at("ignored"), 0);
  EXPECT_EQ(settings(), before);
}

TEST_F(FaultyMachine, ASilentFailureOnTheWayBackIsSaidAndKept) {
  tree_.write(kSmall + "scaling_governor", "userspace\n");
  tree_.write(kSmall + "scaling_setspeed", "1000000\n");
  faults("");
  const auto program = start({"--actuator", "setspeed", "--policy", "performance"});
  while (tree_.line(kSmall + "scaling_setspeed") != "1400000") std::this_thread::yield();
  faults("policy0/scaling_setspeed write silent");
  program->signal(SIGTERM);
  const Finished told = program->wait();
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("do not have their old value"));
  EXPECT_EQ(tree_.line(kSmall + "scaling_setspeed"), "1400000");
  EXPECT_EQ(tree_.line(kBig + "scaling_governor"), "schedutil");
  EXPECT_TRUE(std::filesystem::exists(state() + "/settings"));
  const Finished restored =
      flyball_run({"restore", "--sysfs-root", tree_.root(), "--state-dir", state()});
  EXPECT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_EQ(tree_.read(kSmall + "scaling_setspeed"), "1000000");
  EXPECT_EQ(tree_.line(kSmall + "scaling_governor"), "userspace");
}

// Longer than a governor may be silent: the end waits for the driver, and says what came of the run.
TEST_F(FaultyMachine, AWriteThatTakesTwoSecondsHoldsUpNobodyAndIsWaitedFor) {
  const std::string before = settings();
  faults("policy4/scaling_max_freq write hang 2000");
  const auto program =
      start({"--duration", "0.6", "--actuator", "bounds", "--policy", "powersave"});
  while (tree_.line(kSmall + "scaling_max_freq") != "200000") std::this_thread::yield();
  EXPECT_EQ(tree_.line(kBig + "scaling_max_freq"), "2000000") << "its write takes longer";
  const Finished told = program->wait();
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_NE(told.out, "");
  EXPECT_EQ(settings(), before);
}

TEST_F(FaultyMachine, APipeInPlaceOfASettingIsNotWaitedFor) {
  tree_.remove(kBig + "scaling_max_freq");
  tree_.pipe(kBig + "scaling_max_freq");
  faults("");
  const json told = run({"--duration", "0.6", "--actuator", "bounds", "--policy", "powersave"});
  ASSERT_FALSE(told.is_null());
  EXPECT_GT(told.at("clusters")[0].at("writes"), 0);
  EXPECT_GT(told.at("clusters")[1].at("refused"), 0);
}

// As Linux answers while all CPUs of a policy are offline, for every file of it.
TEST_F(FaultyMachine, APolicyThatIsOfflineAtTheStartIsNamedAndTakenWhenItComes) {
  const std::string before = settings();
  faults("policy4/ read errno " + std::to_string(EBUSY));
  const PlayedLoad load(tree_, 0.5);
  const auto program = start({"--actuator", "bounds", "--policy", "powersave"});
  while (tree_.line(kSmall + "scaling_max_freq") != "200000") std::this_thread::yield();
  EXPECT_EQ(tree_.line(kBig + "scaling_max_freq"), "2000000");
  EXPECT_THAT(program->err_so_far(),
              HasSubstr("policy4, CPUs 4: all its CPUs are offline; it is not governed yet"));
  const auto status = [&] { return flyball_run({"status", "--state-dir", state()}).out; };
  while (status().find("policy4, CPUs 4: all its CPUs are offline") == std::string::npos)
    std::this_thread::yield();  // it shows nothing before its first second is over
  faults("");
  while (tree_.line(kBig + "scaling_max_freq") != "200000") std::this_thread::yield();
  program->signal(SIGTERM);
  const Finished told = program->wait();
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(json::parse(told.out).at("taken_later"), json{"policy4"});
  EXPECT_EQ(json::parse(told.out).at("clusters").size(), 2u);
  EXPECT_EQ(settings(), before);
}

TEST_F(FaultyMachine, AGovernorsNameThatIsLongerLeavesNoEndOfItself) {
  for (const std::string& policy : {kSmall, kBig})
    tree_.write(policy + "scaling_governor", "performance\n");
  const std::string before = settings();
  faults("");
  const auto program = start({"--actuator", "setspeed"});
  while (!tree_.line(kBig + "scaling_governor").starts_with("userspace")) std::this_thread::yield();
  const PlayedLoad load(tree_, 0.5);
  // Long enough for those who look for rivals once a second.
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_EQ(tree_.read(kBig + "scaling_governor"), "userspace\n");
  program->signal(SIGTERM);
  const Finished told = program->wait();
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.err, Not(HasSubstr("Somebody else")));
  EXPECT_EQ(settings(), before);
}

}  // namespace
}  // namespace flyball::testing
