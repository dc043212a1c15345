// How clocks are turned, against a cpufreq core with the faults that drivers have.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "env/linux/actuate/clock_hand.h"
#include "tests/env/linux_kernel.h"
#include "tests/env/linux_tree.h"

namespace flyball {
namespace {

using testing::CpufreqKernel;
using ::testing::ElementsAre;

const std::string kFolder = "/sys/devices/system/cpu/cpufreq/policy0";
const std::string kOther = "/sys/devices/system/cpu/cpufreq/policy4";

CpufreqPolicy policy_of(const CpufreqKernel::Policy& kernel, const std::string& folder) {
  CpufreqPolicy policy;
  policy.folder = folder;
  policy.governor = kernel.governor;
  policy.table_khz = kernel.table_khz;
  policy.hardware_min_khz = kernel.table_khz.front();
  policy.hardware_max_khz = kernel.table_khz.back();
  policy.min_khz = kernel.user_min_khz;
  policy.max_khz = std::min(kernel.user_max_khz, kernel.heat_max_khz);
  return policy;
}

struct ScriptedHook final : SettingHook {
  int on_write(std::string_view path, std::string_view before, bool,
               std::string_view intended) noexcept override {
    told.push_back(std::string(path.substr(path.rfind('/') + 1)) + ":" + std::string(before) + ">" +
                   std::string(intended));
    return answer;
  }
  void on_written(std::string_view, std::string_view read_back) noexcept override {
    read_backs.emplace_back(read_back);
  }
  void on_left(std::string_view path, bool given_back) noexcept override {
    left.push_back(std::string(path.substr(path.rfind('/') + 1)) +
                   (given_back ? "" : " to others"));
  }
  int answer = 0;
  std::vector<std::string> told, read_backs, left;
};

class Actuate : public ::testing::Test {
 protected:
  PolicyActuator actuator(ActuatorKind kind, bool cooling = false, SettingHook* hook = nullptr) {
    return {"", policy_of(kernel_.look(kFolder), kFolder), kind, cooling, kernel_, hook};
  }
  void change(void (*with)(CpufreqKernel::Policy&)) { kernel_.change(kFolder, with); }
  CpufreqKernel::Policy look() { return kernel_.look(kFolder); }

