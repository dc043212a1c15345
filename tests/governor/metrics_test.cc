#include "governor/metrics/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "fakes.h"

namespace flyball::test {
namespace {

class MetricsTest : public ::testing::Test {
 protected:
  void epoch(const Observation& before, const Observation& outcome, std::int64_t decide_ns = 100) {
    Decision decided;
    decided.fresh = true;
    tell(sink_, before, decided, outcome, decide_ns);
  }
  static void tell(MetricsSink& sink, const Observation& before, const Decision& decided,
                   const Observation& outcome, std::int64_t decide_ns = 100) {
    Reward reward;
    reward.shared.energy = 0.5;
    reward.shared.misses = 1;
    sink.on_epoch(
        {before, decided, decided.action, Shield::Verdict::kPassed, outcome, reward, decide_ns});
  }
  Observation blank(std::int64_t now_ms) const {
    Observation out = small_observation(scenario_);
    out.now_ns = now_ms * kMs;
    out.epoch_ns = 500 * kMs;
    return out;
  }

  /// The oldest job of the backlog was released then.
  static void wait_since(Observation& now, std::int64_t release_ms) {
    now.app[0].waiting_count = now.app[0].backlog;
    now.app[0].waiting[0].release_ns = release_ms * kMs;
  }

  PlatformSpec spec_ = small_platform();
  Scenario scenario_ = small_scenario();
  MetricsSink sink_{spec_};
};

TEST_F(MetricsTest, TwoEpochsByHand) {
  const Observation start = blank(0);
  Observation first = blank(500);
  first.energy_mj = 300;
  first.cluster[0].opp = 1;
  first.cluster[0].temp_c = 61;
  first.cluster[0].opp_cap = 1;
  first.app[0].released = 3;
  first.app[0].finished = 2;
  first.app[0].missed = 1;
  first.app[0].backlog = 1;
  wait_since(first, 400);
  JobRecord job = small_job(0, 0, 100, 150, {1, 1});
  job.accuracy_pct = 70;
  first.add_job(job);
  job = small_job(1, 200, 180, 150, {2, 0});
  job.accuracy_pct = 60;
  job.infeasible = true;
  first.add_job(job);
  Observation second = blank(1000);
  second.energy_mj = 200;
  second.cluster[0].opp = 2;
  second.cluster[1].opp = 1;
  second.cluster[1].temp_c = 50;
  second.app[0].released = 3;
  second.app[0].finished = 1;
  second.app[0].missed = 2;  // one late, one dropped
  second.app[0].backlog = 2;
  second.app[0].dropped = 1;
  wait_since(second, 900);  // 100 ms old of 150: not lost yet
  job = small_job(2, 400, 200, 150, {2, 1});
  job.accuracy_pct = 70;
  second.add_job(job);
  job = small_job(3, 600, 0, 150, {});
  job.dropped = job.missed = true;
  second.add_job(job);
  epoch(start, first);
  epoch(first, second, 120);

  const Metrics m = sink_.result();
  EXPECT_EQ(m.jobs, 3);
  EXPECT_DOUBLE_EQ(m.energy_mj_per_job, 500.0 / 3);
  EXPECT_DOUBLE_EQ(m.deadline_miss_pct, 75);  // 3 of 6 released less 2 still open
  EXPECT_DOUBLE_EQ(m.infeasible_pct, 25);
  EXPECT_DOUBLE_EQ(m.dropped_pct, 25);
  EXPECT_NEAR(m.accuracy_pct, 200.0 / 3, 5e-5);  // to four decimals
  EXPECT_NEAR(m.latency_p50_ms, 180, 180 * 0.004);
  EXPECT_NEAR(m.latency_p99_ms, 200, 200 * 0.004);
  EXPECT_DOUBLE_EQ(m.power_mean_mw, 500);  // 500 mJ in 1 s
  EXPECT_EQ(m.temp_peak_c, 61);
  EXPECT_DOUBLE_EQ(m.throttled_s, 0.5);
  EXPECT_EQ(m.transitions, 3);
  EXPECT_EQ(m.migrations, 1);
  EXPECT_EQ(m.level_switches, 2);
  EXPECT_EQ(m.decide_p50_ns, 100);
  EXPECT_DOUBLE_EQ(m.reward, -3);
  EXPECT_TRUE(std::isnan(m.energy_gap_to_bound_pct));
}

TEST_F(MetricsTest, JobsBeyondWhatAnEpochListsAreNoPartOfWhatIsToldOfSingleOnes) {
  Observation crowded = blank(500);
  crowded.app[0].released = crowded.app[0].finished = crowded.app[0].missed = 50;
  for (int i = 0; i < 50; ++i) {
    JobRecord job = small_job(static_cast<std::uint64_t>(i), 10 * i, 5, 3, {1, 1});
    job.infeasible = true;
    crowded.add_job(job);
  }
  ASSERT_GT(crowded.jobs_unlisted, 0u);
  epoch(blank(0), crowded);
  EXPECT_DOUBLE_EQ(sink_.result().deadline_miss_pct, 100);
  EXPECT_DOUBLE_EQ(sink_.result().infeasible_pct, 100);
}

TEST_F(MetricsTest, AJobThatIsLateAtTheEndIsAMissEvenIfItNeverFinished) {
  Observation end = blank(500);
  end.app[0].released = 1;
  end.app[0].backlog = 1;
  wait_since(end, 300);
  epoch(blank(0), end);
  EXPECT_DOUBLE_EQ(sink_.result().deadline_miss_pct, 100);
}

TEST_F(MetricsTest, ARunWithoutJobsHasNoFiguresOfJobs) {
  epoch(blank(0), blank(500));
  const Metrics m = sink_.result();
  const std::vector<std::string_view> of_jobs = {"energy_mj_per_job",
                                                 "accuracy_pct",
                                                 "deadline_miss_pct",
                                                 "infeasible_pct",
                                                 "latency_p50_ms",
                                                 "latency_p99_ms",
                                                 "dropped_pct",
                                                 "time_in_interval_pct",
                                                 "energy_in_interval_pct",
                                                 "energy_gap_to_bound_pct",
                                                 "energy_gap_to_best_found_pct",
                                                 "energy_gap_to_informed_pct",
                                                 "over_budget_pct",
                                                 "utility_pct",
                                                 "efficiency_pct",
                                                 "slack_lost_pct",
                                                 "energy_delay_mj_ms",
                                                 "jobs_per_joule",
                                                 "battery_h",
                                                 "regret",
                                                 "recovery_s",
                                                 "time_below_floor_pct",
                                                 "time_over_energy_pct",
                                                 "time_over_power_pct",
                                                 "time_error_pct",
                                                 "energy_error_pct",
                                                 "miss_brier",
                                                 "fairness",
                                                 "thermal_margin_k"};
  for (const MetricField& field : metric_fields()) {
    const bool of_job = std::find(of_jobs.begin(), of_jobs.end(), field.key) != of_jobs.end();
    EXPECT_EQ(std::isfinite(m.*field.value), !of_job) << field.key;
  }
}

// Levels of 60 and 70 %; the floor is 60 for most, the budget 50 mJ, the grace 100 ms.
TEST_F(MetricsTest, UtilityIsWhatWasHadOfWhatCouldBe) {
  Observation now = blank(500);
  Requirements& required = now.app[0].required;
  required.energy_budget_mj = 50;
  required.grace_ns = 100 * kMs;
  sink_.on_bind(0, small_binding(spec_, scenario_.apps[0]), now);
  const auto add = [&](std::uint64_t sequence, std::int64_t late_ms, double accuracy_pct,
                       double floor_pct, double energy_mj) {
    JobRecord job = small_job(sequence, 0, 150 + late_ms, 150, {1, accuracy_pct > 65});
    job.finish_ns = job.deadline_ns + late_ms * kMs;
    job.missed = late_ms > 0;
    job.accuracy_pct = static_cast<float>(accuracy_pct);
    job.accuracy_floor_pct = static_cast<float>(floor_pct);
    job.energy_mj = energy_mj;
    now.add_job(job);
    return &now.job_store[now.job_count - 1];
  };
  add(0, 0, 70, 60, 40);              // the best there is
  add(1, 0, 60, 60, 50);              // 6/7 of it
  add(2, 25, 70, 60, 40);             // a quarter of the grace is gone
  add(3, 100, 70, 60, 40);            // all of it
  add(4, 0, 60, 60.1, 40);            // a hair below the floor
  add(5, 0, 70, 60, 50.01);           // a hair over the budget
  add(6, 0, 70, 60, 0)->dropped = true;
  now.app[0].finished = 6;
  now.app[0].dropped = 1;
  now.app[0].over_budget = 2;
  epoch(blank(0), now);
  EXPECT_NEAR(sink_.result().utility_pct, 100 * (1 + 6.0 / 7 + 0.75) / 7, 1e-3);
  EXPECT_NEAR(sink_.result().over_budget_pct, 100 * 2.0 / 7, 1e-9);
}

/// An epoch in which job `sequence` is forecast at 100 +- 10 ms and 50 +- 5 mJ, and one in which it
/// ends as given.
struct Job {
  std::uint64_t sequence;
  std::int64_t time_ms;
  double energy_mj;
  bool dropped = false;
};
Decision forecast_of(std::uint64_t sequence, float time_ms) {
  Decision decided;
  Forecast forecast;
  forecast.sequence = sequence;
  forecast.time_ns = time_ms * 1e6f;
  forecast.time_sd_ns = 10e6f;
  forecast.energy_mj = 50;
  forecast.energy_sd_mj = 5;
  decided.add_forecast(forecast);
  return decided;
}

// 1.645 standard deviations: 83.55 to 116.45 ms, 41.775 to 58.225 mJ.
TEST_F(MetricsTest, AForecastIsScoredByTheJobThatItWasMadeOf) {
  const auto ends = [&](const Job& one) {
    Observation out = blank(1000);
    JobRecord job = small_job(one.sequence, 0, one.time_ms, 150, {1, 1});
    job.energy_mj = one.energy_mj;
    job.dropped = one.dropped;
    out.add_job(job);
    return out;
  };
  const auto held = [&] {
    const Metrics m = sink_.result();
    return std::pair(m.time_in_interval_pct, m.energy_in_interval_pct);
  };
  const auto forecast_and_end = [&](const Job& job) {
    tell(sink_, blank(0), forecast_of(job.sequence, 100), blank(500));
    tell(sink_, blank(500), {}, ends(job));
  };
  forecast_and_end({0, 116, 58});  // both within
  EXPECT_EQ(held(), std::pair(100.0, 100.0));
  forecast_and_end({1, 117, 59});  // neither
  EXPECT_EQ(held(), std::pair(50.0, 50.0));
  forecast_and_end({2, 84, 41});  // the time only
  EXPECT_EQ(held(), std::pair(200.0 / 3, 100.0 / 3));
  forecast_and_end({3, 83, 42});  // the energy only
  EXPECT_EQ(held(), std::pair(50.0, 50.0));

  // What is forecast again while it runs was not better known when it was chosen.
  tell(sink_, blank(0), forecast_of(4, 300), blank(500));
  tell(sink_, blank(0), forecast_of(4, 100), ends({4, 100, 50}));
  EXPECT_EQ(held(), std::pair(40.0, 60.0));
  // Of jobs that nobody forecast, and of dropped ones, there is nothing to score.
  tell(sink_, blank(0), {}, ends({5, 500, 500}));
  forecast_and_end({6, 0, 0, true});
  EXPECT_EQ(held(), std::pair(40.0, 60.0));
}

TEST_F(MetricsTest, TheTimeOfDecidingIsThatOfFreshDecisions) {
  Decision fresh;
  fresh.fresh = true;
  for (int i = 0; i < 10; ++i) tell(sink_, blank(0), {}, blank(500), 36);
  EXPECT_TRUE(std::isnan(sink_.result().decide_p50_ns));
  for (int i = 0; i < 3; ++i) tell(sink_, blank(0), fresh, blank(500), 200);
  EXPECT_EQ(sink_.result().decide_p50_ns, 200);
}

TEST(MetricFieldsTest, HaveTheKeysOfTheTable) {
  std::set<std::string_view> keys;
  for (const MetricField& field : metric_fields()) keys.insert(field.key);
  EXPECT_EQ(keys.size(), metric_fields().size());
  for (const char* key : {"energy_mj_per_job",
                          "deadline_miss_pct",
                          "accuracy_pct",
                          "latency_p50_ms",
                          "latency_p99_ms",
                          "power_mean_mw",
                          "temp_peak_c",
                          "throttled_s",
                          "transitions",
                          "migrations",
                          "level_switches",
                          "decide_p50_ns",
                          "dropped_pct",
                          "time_in_interval_pct",
                          "energy_in_interval_pct",
                          "energy_gap_to_bound_pct",
                          "energy_gap_to_best_found_pct",
                          "energy_gap_to_informed_pct",
                          "over_budget_pct",
                          "utility_pct"})
    EXPECT_TRUE(keys.contains(key)) << key;
}

TEST(HistogramTest, PercentilesAreWithinTheStatedError) {
  DurationHistogram histogram;
  std::vector<std::int64_t> values;
  std::int64_t value = 1;
  for (int i = 0; i < 5000; ++i) {
    value = (value * 48271) % 2147483647;
    values.push_back(value % 97 == 0 ? value * 1000 : value % 50'000'000);
    histogram.add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.02, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * 5000 - 1e-9));
    const double exact = static_cast<double>(values[std::max<std::size_t>(rank, 1) - 1]);
    EXPECT_NEAR(histogram.percentile(percent), exact, exact * 0.004) << percent;
  }
}

