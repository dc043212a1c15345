// A Q-learner whose decisions the shield replaces: how likely what is executed was, and what is
// learned from it.

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "agents/q_learning.h"
#include "env/sim/simulator.h"
#include "governor/loop/control_loop.h"
#include "tests/agents/drawn.h"
#include "tests/agents/learned_tables.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

/// A board of which the shield believes that its little cores are ten times as slow as the agent
/// does: whatever the agent wants to do there, it does not get.
class ShieldedLearner : public ::testing::Test {
 protected:
  ShieldedLearner() {
    world_.scenario.apps[0].stop_ns = world_.scenario.duration_ns;
    world_.scenario.apps[0].work_cv = 0.1;
    PlatformSpec slow = world_.platform;
    slow.apps[0].unit[1].mcycles *= 10;
    cautious_ = Belief::of(slow);
  }
  /// Runs a scenario with an agent that is then asked what it has learned.
  void run(Agent& agent, std::uint64_t seed, EpochSink& sink) {
    Simulator platform(world_.platform, world_.scenario, {.seed = seed});
    Shield shield(cautious_, {.guard_idle = false});
    ControlLoop loop(platform, agent, shield, world_.weights);
    loop.add_sink(sink);
    loop.run();
  }
  bool only_little(int mapping) const {
    return world_.platform.mappings[static_cast<std::size_t>(mapping)].cores[0] == 0;
  }

  TinyWorld world_;
  Belief cautious_;
};

class Watch final : public EpochSink {
 public:
  void on_epoch(const EpochEvent& event) noexcept override {
    replaced += event.verdict == Shield::Verdict::kReplaced;
    for (const JobRecord& job : event.outcome.jobs()) {
      if (!job.dropped) ++jobs[job.setting.mapping];
    }
  }
  int replaced = 0;
  std::map<int, int> jobs;  ///< by mapping
};

TEST_F(ShieldedLearner, IsCreditedWithWhatIsExecuted) {
  QLearning agent(world_.context());
  Watch watch;
  run(agent, 1, watch);
  EXPECT_GT(watch.replaced, 20);
  int all = 0;
  std::uint64_t learned = 0;
  const LearnedTables tables = LearnedTables::of(agent);
  for (int m = 0; m < static_cast<int>(world_.platform.mappings.size()); ++m) {
    const std::uint64_t visits = tables.profile[0].slow.visits_of[static_cast<std::size_t>(m)];
    all += watch.jobs[m];
    learned += visits;
    // The first job had what the platform was found with.
    EXPECT_LE(visits, static_cast<std::uint64_t>(watch.jobs[m])) << "mapping " << m;
    if (only_little(m)) {
      EXPECT_EQ(visits, 0u) << "mapping " << m << " was never to be had";
    }
  }
  EXPECT_GT(all, 200);
  EXPECT_GE(static_cast<int>(learned), all - 2) << "replaced or not, there is a lesson in it";
  EXPECT_GT(static_cast<double>(tables.fast().visits), 0.9 * all);
}

class FirstDraw final : public EpochSink {
 public:
  void on_epoch(const EpochEvent& event) noexcept override {
    if (event.decided.probability == 1 || seen) return;
    seen = true;
    executed = Drawn::key(event.applied);
    probability = static_cast<double>(event.decided.probability);
    replaced = event.verdict == Shield::Verdict::kReplaced;
  }
  bool seen = false, replaced = false;
  std::string executed;
  double probability = 0;
};

TEST_F(ShieldedLearner, WhatIsExecutedComesAsOftenAsIsSaid) {
  constexpr int kRuns = 3000;
  // An application of which the learner knows nothing: what is worth a trial is not planned, but left
  // to chance. It takes the little cores for about as dear as the big ones, so that there is something
  // to draw from.
  TinyWorld believed = world_;
  believed.platform.apps[0].name = "another";
  believed.platform.clusters[1].uncore_nf = 0.3;
  world_.scenario.duration_ns = 600'000'000;
  world_.scenario.apps[0].stop_ns = world_.scenario.duration_ns;
  struct Count {
    int times = 0, replaced = 0;
    double said = 0;
  };
  std::map<std::string, Count> executed;
  for (int i = 0; i < kRuns; ++i) {
    believed.seed = static_cast<std::uint64_t>(i);
    QLearning agent(believed.context());
    FirstDraw first;
    run(agent, 1, first);
    ASSERT_TRUE(first.seen);
    Count& count = executed[first.executed];
    if (count.times++ == 0) count.said = first.probability;
    ASSERT_NEAR(count.said, first.probability, 1e-6) << "the same in every run";
    count.replaced += first.replaced;
  }
  EXPECT_GT(executed.size(), 1u);
  double sum = 0;
  int merged = 0;
  for (const auto& [action, count] : executed) {
    sum += count.said;
    merged += count.replaced > 0 && count.replaced < count.times;
    const double p = count.said;
    EXPECT_NEAR(count.times, kRuns * p, 4 * std::sqrt(kRuns * p * (1 - p)) + 1e-6) << p;
  }
  EXPECT_NEAR(sum, 1, 0.01) << "all but what never came";
  EXPECT_GT(merged, 0) << "decided by some, put in the place of what others decided";
}

}  // namespace
}  // namespace flyball
