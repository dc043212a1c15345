// Sensors that a scenario spoils fool who decides and who records, and nobody who measures.
#include <gtest/gtest.h>

#include "agents/agent.h"
#include "env/model/platform_spec.h"
#include "governor/compare/compare.h"
#include "governor/compare/recovery.h"
#include "governor/compare/simulation.h"
#include "governor/metrics/session.h"

namespace flyball {
namespace {

class SensedSession : public ::testing::Test {
 protected:
  SensedSession() { scenario_.duration_ns = 20'000'000'000; }

  struct Energy final : EpochSink {
    void on_epoch(const EpochEvent& event) noexcept override { mj += event.outcome.energy_mj; }
    double mj = 0;
  };
  struct Figures {
    Metrics metrics;
    double seen_mj = 0, measured_mj = 0;
  };
  Figures run(const std::string& policy) {
    const Stage stage = simulate(spec_, scenario_, 5);
    const Belief belief = Belief::of(spec_);
    const RewardWeights weights = reward_weights(belief);
    const auto agent = make_agent(policy, {belief, weights, 5, stage.truth});
    Energy seen, measured;
    SessionOptions options;
    options.sinks = {&seen};
    options.measuring = {&measured};
    Figures all;
    all.metrics = run_session(*stage.platform, belief, *agent, weights, options).metrics;
    all.seen_mj = seen.mj;
    all.measured_mj = measured.mj;
    return all;
  }

  const PlatformSpec spec_ = load_platform("odroid_xu3");
  Scenario scenario_ = load_scenario("single_periodic", spec_);
};

TEST_F(SensedSession, FiguresAreOfWhatReallyWas) {
  const Figures good = run("performance");  // which looks at no sensor
  EXPECT_EQ(good.seen_mj, good.measured_mj);
  scenario_.sensors = {.stuck_from_ns = 0};  // at the power of the first epoch
  const Figures bad = run("performance");
  EXPECT_GT(std::abs(bad.seen_mj / good.seen_mj - 1), 0.1);
  EXPECT_EQ(bad.measured_mj, good.measured_mj);
  EXPECT_EQ(bad.metrics.energy_mj_per_job, good.metrics.energy_mj_per_job);
  EXPECT_EQ(bad.metrics.power_mean_mw, good.metrics.power_mean_mw);
  EXPECT_EQ(bad.metrics.reward, good.metrics.reward);
}

TEST_F(SensedSession, TheSameSeedIsFooledAlikeAndAnotherOtherwise) {
  scenario_.sensors = {.noise = 0.2};
  EXPECT_EQ(run("performance").seen_mj, run("performance").seen_mj);
  EXPECT_NE(run("performance").seen_mj, run("performance").measured_mj);
}

TEST_F(SensedSession, RecoveryIsTakenFromEveryUnannouncedChange) {
  scenario_.sensors = {.stuck_from_ns = 5'000'000'000};
  AppSpec& app = scenario_.apps[0];
  app.work_trends = {{2'000'000'000, 3'000'000'000, 1, 2}, {9'000'000'000, 9'000'000'000, 1, 2}};
  const std::vector<std::int64_t> at = {2'000'000'000, 3'000'000'000, 5'000'000'000, 9'000'000'000};
  EXPECT_EQ(changes_of(scenario_), at);
}

}  // namespace
}  // namespace flyball
