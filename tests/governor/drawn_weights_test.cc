// The weights of jobs whose settings were drawn and held, by hand, and the intervals that are made of them.

#include "governor/replay/drawn_weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "governor/replay/off_policy.h"
#include "kernels/base/random.h"

namespace flyball {
namespace {

RetoldDecision draws(double probability, bool agreed = true) {
  return {probability, true, agreed, true};
}
RetoldDecision keeps(bool agreed = true) { return {1, false, agreed, true}; }

Forecast forecast(float time_ns) {
  Forecast one;
  one.time_ns = time_ns;
  return one;
}

// A setting drawn with chance 1/4 and kept for three jobs, then one drawn with chance 1/2.
TEST(DrawnWeights, ADrawGovernsAllJobsThatItIsHeldFor) {
  DrawnWeights weights;
  weights.decide(draws(0.25), {});
  const DrawnWeight first = weights.end_job(true);
  EXPECT_DOUBLE_EQ(first.weight, 4);
  EXPECT_EQ(first.shared, 0u);
  for (const std::size_t shared : {1u, 2u}) {
    weights.decide(keeps(), {});
    const DrawnWeight held = weights.end_job(true);
    EXPECT_DOUBLE_EQ(held.weight, 4) << "once, though it governs both stretches";
    EXPECT_EQ(held.shared, shared);
  }
  weights.decide(draws(0.5), {});
  const DrawnWeight both = weights.end_job(true);
  EXPECT_DOUBLE_EQ(both.weight, 8) << "the job before ran with what was drawn first";
  EXPECT_EQ(both.shared, 3u);
  weights.decide(keeps(), {});
  const DrawnWeight second = weights.end_job(true);
  EXPECT_DOUBLE_EQ(second.weight, 2);
  EXPECT_EQ(second.shared, 1u);
  weights.decide(draws(1), {});
  weights.end_job(true);
  weights.decide(keeps(), {});
  const DrawnWeight certain = weights.end_job(true);
  EXPECT_DOUBLE_EQ(certain.weight, 1);
  EXPECT_EQ(certain.shared, 0u);
}

TEST(DrawnWeights, WhatIsHeldCountsOnlyWhereItIsWhatTheOtherWants) {
  DrawnWeights weights;
  weights.decide(draws(0.25, false), {});
  EXPECT_EQ(weights.end_job(true).weight, 0);
  weights.decide(keeps(), {});  // by now it wants what is held
  EXPECT_EQ(weights.end_job(true).weight, 0) << "the stretch before is of consequence";
  weights.decide(keeps(), {});
  EXPECT_DOUBLE_EQ(weights.end_job(true).weight, 4);
  weights.decide(keeps(false), {});
  EXPECT_EQ(weights.end_job(true).weight, 0);
}

// Clocks that were drawn beside a setting that was not govern the job that runs, and none after the next.
TEST(DrawnWeights, ClocksAreDrawnForTheJobThatRuns) {
  DrawnWeights weights;
  weights.decide(draws(0.25), {});
  weights.decide({0.5, false, true, true}, {});
  EXPECT_DOUBLE_EQ(weights.end_job(true).weight, 8);
  weights.decide(keeps(), {});
  EXPECT_DOUBLE_EQ(weights.end_job(true).weight, 8);
  weights.decide(keeps(), {});
  EXPECT_DOUBLE_EQ(weights.end_job(true).weight, 4);
  // Drawn together with a setting that is held, their chance goes on, and so does whether they agreed.
  weights.decide({0.125, true, true, false}, {});
  weights.end_job(true);
  weights.decide(keeps(), {});
  weights.end_job(true);
  weights.decide(keeps(), {});
  EXPECT_EQ(weights.end_job(true).weight, 0);
}

TEST(DrawnWeights, AnUnknownChanceIsUnknownAsLongAsItIsHeld) {
  DrawnWeights weights;
  weights.decide(draws(NAN), {});
  EXPECT_TRUE(weights.end_job(true).unknown);
  weights.decide(keeps(), {});
  EXPECT_TRUE(weights.end_job(true).unknown);
  weights.decide(draws(0.5), {});
  EXPECT_TRUE(weights.end_job(true).unknown);
  weights.decide(keeps(), {});
  EXPECT_FALSE(weights.end_job(true).unknown);
}

TEST(DrawnWeights, AForecastIsFromBeforeAllThatWasDrawn) {
  DrawnWeights weights;
  weights.decide(draws(0.25), forecast(1));
  weights.decide(keeps(), forecast(2));
  EXPECT_EQ(weights.end_job(true).forecast.time_ns, 1);
  weights.decide(keeps(), forecast(3));
  EXPECT_EQ(weights.end_job(true).forecast.time_ns, 1);
  weights.decide(keeps(), forecast(4));
  EXPECT_EQ(weights.end_job(true).forecast.time_ns, 1) << "held: it knows of what was drawn";
  weights.decide(draws(1), forecast(5));
  weights.end_job(true);
  weights.decide(keeps(), forecast(6));
  EXPECT_EQ(weights.end_job(true).forecast.time_ns, 5) << "from before both stretches";
}

TEST(DrawnWeights, OfJobsThatAreLeftOutNoneIsShared) {
  DrawnWeights weights;
  weights.decide(draws(0.25), {});
  weights.end_job(true);
  for (int i = 0; i < 2; ++i) {
    weights.decide(keeps(), {});
    weights.end_job(false);
  }
  weights.decide(keeps(), {});
  EXPECT_EQ(weights.end_job(true).shared, 1u);
}

/// A run as records have them: one of three settings is drawn and held for some jobs, the clocks of a
/// job are drawn as it starts, and both come to be of consequence for the next job too. Half the jobs
/// are hard, of which clocks are drawn by other chances.
struct Run {
  int jobs = 600;
  int held = 1;         ///< jobs that a setting is kept for
  bool learns = false;  ///< draws what took least so far the more often
};
constexpr double kSetting[] = {1, 0.8, 1.3}, kSlowClocks = 0.3;
constexpr double kOfThis = 0.7, kOfLast = 0.3, kHard = 0.4;
constexpr int kWanted = 1;
/// What it takes on average to want one setting throughout, and never the slow clocks.
constexpr double kTruth = 0.8 + kHard / 2;

std::vector<LoggedJob> draw_run(const Run& of, Random& random) {
  DrawnWeights weights;
  std::vector<LoggedJob> jobs;
  double sum[3] = {}, count[3] = {};
  Forecast expected;
  int setting = 0, left = 0, best = 0;
  double before = kSetting[0];
  for (int t = 0; t < of.jobs; ++t) {
    if (left-- == 0) {
      left = of.held - 1;
      const double epsilon = of.learns ? std::max(0.45, std::pow(t + 1, -0.15)) : 1;
      const int any = static_cast<int>(random.below(3));
      setting = random.uniform() < epsilon ? any : best;
      weights.decide(draws(epsilon / 3 + (setting == best ? 1 - epsilon : 0), setting == kWanted),
                     expected);
    } else {
      weights.decide(keeps(setting == kWanted), expected);
    }
    const bool hard = random.uniform() < 0.5;
    const double chance = hard ? 0.6 : 0.9;
    const bool slow = random.uniform() >= chance;
    weights.decide({slow ? 1 - chance : chance, false, setting == kWanted, !slow}, expected);
    const double now = kSetting[setting] + kSlowClocks * slow;
    const double outcome = kOfThis * now + kOfLast * before + kHard * hard + 0.1 * random.normal();
    // It knows what was chosen before, and forecasts well.
    expected =
        forecast(static_cast<float>(kOfThis * kSetting[kWanted] + kOfLast * now + kHard / 2));
    before = now;
    const DrawnWeight job = weights.end_job(true);
    if (job.forecast.time_ns > 0)
      jobs.push_back({outcome, job.weight, job.forecast.time_ns, job.shared});
    sum[setting] += outcome;
    ++count[setting];
    if (!of.learns) continue;
    const auto so_far = [&](int s) { return count[s] > 0 ? sum[s] / count[s] : 9; };
    for (int s = 0; s < 3; ++s)
      if (so_far(s) < so_far(best)) best = s;
  }
  return jobs;
}

struct Covered {
  double pct = 0, mean = 0;
};
std::map<std::string, Covered> coverage(const Run& of) {
  constexpr int kRecords = 2000;
  std::map<std::string, Covered> covered;
  for (int record = 0; record < kRecords; ++record) {
    Random random(static_cast<std::uint64_t>(record), 41 + of.learns);
    for (const OffPolicyEstimate& one : off_policy_estimates(draw_run(of, random))) {
      Covered& by = covered[one.method];
      by.pct += 100.0 / kRecords * (one.low <= kTruth && kTruth <= one.high);
      by.mean += one.value / kRecords;
    }
  }
  return covered;
}

// Half the jobs are hard, and what is wanted is drawn seldom for those: a job's weight tells of the next
// one's, which depends on the same draw, so that nothing that a job counts may go by it.
TEST(DrawnWeights, WhatAJobCountsGoesByNoneOfItsOwnDraws) {
  constexpr int kRecords = 2000;
  for (const int jobs : {600, 3000}) {
    int held = 0;
    for (int record = 0; record < kRecords; ++record) {
      Random random(static_cast<std::uint64_t>(record) + 1, 32);
      DrawnWeights weights;
      std::vector<LoggedJob> logged;
      bool before = true;
      for (int t = 0; t < jobs; ++t) {
        const bool hard = random.uniform() < 0.5;
        const double chance = hard ? 0.3 : 0.95;
        const bool wanted = random.uniform() < chance;
        weights.decide(draws(wanted ? chance : 1 - chance, wanted), {});
        const DrawnWeight job = weights.end_job(true);
        const double outcome =
            1 + 0.2 * hard + 0.2 * !wanted + 0.2 * !before + 0.1 * random.normal();
        logged.push_back({outcome, job.weight, 0.9, job.shared});
        before = wanted;
      }
      const OffPolicyEstimate adaptive = off_policy_estimates(logged).back();
      ASSERT_EQ(adaptive.method, "adaptively_weighted");
      held += adaptive.low <= 1.1 && 1.1 <= adaptive.high;
    }
    EXPECT_GE(held, 0.93 * kRecords) << jobs;
    EXPECT_LE(held, 0.97 * kRecords) << jobs;
  }
}

// As replay() makes them. Switch-DR allows for what it leaves out, and holds more often.
TEST(DrawnWeights, IntervalsCoverTheTruthAsOftenAsTheySay) {
  for (const bool learns : {false, true})
    for (const int held : {1, 4})
      for (const int jobs : {600, 3000}) {
        SCOPED_TRACE(std::to_string(jobs) + " jobs, held for " + std::to_string(held) +
                     (learns ? ", by a learner" : ""));
        const auto covered = coverage({.jobs = jobs, .held = held, .learns = learns});
        ASSERT_EQ(covered.size(), 5u);
        for (const auto& [method, by] : covered) {
          EXPECT_GE(by.pct, 93) << method;
          if (method == "switch_doubly_robust") continue;
          EXPECT_LE(by.pct, 97) << method;
          EXPECT_NEAR(by.mean, kTruth, 0.01) << method;
        }
      }
}

}  // namespace
}  // namespace flyball