  CpufreqKernel kernel_;
  CpufreqKernel::Policy& unused_ =
      kernel_.add(kFolder, {400000, 800000, 1200000, 1600000, 2000000});
};

TEST_F(Actuate, SetspeedTakesThePolicyAndGivesItBack) {
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  EXPECT_EQ(kernel_.writes(), 0) << "to look is not to touch";
  one.set(800000);
  EXPECT_EQ(look().governor, "userspace");  // though it was not among the loaded ones
  EXPECT_EQ(look().cur_khz, 800000);
  EXPECT_EQ(one.report().in_force_khz, 800000);
  EXPECT_EQ(one.report().error, 0);
  one.hand_over();
  EXPECT_EQ(look().governor, "schedutil");
  one.set(1200000);
  EXPECT_EQ(look().cur_khz, 1200000);
  one.hand_over();
  EXPECT_EQ(look().governor, "schedutil");
}

TEST_F(Actuate, OnlyWhatChangesIsWrittenThroughHeldDescriptors) {
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  one.set(800000);
  const int writes = kernel_.writes(), opens = kernel_.opens();
  for (int i = 0; i < 10; ++i) one.set(800000);
  EXPECT_EQ(kernel_.writes(), writes);
  one.set(1200000);
  EXPECT_EQ(kernel_.writes(), writes + 1);
  EXPECT_EQ(kernel_.opens(), opens);
}

TEST_F(Actuate, SilentRoundingIsReadBackAndWrittenOnce) {
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  one.set(900000);
  EXPECT_EQ(one.report().in_force_khz, 1200000);
  EXPECT_EQ(one.report().rounded, 1u);
  EXPECT_EQ(one.report().error, 0);
  const int writes = kernel_.writes();
  one.set(900000);
  EXPECT_EQ(kernel_.writes(), writes) << "it would be rounded again";
}

TEST_F(Actuate, RoundingToTheClockThatIsThereIsNoFailure) {
  change([](auto& policy) { policy.user_min_khz = 900000; });
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  one.set(1200000);
  one.set(400000);  // 900000 is asked for, the user's limit
  EXPECT_EQ(one.report().in_force_khz, 1200000);
  EXPECT_EQ(one.report().ignored, 0u);
  EXPECT_EQ(one.report().rounded, 1u);
  EXPECT_EQ(one.report().error, 0);
}

TEST_F(Actuate, ADriverThatFailsAndSaysItSucceededIsFoundOut) {
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  change([](auto& policy) { policy.fails_silently = true; });
  one.set(800000);
  EXPECT_EQ(one.report().in_force_khz, 2000000);
  EXPECT_EQ(one.report().error, EREMOTEIO);
  EXPECT_EQ(one.report().ignored, 1u);
  change([](auto& policy) { policy.fails_silently = false; });
  one.set(800000);
  EXPECT_EQ(one.report().in_force_khz, 800000);
  EXPECT_EQ(one.report().error, 0);
}

TEST_F(Actuate, ASilentFailureOnTheWayBackIsNotTakenForGivenBack) {
  change([](auto& policy) {
    policy.governor = "userspace";
    policy.cur_khz = 1200000;
  });
  ScriptedHook hook;
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed, false, &hook);
  one.set(800000);
  change([](auto& policy) { policy.fails_silently = true; });
  for (int tries = 0; tries < 3; ++tries) {
    one.hand_over();
    EXPECT_EQ(one.report().error, EREMOTEIO);
    EXPECT_THAT(hook.left, ElementsAre()) << "it stays ours";
    // However often it is tried, what stands there is known for ours.
    EXPECT_EQ(hook.read_backs.back(), "800000");
  }
  change([](auto& policy) { policy.fails_silently = false; });
  one.hand_over();
  EXPECT_EQ(one.report().error, 0);
  EXPECT_EQ(look().cur_khz, 1200000);
  EXPECT_THAT(hook.left, ElementsAre("scaling_setspeed"));
}

TEST_F(Actuate, ARefusalOnTheWayBackLeavesItKnownForOurs) {
  ScriptedHook hook;
  PolicyActuator one = actuator(ActuatorKind::kBounds, false, &hook);
  one.set(800000);
  change([](auto& policy) { policy.refuses = EIO; });
  for (int tries = 0; tries < 3; ++tries) {
    one.hand_over();
    EXPECT_EQ(one.report().error, EIO);
    EXPECT_EQ(hook.read_backs.back(), "800000");
  }
  change([](auto& policy) { policy.refuses = 0; });
  one.hand_over();
  EXPECT_EQ(look().user_max_khz, 2000000);
  EXPECT_THAT(hook.left, ElementsAre("scaling_max_freq"));
}

TEST_F(Actuate, ASpeedThatALimitKeepsFromItsOldValueIsGivenBack) {
  for (const bool heat : {false, true}) {
    change([](auto& policy) {
      policy.governor = "userspace";
      policy.cur_khz = 2000000;
      policy.user_max_khz = 2000000;
      policy.heat_max_khz = 2000000;
    });
    ScriptedHook hook;
    PolicyActuator one = actuator(ActuatorKind::kSetSpeed, false, &hook);
    one.set(800000);
    kernel_.change(kFolder, [&](auto& policy) {
      (heat ? policy.heat_max_khz : policy.user_max_khz) = 800000;
    });
    one.hand_over();
    EXPECT_EQ(one.report().error, 0);
    EXPECT_THAT(hook.left, ElementsAre("scaling_setspeed"));
  }
}

TEST(LinuxSettingCallsTest, AShorterValueLeavesNoEndOfTheLongerOneInACopyOfSysfs) {
  const testing::LinuxTree tree;
  tree.write("/sys/governor", "performance\n");
  Setting setting(linux_setting_calls(), nullptr, tree.path("/sys/governor"));
  EXPECT_EQ(setting.write(SettingText("userspace")), 0);
  EXPECT_EQ(tree.read("/sys/governor"), "userspace\n");
  EXPECT_EQ(setting.give_back(false), 0);
  EXPECT_EQ(tree.read("/sys/governor"), "performance\n");
}

TEST_F(Actuate, AClockThatHeatHoldsDownIsNoFailure) {
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  one.set(1200000);
  change([](auto& policy) { policy.heat_max_khz = 1200000; });
  one.set(2000000);
  EXPECT_EQ(one.report().in_force_khz, 1200000);
  EXPECT_EQ(one.report().error, 0);
}

TEST_F(Actuate, EveryRefusalIsReportedAndTheNextTryMayWork) {
  for (const int error : {EBUSY, EINVAL, EIO, EACCES}) {
    for (const ActuatorKind kind : {ActuatorKind::kSetSpeed, ActuatorKind::kBounds}) {
      PolicyActuator one = actuator(kind);
      kernel_.change(kFolder, [&](auto& policy) { policy.refuses = error; });
      one.set(800000);
      EXPECT_EQ(one.report().error, error);
      EXPECT_GE(one.report().refused, 1u);
      kernel_.change(kFolder, [&](auto& policy) { policy.refuses = 0; });
      one.set(800000);
      EXPECT_EQ(one.report().error, 0) << error;
      EXPECT_EQ(one.report().in_force_khz, 800000);
      one.hand_over();
      EXPECT_EQ(look().governor, "schedutil");
      EXPECT_EQ(look().user_max_khz, 2000000);
    }
  }
}

TEST_F(Actuate, WhatARefusedWriteLeavesInForceIsTold) {
  ScriptedHook hook;
  PolicyActuator one = actuator(ActuatorKind::kBounds, false, &hook);
  one.set(800000);
  change([](auto& policy) { policy.refuses = EIO; });
  // More tries than the two values that a settings file holds: else 800000 would be a stranger's.
  for (const int khz : {1200000, 1600000, 1200000}) {
    one.set(khz);
    EXPECT_EQ(hook.told.back(), "scaling_max_freq:2000000>" + std::to_string(khz));
    EXPECT_EQ(hook.read_backs.back(), "800000");
  }
  EXPECT_EQ(hook.told.size(), hook.read_backs.size());
}

TEST_F(Actuate, WithoutTheUserspaceModuleTheGovernorStays) {
  change([](auto& policy) { policy.no_userspace = true; });
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  one.set(800000);
  EXPECT_EQ(one.report().error, EINVAL);
  EXPECT_EQ(look().governor, "schedutil");
}

TEST_F(Actuate, AnotherProgramThatTakesThePolicyIsNotFought) {
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  one.set(800000);
  change([](auto& policy) { policy.governor = "performance"; });
  one.set(1200000);  // Linux refuses with EINVAL
  EXPECT_TRUE(one.report().stood_down);
  const int writes = kernel_.writes();
  one.set(400000);
  one.hand_over();
  EXPECT_EQ(kernel_.writes(), writes);
  EXPECT_EQ(look().governor, "performance");
}

TEST_F(Actuate, OfflineAndBackAgain) {
  change([](auto& policy) { policy.offline = true; });
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(800000);
  EXPECT_EQ(one.report().error, EBUSY);
  change([](auto& policy) {
    policy.offline = false;
    policy.user_max_khz = 1600000;
  });
  one.set(800000);
  EXPECT_EQ(one.report().error, 0);
  one.hand_over();
  EXPECT_EQ(look().user_max_khz, 1600000) << "as it was when it could first be read";
}

TEST_F(Actuate, ADriverThatIsLoadedAnewIsOpenedAnew) {
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(800000);
  change([](auto& policy) { policy.gone = true; });
  one.set(1200000);
  EXPECT_EQ(one.report().error, ENOENT);  // held: ENODEV; the path: ENOENT
  change([](auto& policy) {
    policy.gone = false;
    ++policy.epoch;
    policy.user_max_khz = 2000000;
  });
  one.set(1200000);
  EXPECT_EQ(one.report().error, 0);
  EXPECT_EQ(look().user_max_khz, 1200000);
}

TEST_F(Actuate, ADriverThatIsLoadedAnewIsTakenAnew) {
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  one.set(800000);
  change([](auto& policy) {
    ++policy.epoch;
    policy.governor = "schedutil";
  });
  one.set(1200000);
  one.set(1200000);
  EXPECT_FALSE(one.report().stood_down) << "nobody took it";
  EXPECT_EQ(one.report().error, 0);
  EXPECT_EQ(look().cur_khz, 1200000);
}

TEST_F(Actuate, WhoForgetsWhatWasSetDoesNotFightWhoTookIt) {
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed);
  one.set(800000);
  change([](auto& policy) { policy.governor = "performance"; });
  one.forget();
  one.set(800000);
  EXPECT_TRUE(one.report().stood_down);
  EXPECT_EQ(look().governor, "performance");
}

