#include "agents/app_table.h"

#include <gtest/gtest.h>

#include "env/model/model.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

struct AppTableTest : testing::Test {
  AppTableTest() { now.app[5].required.deadline_ns = 40'000'000; }
  Binding unknown() const {
    return with_widths(
        "x", "nobody_knows",
        {{.width_pct = 50, .accuracy_pct = 60}, {.width_pct = 100, .accuracy_pct = 70}}, 2);
  }
  TinyWorld world;
  Belief belief = Belief::of(world.platform);
  AppTable<int> table{belief};
  Observation now = world.idle();
};

TEST_F(AppTableTest, AKnownProfileIsTheBeliefs) {
  EXPECT_EQ(table.count(), 0);
  EXPECT_FALSE(table.bound(3));
  auto& slot = table.bind(3, world.binding(0), now);
  EXPECT_FALSE(table.bound(3)) << "until it has something of the agent's own";
  slot.own = 7;
  EXPECT_TRUE(table.bound(3));
  EXPECT_EQ(*table.find(3), 7);
  EXPECT_EQ(slot.name, "camera");
  EXPECT_EQ(slot.known, 0);
  EXPECT_EQ(&table.profile(3), &belief.mean.apps[0]);
  EXPECT_EQ(table.count(), 4);
}

TEST_F(AppTableTest, AnUnknownOneIsNeutral) {
  auto& slot = table.bind(5, unknown(), now);
  slot.own = 1;
  EXPECT_EQ(slot.known, -1);
  EXPECT_EQ(slot.threads, 2);
  const AppProfile& profile = table.profile(5);
  ASSERT_EQ(profile.level_count(), 2);
  EXPECT_DOUBLE_EQ(profile.levels[1].accuracy_pct, 70);
  // Half of its deadline of 40 ms on one big core at its highest clock.
  EXPECT_NEAR(
      execution_ns(belief.mean, profile, belief.mean.mappings[0], 1, highest_opps(belief.mean)),
      20e6, 1);
}

TEST_F(AppTableTest, CountFallsToTheHighestThatIsLeft) {
  for (int a : {0, 2, 9}) table.bind(a, world.binding(0), now).own = a;
  EXPECT_EQ(table.count(), 10);
  table.unbind(2);
  EXPECT_EQ(table.count(), 10);
  EXPECT_EQ(table.find(2), nullptr);
  table.unbind(9);
  EXPECT_EQ(table.count(), 1);
  table.clear();
  EXPECT_EQ(table.count(), 0);
  EXPECT_EQ(table.find(0), nullptr);
}

TEST_F(AppTableTest, WhoComesNextFindsNothingOfTheOneBefore) {
  table.bind(5, unknown(), now).own = 1;
  auto& slot = table.bind(5, world.binding(0), now);
  EXPECT_FALSE(slot.own.has_value());
  EXPECT_EQ(slot.neutral, nullptr);
  EXPECT_EQ(slot.known, 0);
  EXPECT_EQ(slot.threads, 1);
}

}  // namespace
}  // namespace flyball
