#include "env/spaces/reward.h"

#include <gtest/gtest.h>

namespace flyball {
namespace {

/// An epoch of 0.5 s in which everything went wrong a little.
Observation troubled_epoch() {
  Observation out;
  out.epoch_ns = 500'000'000;
  out.energy_mj = 300;
  out.power_mw = 600;
  out.energy_preference = 0.5;
  out.cluster_count = 2;
  out.app_count = 2;
  out.cluster[0].temp_c = 84;
  out.cluster[1].temp_c = 79;
  out.app[0].active = true;
  out.app[0].required.priority = 2;
  out.app[0].required.energy_budget_mj = 50;
  out.app[0].missed = 3;
  out.app[1].active = true;
  out.app[1].required.power_budget_mw = 400;
  JobRecord job;
  job.energy_mj = 70;
  job.accuracy_pct = 60;
  job.accuracy_floor_pct = 64;
  out.add_job(job);
  job.accuracy_pct = 70;  // above the floor earns nothing
  job.energy_mj = 40;     // and so does being below the budget
  out.add_job(job);
  job.dropped = true;
  job.accuracy_pct = 0;
  job.energy_mj = 0;
  out.add_job(job);
  return out;
}

TEST(Reward, IsTheDocumentedSum) {
  const RewardWeights weights{.miss = 3,
                              .accuracy_per_pct = 0.5,
                              .budget = 2,
                              .heat_per_c_s = 0.2,
                              .temp_limit_c = 80,
                              .ref_energy_mj = 100};
  const RewardParts parts = reward_parts(weights, troubled_epoch());
  EXPECT_DOUBLE_EQ(parts.energy, 3);                       // 2 * 0.5 * 300 / 100
  EXPECT_DOUBLE_EQ(parts.misses, 18);                      // 3 * 2 * 3
  EXPECT_DOUBLE_EQ(parts.accuracy, 2);                     // 0.5 * 4
  EXPECT_DOUBLE_EQ(parts.budget, 2 * (20 + 100) / 100.0);  // 20 mJ and 200 mW * 0.5 s
  EXPECT_DOUBLE_EQ(parts.heat, 0.2 * 4 * 0.5);
  EXPECT_DOUBLE_EQ(parts.total(), -(3 + 18 + 2 + 2.4 + 0.4));
}

TEST(Reward, PreferenceScalesTheEnergyTermOnly) {
  const RewardWeights weights{.ref_energy_mj = 100};
  Observation out = troubled_epoch();
  const RewardParts middle = reward_parts(weights, out);
  out.energy_preference = 0;
  EXPECT_EQ(reward_parts(weights, out).energy, 0);
  out.energy_preference = 1;
  EXPECT_DOUBLE_EQ(reward_parts(weights, out).energy, 2 * middle.energy);
  EXPECT_EQ(reward_parts(weights, out).misses, middle.misses);
}

TEST(Reward, ACalmEpochCostsItsEnergy) {
  Observation out;
  out.epoch_ns = 50'000'000;
  out.energy_mj = 10;
  const RewardWeights weights{.ref_energy_mj = 100};
  EXPECT_DOUBLE_EQ(reward_parts(weights, out).total(), -0.1);
}

}  // namespace
}  // namespace flyball
