// Which power profile is active: the rules of power-profiles-daemon, by its own documentation of
// HoldProfile, ReleaseProfile and ActiveProfile.

#include "governor/desktop/profiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flyball {
namespace {

constexpr PowerProfile kSaver = PowerProfile::kPowerSaver, kBalanced = PowerProfile::kBalanced,
                       kPerformance = PowerProfile::kPerformance;

std::uint32_t hold(ProfileHolds& holds, PowerProfile profile,
                   const std::string& requester = ":1.1") {
  ProfileHolds::Change change;
  const std::uint32_t cookie = holds.hold({profile, "why", "app", requester, false}, change);
  EXPECT_TRUE(change.holds);
  return cookie;
}

TEST(ProfileHolds, AHeldProfileIsActiveUntilItIsReleased) {
  ProfileHolds holds;
  EXPECT_EQ(holds.active(), kBalanced);
  const std::uint32_t cookie = hold(holds, kPerformance);
  EXPECT_EQ(holds.active(), kPerformance);
  const ProfileHolds::Change change = holds.release(cookie);
  EXPECT_TRUE(change.active && change.holds);
  ASSERT_EQ(change.released.size(), 1u);  // who held is told, whoever released
  EXPECT_EQ(change.released[0].first, cookie);
  EXPECT_EQ(holds.active(), kBalanced);
  EXPECT_FALSE(holds.release(cookie).holds);
}

TEST(ProfileHolds, PowerSaverIsHeldBeforePerformanceWhoeverCameFirst) {
  for (const bool saver_first : {false, true}) {
    ProfileHolds holds;
    const std::uint32_t first = hold(holds, saver_first ? kSaver : kPerformance);
    const std::uint32_t second = hold(holds, saver_first ? kPerformance : kSaver);
    EXPECT_NE(first, second);
    EXPECT_EQ(holds.active(), kSaver);
    holds.release(saver_first ? first : second);
    EXPECT_EQ(holds.active(), kPerformance);
    holds.release(saver_first ? second : first);
    EXPECT_EQ(holds.active(), kBalanced);
  }
}

TEST(ProfileHolds, TheLastOneToGoLeavesWhatTheUserSelected) {
  ProfileHolds holds;
  EXPECT_TRUE(holds.select(kSaver).active);
  const std::uint32_t cookie = hold(holds, kPerformance);
  EXPECT_EQ(holds.active(), kPerformance);
  holds.release(cookie);
  EXPECT_EQ(holds.active(), kSaver);
  // A hold of what is active anyway changes nothing, neither when it comes nor when it goes.
  ProfileHolds::Change change;
  const std::uint32_t same = holds.hold({kSaver, "", "", ":1.2", false}, change);
  EXPECT_FALSE(change.active);
  EXPECT_FALSE(holds.release(same).active);
  EXPECT_EQ(holds.active(), kSaver);
}

TEST(ProfileHolds, WhatTheUserSelectsEndsAllHolds) {
  ProfileHolds holds;
  hold(holds, kPerformance, ":1.1");
  hold(holds, kPerformance, ":1.2");
  // What is active already is no selection.
  EXPECT_TRUE(holds.select(kPerformance).released.empty());
  EXPECT_EQ(holds.holds().size(), 2u);
  const ProfileHolds::Change change = holds.select(kBalanced);
  EXPECT_EQ(change.released.size(), 2u);
  EXPECT_TRUE(change.active && change.holds);
  EXPECT_TRUE(holds.holds().empty());
  EXPECT_EQ(holds.active(), kBalanced);
}

TEST(ProfileHolds, EndWithWhoeverAskedForThem) {
  ProfileHolds holds;
  hold(holds, kSaver, ":1.1");
  hold(holds, kSaver, ":1.1");
  hold(holds, kPerformance, ":1.2");
  EXPECT_EQ(holds.requester_gone(":1.1").released.size(), 2u);
  EXPECT_EQ(holds.active(), kPerformance);
  EXPECT_FALSE(holds.requester_gone(":1.7").holds);
}

TEST(ProfileHolds, BecomeThePreferenceOfAGovernor) {
  EXPECT_EQ(preference_of(kPerformance, true), 0);
  EXPECT_EQ(preference_of(kSaver, false), 1);
  EXPECT_LT(preference_of(kBalanced, false), preference_of(kBalanced, true));
  for (const PowerProfile profile : {kSaver, kBalanced, kPerformance})
    EXPECT_EQ(profile_named(profile_name(profile)), profile);
  EXPECT_FALSE(profile_named("turbo"));
}

}  // namespace
}  // namespace flyball
