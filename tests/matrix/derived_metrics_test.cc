#include <gtest/gtest.h>

#include <cmath>

#include "governor/compare/recovery.h"
#include "governor/metrics/metrics.h"
#include "tests/governor/fakes.h"

namespace flyball::test {
namespace {

class DerivedMetrics : public ::testing::Test {
 protected:
  DerivedMetrics() {
    spec_.trips = {{TripPoint::Kind::kCritical, 70, 0, 0},
                   {TripPoint::Kind::kCap, 80, 0, 0},
                   {TripPoint::Kind::kStepDown, 90, 0, 0}};
    scenario_.apps.push_back(scenario_.apps[0]);
  }
  Observation blank(std::int64_t now_ms) const {
    Observation out = small_observation(scenario_);
    out.now_ns = now_ms * kMs;
    out.epoch_ns = 500 * kMs;
    return out;
  }
  void epoch(EpochSink& sink, const Observation& outcome, const Decision& decided = {},
             std::int64_t decide_ns = 100) const {
    const Observation before = blank(0);
    const Reward reward;
    sink.on_epoch(
        {before, decided, decided.action, Shield::Verdict::kPassed, outcome, reward, decide_ns});
  }

  PlatformSpec spec_ = small_platform();
  Scenario scenario_ = small_scenario();
};

TEST_F(DerivedMetrics, TwoApplicationsByHand) {
  Decision decided;
  Forecast forecast;
  forecast.time_ns = static_cast<float>(80 * kMs);
  forecast.time_sd_ns = static_cast<float>(kMs);
  forecast.energy_mj = 30;
  forecast.energy_sd_mj = 1;
  forecast.miss_probability = 0.25F;
  decided.add_forecast(forecast);
  Observation now = blank(500);
  now.energy_mj = 500;
  now.power_mw = 1000;
  now.cluster[0].temp_c = 75;
  now.app[0].required.energy_budget_mj = 15;
  now.app[1].required.power_budget_mw = 900;
  // The first has one of two on time, and then one that never ends; the other one both.
  now.app[0].released = now.app[0].finished = 2;
  now.app[0].missed = 1;
  now.app[1].released = now.app[1].finished = 2;
  for (int a = 0; a < 2; ++a) {
    for (int j = 0; j < 2; ++j) {
      JobRecord job = small_job(static_cast<std::uint64_t>(j), 100 * j, 100, 150, {1, 1});
      job.app = static_cast<std::uint8_t>(a);
      job.start_ns = job.finish_ns - (j == 0 ? 40 : 60) * kMs;
      job.energy_mj = j == 0 ? 10 : 20;
      job.accuracy_floor_pct = 65;
      job.accuracy_pct = a == 1 && j == 1 ? 60 : 70;
      job.missed = a == 0 && j == 0;
      now.add_job(job);
    }
  }
  Observation later = blank(1000);
  later.energy_mj = 500;
  later.app[0].released = 1;
  later.app[0].backlog = later.app[0].waiting_count = 1;
  later.app[0].waiting[0] = {2, 700 * kMs, 900 * kMs};  // late since 100 ms
  MetricsSink sink(spec_);
  epoch(sink, now, decided, 50'000);
  epoch(sink, later);

  const Metrics m = sink.result();
  EXPECT_DOUBLE_EQ(m.energy_delay_mj_ms, 250 * 100);  // 1000 mJ over 4 jobs, 100 ms each
  EXPECT_DOUBLE_EQ(m.jobs_per_joule, 2);              // one was late, one below the floor
  EXPECT_DOUBLE_EQ(m.time_late_pct, 50);              // the second epoch
  EXPECT_DOUBLE_EQ(m.time_below_floor_pct, 30);       // 60 of 200 ms
  EXPECT_DOUBLE_EQ(m.time_over_energy_pct, 60);       // 60 of 100 ms
  EXPECT_DOUBLE_EQ(m.time_over_power_pct, 100);       // asked for in the first epoch only
  EXPECT_DOUBLE_EQ(m.time_error_pct, 100);            // 80 ms for 40
  EXPECT_DOUBLE_EQ(m.energy_error_pct, 200);          // 30 mJ for 10
  EXPECT_DOUBLE_EQ(m.miss_brier, 0.75 * 0.75);
  EXPECT_DOUBLE_EQ(m.fairness, 0.8);        // of a third and all
  EXPECT_DOUBLE_EQ(m.thermal_margin_k, 5);  // the critical trip holds no clock down
  EXPECT_DOUBLE_EQ(m.decide_share_pct, 100 * 50'100 / 1e9);
}

TEST_F(DerivedMetrics, FairnessNeedsTwoApplications) {
  Observation now = blank(500);
  now.app[0].released = now.app[0].finished = 3;
  MetricsSink sink(spec_);
  epoch(sink, now);
  EXPECT_TRUE(std::isnan(sink.result().fairness));
}

/// Jobs that finish every 10 ms from `from_ms` on.
void finish(RecoverySink& sink, const Scenario& scenario, std::int64_t from_ms, int jobs,
            int missed) {
  for (int i = 0; i < jobs; ++i) {
    Observation now = small_observation(scenario);
    now.now_ns = (from_ms + 10 * i) * kMs;
    JobRecord job;
    job.finish_ns = now.now_ns;
    job.missed = i < missed;
    now.add_job(job);
    const Decision decided;
    const Reward reward;
    sink.on_epoch({now, decided, decided.action, Shield::Verdict::kPassed, now, reward, 0});
  }
}

TEST_F(DerivedMetrics, RecoveryIsTheTimeToTheLastMissBeforeTenInARow) {
  RecoverySink sink({1'000 * kMs, 2'000 * kMs, 3'000 * kMs, 4'000 * kMs});
  finish(sink, scenario_, 0, 20, 20);     // before anything changed
  finish(sink, scenario_, 1'010, 30, 5);  // the fifth at 1050
  finish(sink, scenario_, 2'010, 30, 0);  // no trouble
  finish(sink, scenario_, 3'010, 9, 0);   // too few to tell
  EXPECT_NEAR(sink.mean_s(), (0.050 + 0) / 2, 1e-12);
  finish(sink, scenario_, 4'010, 30, 30);  // never recovers: to the end, at 4300
  EXPECT_NEAR(sink.mean_s(), (0.050 + 0 + 0.300) / 3, 1e-12);
}

TEST_F(DerivedMetrics, ChangesAreWhatComesAndGoesWithinARun) {
  Scenario scenario = small_scenario();
  scenario.background.push_back({});
  scenario.background[0].start_ns = 2'000 * kMs;
  scenario.background[0].stop_ns = 20'000 * kMs;  // after the end
  ScenarioEvent event;
  event.at_ns = 2'000 * kMs;  // at the same time
  scenario.events = {event};
  EXPECT_EQ(changes_of(scenario), (std::vector<std::int64_t>{2'000 * kMs}));
  EXPECT_TRUE(changes_of(small_scenario()).empty());
}

}  // namespace
}  // namespace flyball::test