TEST(HistogramTest, SmallValuesAreExactAndExtremesFit) {
  DurationHistogram histogram;
  EXPECT_EQ(histogram.percentile(50), 0);
  for (const std::int64_t value : {17, 18, 255}) histogram.add(value);
  EXPECT_EQ(histogram.percentile(50), 18);
  EXPECT_EQ(histogram.percentile(100), 255);
  histogram.add(-5);
  EXPECT_EQ(histogram.percentile(1), 0);
  const std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  histogram.add(largest);
  EXPECT_NEAR(histogram.percentile(100) / static_cast<double>(largest), 1, 0.004);
}

TEST(EstimateTest, StudentsTByHand) {
  const Estimate three = estimate({1, 2, 3});  // s = 1, t(2) = 4.302653
  EXPECT_DOUBLE_EQ(three.mean, 2);
  EXPECT_NEAR(three.hi - 2, 4.302653 / std::sqrt(3.0), 1e-6);
  EXPECT_NEAR(2 - three.lo, 4.302653 / std::sqrt(3.0), 1e-6);
  const Estimate two = estimate({10, 14});  // s = 2.828427, t(1) = 12.706205
  EXPECT_NEAR(two.hi, 12 + 12.706205 * 2, 1e-5);
  const Estimate one = estimate({7});
  EXPECT_EQ(one.mean, 7);
  EXPECT_TRUE(std::isnan(one.lo) && std::isnan(one.hi));
  EXPECT_TRUE(std::isnan(estimate({}).mean));
  EXPECT_TRUE(std::isnan(estimate({1, std::nan("")}).mean));
}

}  // namespace
}  // namespace flyball::test