TEST_F(Actuate, BoundsLeaveTheGovernorAndTheLowestLimitAlone) {
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(1200000);
  EXPECT_EQ(look().governor, "schedutil");
  EXPECT_EQ(look().user_max_khz, 1200000);
  EXPECT_EQ(look().user_min_khz, 400000);
  one.hand_over();
  EXPECT_EQ(look().user_max_khz, 2000000);
}

TEST_F(Actuate, BoundsPinWhereTheGovernorStaysPutAndNeverCross) {
  change([](auto& policy) { policy.governor = "powersave"; });
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(1200000);
  one.set(1600000);
  one.set(800000);
  EXPECT_THAT(kernel_.log(), ElementsAre("scaling_min_freq=1200000", "scaling_max_freq=1200000",
                                         "scaling_max_freq=1600000", "scaling_min_freq=1600000",
                                         "scaling_min_freq=800000", "scaling_max_freq=800000"));
  one.hand_over();
  EXPECT_EQ(look().user_min_khz, 400000);
  EXPECT_EQ(look().user_max_khz, 2000000);
}

TEST_F(Actuate, ALimitThatHeatLoweredNeverBecomesTheUsers) {
  change([](auto& policy) { policy.heat_max_khz = 1200000; });
  PolicyActuator hot = actuator(ActuatorKind::kBounds, /*cooling=*/true);
  hot.set(800000);
  change([](auto& policy) { policy.heat_max_khz = 1'000'000'000; });
  hot.hand_over();
  EXPECT_EQ(look().user_max_khz, 2000000);

  PolicyActuator cold = actuator(ActuatorKind::kBounds);
  cold.set(1600000);
  change([](auto& policy) { policy.heat_max_khz = 1200000; });  // reads lower than we left it
  cold.hand_over();
  EXPECT_EQ(look().user_max_khz, 2000000);

  change([](auto& policy) { policy.heat_max_khz = 1200000; });
  PolicyActuator cooled = actuator(ActuatorKind::kBounds, /*cooling=*/true);
  cooled.set(1600000);  // reads as 1200000 until it is cooler
  change([](auto& policy) { policy.heat_max_khz = 1'000'000'000; });
  cooled.set(2000000);
  EXPECT_FALSE(cooled.report().stood_down) << "a limit that heat gives free is nobody's change";
  cooled.set(1600000);
  cooled.hand_over();
  EXPECT_EQ(look().user_max_khz, 2000000);
}

TEST_F(Actuate, ALimitThatTheUserSetsBeforeThePolicyIsTakenHolds) {
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(2000000);  // as it is: nothing is written, and nothing taken
  EXPECT_EQ(kernel_.writes(), 0);
  change([](auto& policy) { policy.user_max_khz = 1000000; });
  one.set(1600000);
  EXPECT_EQ(look().user_max_khz, 1000000);
  one.set(400000);
  EXPECT_EQ(look().user_max_khz, 400000);
  one.set(1600000);
  EXPECT_EQ(look().user_max_khz, 1000000);
  one.set(400000);
  one.hand_over();
  EXPECT_EQ(look().user_max_khz, 1000000);
}

TEST_F(Actuate, TheLimitOfAnotherProgramStaysWhenThePolicyIsLeftToIt) {
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(1600000);
  change([](auto& policy) { policy.user_max_khz = 800000; });
  one.stand_down();
  EXPECT_EQ(look().user_max_khz, 800000);
}

TEST_F(Actuate, AfterANapInTheHeatTheUsersLimitIsStillKnown) {
  const std::filesystem::path state =
      std::filesystem::temp_directory_path() / ("cooling" + std::to_string(getpid()));
  PolicyActuator one("", policy_of(kernel_.look(kFolder), kFolder), ActuatorKind::kBounds, false,
                     kernel_, nullptr, {state.string()});
  one.set(1600000);
  one.hand_over();
  std::ofstream(state) << "2\n";
  change([](auto& policy) { policy.heat_max_khz = 800000; });
  one.set(400000);
  std::ofstream(state) << "0\n";
  change([](auto& policy) { policy.heat_max_khz = 1'000'000'000; });
  one.hand_over();
  EXPECT_EQ(look().user_max_khz, 2000000);
  // Without heat, a lower one is the user's.
  change([](auto& policy) { policy.user_max_khz = 1600000; });
  one.set(400000);
  one.hand_over();
  EXPECT_EQ(look().user_max_khz, 1600000);
  std::filesystem::remove(state);
}

TEST_F(Actuate, ALimitThatSomebodyLowersIsNotWrittenOverAtOnce) {
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(1600000);
  change([](auto& policy) { policy.user_max_khz = 800000; });
  one.set(1200000);
  EXPECT_EQ(look().user_max_khz, 800000) << "whoever watches is to see it";
  EXPECT_EQ(one.report().error, EAGAIN);
  one.set(1200000);
  EXPECT_EQ(look().user_max_khz, 1200000) << "nobody was seen: the hardware's doing";
  EXPECT_EQ(one.report().error, 0);
}

TEST_F(Actuate, TheUsersOwnLimitsHold) {
  change([](auto& policy) {
    policy.user_min_khz = 800000;
    policy.user_max_khz = 1200000;
  });
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(2000000);
  EXPECT_EQ(look().user_max_khz, 1200000);
  one.set(400000);
  EXPECT_EQ(look().user_max_khz, 800000);
  one.hand_over();
  EXPECT_EQ(look().user_max_khz, 1200000);
}

TEST_F(Actuate, ALimitThatAnotherProgramRaisedStays) {
  change([](auto& policy) { policy.user_max_khz = 1600000; });
  PolicyActuator one = actuator(ActuatorKind::kBounds);
  one.set(800000);
  change([](auto& policy) { policy.user_max_khz = 2000000; });
  one.set(1200000);
  EXPECT_TRUE(one.report().stood_down) << "not fought";
  one.hand_over();
  EXPECT_EQ(look().user_max_khz, 2000000);
}

TEST_F(Actuate, TheHookHearsOfEveryWriteBeforeItAndCanForbidIt) {
  ScriptedHook hook;
  PolicyActuator one = actuator(ActuatorKind::kSetSpeed, false, &hook);
  hook.answer = ENOSPC;
  one.set(900000);
  EXPECT_EQ(one.report().error, ENOSPC);
  EXPECT_EQ(kernel_.writes(), 0);
  hook.answer = 0;
  one.set(900000);
  EXPECT_THAT(hook.told, ElementsAre("scaling_governor:schedutil>userspace",
                                     "scaling_governor:schedutil>userspace",
                                     "scaling_setspeed:2000000>900000"));
  EXPECT_THAT(hook.read_backs, ElementsAre("userspace", "1200000"));
}

TEST_F(Actuate, NoneWritesNothing) {
  PolicyActuator one = actuator(ActuatorKind::kNone);
  one.set(800000);
  one.hand_over();
  EXPECT_EQ(kernel_.writes(), 0);
}

/// Two policies, a hand for each, as two clusters have.
class Hands : public Actuate {
 protected:
  Hands() { kernel_.add(kOther, {400000, 800000, 1200000}); }
  std::vector<PolicyActuator> members(std::initializer_list<std::string> folders) {
    std::vector<PolicyActuator> all;
    for (const std::string& folder : folders) {
      all.emplace_back("", policy_of(kernel_.look(folder), folder), ActuatorKind::kSetSpeed, false,
                       kernel_, nullptr);
    }
    return all;
  }
  static HandReport settled(const ClockHand& hand) {
    while (hand.report().busy) std::this_thread::yield();
    return hand.report();
  }
};

TEST_F(Hands, AWriteThatHangsStopsNeitherTheCallerNorTheOthers) {
  ClockHand stuck(members({kFolder}));
  ClockHand free(members({kOther}));
  change([](auto& policy) { policy.hangs = std::chrono::seconds(2); });
  stuck.ask(800000);
  free.ask(800000);
  EXPECT_EQ(settled(free).in_force_khz, 800000);
  EXPECT_TRUE(stuck.report().busy) << "the other one was not waited for";
  free.ask(1200000);
  EXPECT_EQ(settled(free).in_force_khz, 1200000);
  EXPECT_TRUE(stuck.report().busy);
  stuck.ask(1200000);  // meanwhile: the last one counts
  stuck.ask(1600000);
  change([](auto& policy) { policy.hangs = {}; });
  EXPECT_EQ(settled(stuck).in_force_khz, 1600000);
  EXPECT_EQ(look().cur_khz, 1600000);
}

TEST_F(Hands, APolicyThatRefusesDoesNotStopTheOthersOfItsCluster) {
  change([](auto& policy) { policy.refuses = EIO; });
  ClockHand hand(members({kFolder, kOther}));
  hand.ask(800000);
  const HandReport report = settled(hand);
  EXPECT_EQ(report.error, EIO);
  EXPECT_EQ(report.in_force_khz, 800000);
  EXPECT_EQ(kernel_.look(kOther).cur_khz, 800000);
  const int writes = kernel_.writes();
  for (int i = 0; i < 100; ++i) hand.ask(800000);
  settled(hand);
  EXPECT_EQ(kernel_.writes(), writes) << "asked again a second later, not at once";
}

TEST_F(Hands, EndingGivesBack) {
  {
    ClockHand hand(members({kFolder, kOther}));
    hand.ask(800000);
    settled(hand);
    EXPECT_EQ(look().governor, "userspace");
  }
  EXPECT_EQ(look().governor, "schedutil");
  EXPECT_EQ(kernel_.look(kOther).governor, "schedutil");
}

TEST_F(Hands, HandingOverAndTakingAgain) {
  ClockHand hand(members({kFolder}));
  hand.ask(800000);
  settled(hand);
  hand.hand_over();
  settled(hand);
  EXPECT_EQ(look().governor, "schedutil");
  hand.ask(800000);
  EXPECT_EQ(settled(hand).in_force_khz, 800000);
}

}  // namespace
}  // namespace flyball
