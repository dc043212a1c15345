// Training whose best moment is kept.
#include "governor/compare/curriculum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "governor/compare/compare.h"

namespace flyball::test {
namespace {

class CurriculumTest : public ::testing::Test {
 protected:
  CurriculumTest() {
    scenario_.duration_ns = 6'000'000'000;
    for (AppSpec& app : scenario_.apps) app.stop_ns = std::min(app.stop_ns, scenario_.duration_ns);
  }
  Curriculum curriculum(int episodes) const {
    Curriculum of{platform_, belief_, {scenario_}, "q_learning"};
    of.episodes = episodes;
    of.first_seed = 101;
    return of;
  }
  double reward_of(const std::vector<std::uint8_t>& learned) const {
    CompareOptions options;
    options.policies = {{"q_learning", learned}};
    options.seeds = 8;
    double sum = 0;
    for (const Metrics& metrics : compare(platform_, scenario_, options)[0].per_seed)
      sum += metrics.reward;
    return sum / options.seeds;
  }

  PlatformSpec platform_ = load_platform("odroid_xu3");
  Belief belief_ = Belief::of(platform_);
  Scenario scenario_ = load_scenario("single_periodic", platform_);
};

TEST_F(CurriculumTest, WhatWasLearnedPays) {
  const TrainedPolicy trained = train_curriculum(curriculum(24));
  EXPECT_GT(reward_of(trained.learned), reward_of({}));
  EXPECT_GT(trained.gain.lo, 0) << "and it says so";
  Curriculum more = curriculum(8);
  more.start = trained.learned;
  const TrainedPolicy went_on = train_curriculum(more);
  EXPECT_EQ(went_on.checkpoints[0].reward, trained.checkpoints[trained.kept.value()].reward)
      << "it goes on from what was learned";
}

TEST_F(CurriculumTest, GivesTheSameBytesWhateverTheNumberOfThreads) {
  Curriculum of = curriculum(16);
  of.lanes = 3;
  of.boards = 4;
  of.threads = 1;
  const TrainedPolicy one = train_curriculum(of);
  of.threads = 4;
  const TrainedPolicy four = train_curriculum(of);
  EXPECT_EQ(one.learned, four.learned);
  EXPECT_EQ(one.kept, four.kept);
  EXPECT_EQ(one.gain.mean, four.gain.mean);
  ASSERT_EQ(one.checkpoints.size(), four.checkpoints.size());
  for (std::size_t i = 0; i < one.checkpoints.size(); ++i)
    EXPECT_EQ(one.checkpoints[i].reward, four.checkpoints[i].reward);
}

TEST_F(CurriculumTest, KeepsTheBestOfWhatWasTried) {
  Curriculum of = curriculum(40);
  of.lanes = 3;
  const TrainedPolicy trained = train_curriculum(of);
  const auto worse = [](const Checkpoint& a, const Checkpoint& b) { return a.reward < b.reward; };
  const double best = std::ranges::max_element(trained.checkpoints, worse)->reward;
  EXPECT_EQ(trained.checkpoints[trained.kept.value()].reward, best);
  EXPECT_EQ(trained.checkpoints.size(), 1u + 3 * 5);
  std::set<double> apart;
  for (std::size_t i = 1; i <= 3; ++i) apart.insert(trained.checkpoints[i].reward);
  EXPECT_GT(apart.size(), 1u) << "learners have seeds of their own";
}

TEST_F(CurriculumTest, KeepsWhatItBeganWithWhenNothingIsBetter) {
  const TrainedPolicy good = train_curriculum(curriculum(24));
  // An episode more of a good policy is in vain every so often.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Curriculum of = curriculum(1);
    of.lanes = 1;
    of.first_seed = seed;
    of.start = good.learned;
    const TrainedPolicy trained = train_curriculum(of);
    ASSERT_EQ(trained.checkpoints.size(), 2u);
    if (trained.checkpoints[1].reward >= trained.checkpoints[0].reward) continue;
    EXPECT_EQ(trained.kept, 0u);
    EXPECT_EQ(trained.learned, good.learned);
    EXPECT_EQ(trained.gain.mean, 0);
    return;
  }
  FAIL() << "no seed shows it: choose another start";
}

TEST_F(CurriculumTest, EndsWhenNothingGetsBetter) {
  Curriculum of = curriculum(400);
  of.agent = "random";  // learns nothing
  of.scenarios[0].duration_ns = 2'000'000'000;
  of.scenarios[0].apps[0].stop_ns = 2'000'000'000;
  const TrainedPolicy trained = train_curriculum(of);
  EXPECT_TRUE(trained.ended_early);
  EXPECT_LE(trained.checkpoints.back().episodes, 240);
}

TEST_F(CurriculumTest, StoppedItReturnsWhatIsThere) {
  std::atomic<bool> stop = false;
  int episodes = 0;
  Curriculum of = curriculum(1000);
  of.stop = &stop;
  of.on_episode = [&](int, const Metrics& metrics) {
    EXPECT_GT(metrics.jobs, 0);
    stop = ++episodes == 2;
  };
  const TrainedPolicy trained = train_curriculum(of);
  EXPECT_EQ(episodes, 2);
  EXPECT_FALSE(trained.learned.empty());
  EXPECT_EQ(trained.gain.pairs, 0);
}

TEST_F(CurriculumTest, ScenariosTakeTurns) {
  Curriculum of = curriculum(6);
  of.scenarios.push_back(scenario_);
  std::vector<int> turns;
  of.on_episode = [&](int scenario, const Metrics&) { turns.push_back(scenario); };
  train_curriculum(of);
  EXPECT_EQ(turns, (std::vector<int>{0, 1, 0, 1, 0, 1}));
}

}  // namespace
}  // namespace flyball::test
