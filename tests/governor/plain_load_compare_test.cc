// Plain load in `compare`: the shipped scenarios, and rt-app's efficiency by hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

#include "env/scenario/plain_tasks.h"
#include "governor/compare/compare.h"
#include "tests/env/round_board.h"
#include "tests/governor/subprocess.h"

namespace flyball {
namespace {

using ::testing::HasSubstr;

std::vector<PolicyResult> run(const PlatformSpec& platform, const Scenario& scenario,
                              const std::vector<PolicyChoice>& policies, int seeds) {
  CompareOptions options;
  options.policies = policies;
  options.seeds = seeds;
  return compare(platform, scenario, options);
}

double mean(const PolicyResult& result, double Metrics::*field) {
  double sum = 0;
  for (const Metrics& metrics : result.per_seed) sum += metrics.*field;
  return sum / static_cast<double>(result.per_seed.size());
}

// What it may take more, and be late with more, than schedutil: as good but for pictures that vary and have
// a frame to be drawn in: schedutil sees within one that it is long, and plain_load not before its epoch ends.
TEST(PlainLoadScenarios, PlainLoadIsCloseToSchedutil) {
  struct Bound {
    std::string name;
    double energy, late_points;
  };
  for (const auto& [name, energy, late_points] :
       {Bound{"audio", 1.02, 0.5}, Bound{"video", 1.04, 0.5}, Bound{"browser", 1.02, 3},
        Bound{"build", 1.02, 1}, Bound{"idle_phone", 1.02, 0.5}}) {
    PlatformSpec platform = load_platform("odroid_xu3");
    add_task_profiles(name, platform);
    Scenario scenario = load_scenario(name, platform);
    scenario.duration_ns = std::min<std::int64_t>(scenario.duration_ns, 30'000 * kMs);
    for (AppSpec& app : scenario.apps) app.stop_ns = scenario.duration_ns;
    const auto results = run(platform, scenario, {{"plain_load"}, {"schedutil"}}, 2);
    const PolicyResult &own = results[0], &linux_governor = results[1];
    EXPECT_LE(mean(own, &Metrics::energy_mj_per_job),
              energy * mean(linux_governor, &Metrics::energy_mj_per_job))
        << name;
    EXPECT_LE(mean(own, &Metrics::deadline_miss_pct),
              mean(linux_governor, &Metrics::deadline_miss_pct) + late_points)
        << name;
    EXPECT_TRUE(std::isnan(own.per_seed[0].accuracy_pct)) << "plain load has none";
  }
}

/// One to six tasks with periods of 5 to 200 ms that take 5 to 90 % of them on the fastest core: regular, at
/// random, or in bursts.
Scenario drawn_load(PlatformSpec& platform, unsigned seed) {
  std::mt19937 random(seed);
  const auto between = [&](double least, double most) {
    return least + (most - least) * static_cast<double>(random()) / 4294967296.0;
  };
  Scenario scenario;
  scenario.name = "drawn";
  scenario.plain_load = true;
  scenario.duration_ns = 10'000 * kMs;
  const int tasks = 1 + static_cast<int>(random() % 6);
  for (int i = 0; i < tasks; ++i) {
    const double period_ms = 5 * std::pow(40, between(0, 1));
    const double share = 0.05 * std::pow(18, between(0, 1));
    AppSpec app;
    app.name = "task" + std::to_string(i);
    platform.apps.push_back(
        task_profile(platform, {app.name, share * period_ms, between(0, 0.4), 1, {}}));
    app.profile = static_cast<int>(platform.apps.size()) - 1;
    app.work_cv = between(0.05, 0.6);
    app.queue_limit = 1;
    app.stop_ns = scenario.duration_ns;
    app.arrival.period_ns = std::llround(period_ms * 1e6);
    app.required.period_ns = app.required.deadline_ns = app.arrival.period_ns;
    switch (random() % 3) {
      case 1:
        app.arrival.kind = Arrival::Kind::kPoisson;
        break;
      case 2:
        app.arrival.kind = Arrival::Kind::kBursty;
        app.arrival.burst_jobs = 5 + static_cast<int>(random() % 40);
        app.arrival.burst_gap_ns = app.arrival.period_ns;
        app.arrival.period_ns *= 2 * app.arrival.burst_jobs;
        break;
      default:
        break;
    }
    scenario.apps.push_back(app);
  }
  return scenario;
}

// Misses come first: many of these loads schedutil is late with, and plain_load takes more power then.
TEST(PlainLoadScenarios, PlainLoadIsNotLaterThanSchedutilOnDrawnLoads) {
  for (const char* board : {"odroid_xu3", "snapdragon_865", "exynos5250"}) {
    double own_pct = 0, linux_pct = 0, more_power_pct = 0, most_power_pct = 0;
    constexpr unsigned kLoads = 8;
    for (unsigned seed = 1; seed <= kLoads; ++seed) {
      PlatformSpec platform = load_platform(board);
      const Scenario scenario = drawn_load(platform, seed);
      const auto results = run(platform, scenario, {{"plain_load"}, {"schedutil"}}, 1);
      const double own = mean(results[0], &Metrics::deadline_miss_pct);
      const double linux_governor = mean(results[1], &Metrics::deadline_miss_pct);
      // Where schedutil is late with a third of all, which of them does not matter as much.
      const double late_points = linux_governor < 33 ? 3 : 6;
      EXPECT_LE(own, linux_governor + late_points) << board << ", load " << seed;
      const double power_pct = 100 * (mean(results[0], &Metrics::power_mean_mw) /
                                          mean(results[1], &Metrics::power_mean_mw) -
                                      1);
      more_power_pct += power_pct / kLoads;
      most_power_pct = std::max(most_power_pct, power_pct);
      own_pct += own / kLoads;
      linux_pct += linux_governor / kLoads;
    }
    EXPECT_LE(own_pct, linux_pct) << board;
    std::printf("%s: %.0f %% more power in the mean, at most %.0f %%\n", board, more_power_pct,
                most_power_pct);
  }
}

// At the highest clocks nothing is late that is on time below them: tasks are placed as well.
TEST(PlainLoadScenarios, PerformanceIsNotLaterThanOtherGovernorsOnDrawnLoads) {
  for (const char* board : {"odroid_xu3", "snapdragon_865", "tensor_g3"}) {
    constexpr unsigned kLoads = 8;
    for (unsigned seed = 1; seed <= kLoads; ++seed) {
      PlatformSpec platform = load_platform(board);
      const Scenario scenario = drawn_load(platform, seed);
      const auto results =
          run(platform, scenario, {{"performance"}, {"schedutil"}, {"ondemand"}}, 1);
      const double fastest = mean(results[0], &Metrics::deadline_miss_pct);
      for (std::size_t p = 1; p < results.size(); ++p) {
        EXPECT_LE(fastest, mean(results[p], &Metrics::deadline_miss_pct) + 1)
            << board << ", load " << seed << ", policy " << p;
      }
    }
  }
}

/// A task of 5 ms on a big core at its top, every 40 ms.
class Efficiency : public ::testing::Test {
 protected:
  Efficiency() {
    platform_.apps.push_back(task_profile(platform_, {"task", 5, 0, 1, {}}));
    AppSpec app;
    app.name = "task";
    app.profile = static_cast<int>(platform_.apps.size()) - 1;
    app.arrival.period_ns = app.required.deadline_ns = 40 * kMs;
    app.stop_ns = scenario_.duration_ns = 4'000 * kMs;
    scenario_.name = "task";
    scenario_.plain_load = true;
    scenario_.apps = {app};
  }
  PlatformSpec platform_ = round_board();
  Scenario scenario_;
};

TEST_F(Efficiency, IsTheShareOfTheSlackThatTheClockCanGive) {
  // 1000 MHz gives nothing, 2000 MHz all.
  const auto results = run(platform_, scenario_, {{"powersave"}, {"performance"}}, 1);
  const Metrics &slow = results[0].per_seed[0], &fast = results[1].per_seed[0];
  EXPECT_NEAR(fast.slack_lost_pct, 100 * 5.0 / 40, 0.5);
  EXPECT_NEAR(slow.slack_lost_pct, 100 * 10.0 / 40, 0.5);
  EXPECT_NEAR(slow.efficiency_pct, 0, 1e-9);
  EXPECT_NEAR(fast.efficiency_pct, 100, 1e-9);
  // The two run beside also where they are not listed.
  const auto alone = run(platform_, scenario_, {{"schedutil"}}, 1);
  ASSERT_EQ(alone.size(), 1u);
  const Metrics& governed = alone[0].per_seed[0];
  EXPECT_NEAR(governed.efficiency_pct,
              100 * (slow.slack_lost_pct - governed.slack_lost_pct) /
                  (slow.slack_lost_pct - fast.slack_lost_pct),
              1e-9);
}

TEST_F(Efficiency, IsAbsentWhereTheClockChangesNothing) {
  platform_.apps.back() = task_profile(platform_, {"task", 5, 0.9999, 1, {}});
  EXPECT_TRUE(
      std::isnan(run(platform_, scenario_, {{"schedutil"}}, 1)[0].per_seed[0].efficiency_pct));
}

TEST_F(Efficiency, IsAbsentForWorkThatAPolicyChooses) {
  scenario_.plain_load = false;
  EXPECT_TRUE(
      std::isnan(run(platform_, scenario_, {{"schedutil"}}, 1)[0].per_seed[0].efficiency_pct));
}

using testing::flyball_run;

TEST(CliPlainLoad, RtAppsFilesAreCompared) {
  const std::string path = ::testing::TempDir() + "pipeline_" + std::to_string(getpid()) + ".json";
  std::ofstream(path) << R"({ "tasks" : {
    "tick" : { "priority" : -19, "run" : 500, "resume" : "work",
               "timer" : { "ref" : "t", "period" : 33333 } },
    "work" : { "suspend" : "work", "run" : 4000 } },
  "global" : { "duration" : 2 } })";
  const std::vector<std::string> words = {"compare",    "--platform", "odroid_xu3",
                                          "--scenario", path,         "--seeds",
                                          "1",          "--policies", "plain_load,schedutil"};
  const auto told = flyball_run(words);
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("efficiency"));
  EXPECT_THAT(told.err, HasSubstr("'priority' has no effect"));
  const auto learnt = flyball_run({"train", "--platform", "odroid_xu3", "--scenario", "audio",
                                   "--agent", "q_learning", "--out", path + ".policy"});
  EXPECT_EQ(learnt.exit_code, 2);
  EXPECT_THAT(learnt.err, HasSubstr("audio.yaml:10: key 'name': it is a task of plain load"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace flyball
