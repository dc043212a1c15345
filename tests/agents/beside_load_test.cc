// Who decides of a clock where jobs and other load meet.

#include "agents/beside_load.h"

#include <gtest/gtest.h>

#include "agents/plain_load.h"
#include "env/spaces/reward.h"

namespace flyball {
namespace {

constexpr std::int64_t kMs = 1'000'000;

/// Asks for operating point 1 everywhere and remembers what it was told.
struct Asker final : Agent {
  std::string_view name() const override { return "asker"; }
  EpochRequest epoch() const override { return {.interval_ns = 50 * kMs, .stop_at_release = true}; }
  void bind(int, const Binding&, const Observation&) override {}
  void unbind(int) override {}
  void decide(const Observation& now, Decision& out) noexcept override {
    for (int c = 0; c < now.cluster_count; ++c) out.action.opp[static_cast<std::size_t>(c)] = 1;
    out.action.app[0].mapping = mapping;
    out.probability = 0.5;
  }
  bool alternatives(const Observation&, const Decision& decided, DrawnActions& out) const override {
    out.take(decided.action, 0.5, {});
    Action other = decided.action;
    other.opp[0] = 3;
    out.take(other, 0.5, {});
    return true;
  }
  void replaced(const Observation&, const Action& decided,
                const Action& applied) noexcept override {
    told_decided = decided;
    told_applied = applied;
    ++told;
  }
  std::uint8_t mapping = 0;
  Action told_decided, told_applied;
  int told = 0;
};

class BesideLoadTest : public ::testing::Test {
 protected:
  BesideLoadTest() {
    now_.cluster_count = static_cast<int>(platform_.clusters.size());
    now_.app_count = 1;
    now_.app[0].generation = 1;
    now_.app[0].active = true;
    for (int c = 0; c < now_.cluster_count; ++c) {
      now_.cluster[c].opp_cap = static_cast<std::uint8_t>(platform_.clusters[c].max_opp());
      now_.cluster[c].temp_c = 40;
    }
    auto asker = std::make_unique<Asker>();
    asker_ = asker.get();
    agent_ = std::make_unique<BesideLoad>(std::move(asker), AgentContext{belief_, {}});
    agent_->begin_run();
    asker_->mapping = static_cast<std::uint8_t>(platform_.find_mapping(0, 1));
    now_.app[0].setting.mapping = asker_->mapping;
  }
  /// An epoch in which each cluster was that busy, at the clock that was asked for.
  const Action& epoch(double big, double little, bool job = false) {
    now_.now_ns += PlainLoad::kEpochNs;
    now_.epoch_ns = PlainLoad::kEpochNs;
    const double busy[] = {big, little};
    for (int c = 0; c < 2; ++c) {
      ClusterObservation& cluster = now_.cluster[c];
      cluster.util_max = cluster.util_mean = busy[c];
      cluster.opp = decision_.action.opp[static_cast<std::size_t>(c)];
      cluster.freq_khz = platform_.clusters[static_cast<std::size_t>(c)].opps[cluster.opp].freq_khz;
    }
    now_.app[0].running.busy = job;
    now_.app[0].running.setting = now_.app[0].setting;
    decision_.reset();
    agent_->decide(now_, decision_);
    return decision_.action;
  }
  int top(int c) const { return platform_.clusters[static_cast<std::size_t>(c)].max_opp(); }

  PlatformSpec platform_ = load_platform("odroid_xu3");
  Belief belief_ = Belief::of(platform_);
  Asker* asker_;
  std::unique_ptr<BesideLoad> agent_;
  Observation now_;
  Decision decision_;
};

TEST_F(BesideLoadTest, TheAgentHasItsClusterAndPlainLoadTheOther) {
  for (int i = 0; i < 5; ++i) epoch(0, 1);
  EXPECT_EQ(decision_.action.opp[0], 1);
  EXPECT_EQ(decision_.action.opp[1], top(1));
  for (int i = 0; i < 60; ++i) epoch(0, 0);
  EXPECT_EQ(decision_.action.opp[0], 1);
  EXPECT_LT(decision_.action.opp[1], top(1));
  // Gone, its cluster is plain load's as well.
  now_.app[0].generation = 2;
  for (int i = 0; i < 5; ++i) epoch(1, 0);
  EXPECT_EQ(decision_.action.opp[0], top(0));
}

TEST_F(BesideLoadTest, ABusyJobIsNotTakenForOtherLoad) {
  for (int i = 0; i < 40; ++i) {
    epoch(1, 0, true);
    EXPECT_EQ(decision_.action.opp[0], 1);
  }
}

TEST_F(BesideLoadTest, OtherLoadOnTheSameClusterLiftsTheClockAndIsForgottenInTime) {
  for (int i = 0; i < 5; ++i) epoch(1, 0);
  EXPECT_EQ(decision_.action.opp[0], top(0));
  epoch(1, 0, true);
  EXPECT_EQ(decision_.action.opp[0], top(0)) << "it was there a moment ago";
  for (int i = 0; i < 120; ++i) epoch(1, 0, true);
  EXPECT_EQ(decision_.action.opp[0], 1) << "nobody has seen it for two seconds";
}

TEST_F(BesideLoadTest, WhatIsCreditedIsWhatWasDone) {
  for (int i = 0; i < 5; ++i) epoch(1, 0);
  const Action done = decision_.action;
  agent_->learn(now_, done, Reward{});
  ASSERT_EQ(asker_->told, 1);
  EXPECT_EQ(asker_->told_decided.opp[0], 1);
  EXPECT_EQ(asker_->told_applied.opp[0], top(0));
  // The shield's word is passed on, once.
  epoch(1, 0);
  Action shielded = decision_.action;
  shielded.opp[0] = 5;
  agent_->replaced(now_, decision_.action, shielded);
  agent_->learn(now_, shielded, Reward{});
  EXPECT_EQ(asker_->told, 2);
  EXPECT_EQ(asker_->told_applied.opp[0], 5);
}

TEST_F(BesideLoadTest, DrawsAreLiftedAsWhatIsDone) {
  struct Sum final : DrawnActions {
    void take(const Action& action, double probability, const Trial&) override {
      if (action == of) sum += probability;
    }
    Action of;
    double sum = 0;
  } sum;
  epoch(0, 1);
  sum.of = decision_.action;
  ASSERT_TRUE(agent_->alternatives(now_, decision_, sum));
  EXPECT_DOUBLE_EQ(sum.sum, 0.5);
  // Both draws end at the top.
  for (int i = 0; i < 5; ++i) epoch(1, 0);
  sum.of = decision_.action;
  sum.sum = 0;
  ASSERT_TRUE(agent_->alternatives(now_, decision_, sum));
  EXPECT_DOUBLE_EQ(sum.sum, 1);
}

TEST_F(BesideLoadTest, AnEpochEndsAsBothNeedIt) {
  EXPECT_EQ(agent_->epoch().interval_ns, PlainLoad::kEpochNs);
  EXPECT_TRUE(agent_->epoch().stop_at_release);
}

}  // namespace
}  // namespace flyball
