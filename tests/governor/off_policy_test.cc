#include "governor/replay/off_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

#include "kernels/base/random.h"

namespace flyball {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::Le;

std::map<std::string, OffPolicyEstimate> by_method(std::span<const LoggedJob> jobs) {
  std::map<std::string, OffPolicyEstimate> estimates;
  for (const OffPolicyEstimate& one : off_policy_estimates(jobs)) estimates[one.method] = one;
  return estimates;
}

// Four jobs; the policy agrees in the first (done with chance 1/2) and the last (1/4).
TEST(OffPolicy, AreWhatTheirFormulasSay) {
  const std::vector<LoggedJob> jobs = {{10, 2, 8}, {30, 0, 9}, {20, 0, 9}, {6, 4, 7}};
  auto estimates = by_method(jobs);
  EXPECT_DOUBLE_EQ(estimates.at("inverse_propensity").value, (2 * 10 + 4 * 6) / 4.0);
  EXPECT_DOUBLE_EQ(estimates.at("self_normalised").value, (2 * 10 + 4 * 6) / 6.0);
  // Scores: 8 + 2 * 2, 9, 9, 7 - 4 * 1.
  EXPECT_DOUBLE_EQ(estimates.at("doubly_robust").value, (12 + 9 + 9 + 3) / 4.0);
  EXPECT_DOUBLE_EQ(estimates.at("switch_doubly_robust").value, (12 + 9 + 9 + 3) / 4.0);
  // The first job counts 1, those after a weight of 2 one over the root of that.
  const double less = 1 / std::sqrt(2.0);
  EXPECT_DOUBLE_EQ(estimates.at("adaptively_weighted").value,
                   (12 + less * (9 + 9 + 3)) / (1 + 3 * less));
  const Overlap overlap = overlap_of(jobs);
  EXPECT_DOUBLE_EQ(overlap.agreed_pct, 50);
  EXPECT_DOUBLE_EQ(overlap.effective_jobs, 36.0 / 20);
  EXPECT_DOUBLE_EQ(overlap.mean_weight, 1.5);
}

TEST(OffPolicy, WithoutPredictionsThereAreTwo) {
  const std::vector<LoggedJob> jobs = {{10, 2, NAN}, {6, 4, 7}};
  EXPECT_EQ(off_policy_estimates(jobs).size(), 2u);
}

TEST(OffPolicy, BeyondItsWeightSwitchDrTrustsThePrediction) {
  std::vector<LoggedJob> jobs(100, {10, 1, 10});
  jobs[7] = {16, 2 * kSwitchWeight, 10};
  auto estimates = by_method(jobs);
  EXPECT_DOUBLE_EQ(estimates.at("switch_doubly_robust").value, 10);
  EXPECT_DOUBLE_EQ(estimates.at("doubly_robust").value, 10 + 2 * kSwitchWeight * 6 / 100);
  EXPECT_LE(estimates.at("switch_doubly_robust").low, 10 - 0.01 * 6 + 1e-9);
}

/// What a record is made of. Four settings, chosen by fixed chances, or by a policy that learns while it
/// goes: epsilon-greedy on the means so far, epsilon falling from 1 to 0.1.
struct Recorded {
  bool learns = false;
  std::size_t target = 1;  ///< what the other policy would do throughout
  int jobs = 600;
  std::array<double, 4> mean = {1, 0.9, 1.1, 0.95};
  double prediction = 1;  ///< for every setting
  double top = 0;         ///< outcomes are this or 0; 0: they are normal, with deviation 0.3
  double skew = 0;        ///< above 0: lognormal, with this deviation of the logarithm
};

std::vector<LoggedJob> draw_record(const Recorded& of, Random& random) {
  std::array<double, 4> sum{}, chance{0.4, 0.3, 0.2, 0.1};
  std::array<int, 4> count{};
  std::vector<LoggedJob> jobs;
  for (int t = 0; t < of.jobs; ++t) {
    if (of.learns) {
      std::size_t best = 0;
      const auto so_far = [&](std::size_t a) { return count[a] > 0 ? sum[a] / count[a] : 9; };
      for (std::size_t a = 1; a < 4; ++a)
        if (so_far(a) < so_far(best)) best = a;
      const double epsilon = std::max(0.1, std::pow(t + 1, -0.4));
      chance.fill(epsilon / 4);
      chance[best] += 1 - epsilon;
    }
    double draw = random.uniform(0, 1);
    std::size_t done = 0;
    while (done < 3 && draw >= chance[done]) draw -= chance[done++];
    const double mean = of.mean[done];
    double outcome = 0;
    if (of.top > 0)
      outcome = random.uniform() * of.top < mean ? of.top : 0;
    else if (of.skew > 0)
      outcome = mean * std::exp(of.skew * random.normal() - of.skew * of.skew / 2);
    else
      outcome = mean + 0.3 * random.normal();
    sum[done] += outcome;
    ++count[done];
    jobs.push_back({outcome, done == of.target ? 1 / chance[done] : 0, of.prediction});
  }
  return jobs;
}

/// How often, in %, intervals cover the truth, in 2,000 records.
std::map<std::string, double> coverage(const Recorded& of) {
  constexpr int kRecords = 2000;
  const double truth = of.mean[of.target];
  std::map<std::string, double> covered;
  for (int record = 0; record < kRecords; ++record) {
    Random random(static_cast<std::uint64_t>(record), of.target + 10 * of.learns);
    for (const OffPolicyEstimate& one : off_policy_estimates(draw_record(of, random), of.top))
      covered[one.method] += 100.0 / kRecords * (one.low <= truth && truth <= one.high);
  }
  return covered;
}

TEST(OffPolicy, IntervalsCoverTheTruthAsOftenAsTheySay) {
  for (const std::size_t target : {1u, 2u}) {
    for (const auto& [method, pct] : coverage({.target = target}))
      EXPECT_THAT(pct, AllOf(Ge(93), Le(97))) << method << " of setting " << target;
  }
}

TEST(OffPolicy, AlsoWhenTheRecordedPolicyLearned) {
  for (const std::size_t target : {1u, 2u}) {
    auto covered = coverage({.learns = true, .target = target, .jobs = 1500});
    for (const char* method : {"adaptively_weighted", "doubly_robust"})
      EXPECT_THAT(covered.at(method), AllOf(Ge(93), Le(97))) << method << " of setting " << target;
    EXPECT_GE(covered.at("switch_doubly_robust"), 93);  // it allows for what it leaves out
  }
}

// What claims to hold is what the tests above and below show to: nothing but misses where the record tells
// too little, and on a learner's record not what has no prediction.
TEST(OffPolicy, OnlyWhatWasShownClaimsToHold) {
  const auto of = [](int agreed) {
    std::vector<LoggedJob> jobs(static_cast<std::size_t>(2 * agreed), {0, 0, 9});
    for (std::size_t i = 0; i < jobs.size(); i += 2) jobs[i] = {i % 4 == 0 ? 100.0 : 0, 2, 8};
    return jobs;
  };
  const int enough = static_cast<int>(kShownJobs);
  for (const OffPolicyEstimate& one : off_policy_estimates(of(enough - 1))) {
    EXPECT_FALSE(one.holds) << one.method;
    EXPECT_FALSE(one.holds_for_learner) << one.method;
  }
  for (const OffPolicyEstimate& one : off_policy_estimates(of(enough))) {
    EXPECT_TRUE(one.holds) << one.method;
    EXPECT_EQ(one.holds_for_learner,
              one.method != "inverse_propensity" && one.method != "self_normalised")
        << one.method;
  }
  for (const OffPolicyEstimate& one : off_policy_estimates(of(3), 100)) {
    EXPECT_TRUE(one.holds) << one.method;
    EXPECT_TRUE(one.holds_for_learner) << one.method;
  }
}

// Of records of every length, those alone that claim it: of outcomes that are normal, and of such that have
// a long tail, as times have. What claims nothing does not hold everywhere.
TEST(OffPolicy, WhatClaimsToHoldDoesAtEveryLength) {
  constexpr int kRecords = 2000;
  double worst_unclaimed = 100;
  for (const bool learns : {false, true})
    for (const double skew : {0.0, 0.6})
      for (const int jobs : {100, 300, 1000, 3000})
        for (const std::size_t target : {1u, 2u}) {
          const Recorded of{.learns = learns, .target = target, .jobs = jobs, .skew = skew};
          std::map<std::string, std::array<double, 2>> claimed, others;
          for (int record = 0; record < kRecords; ++record) {
            Random random(static_cast<std::uint64_t>(record), 7 + target + 10 * learns);
            const double truth = of.mean[target];
            for (const OffPolicyEstimate& one : off_policy_estimates(draw_record(of, random))) {
              const bool claims = learns ? one.holds_for_learner : one.holds;
              auto& [covered, records] = (claims ? claimed : others)[one.method];
              covered += one.low <= truth && truth <= one.high;
              ++records;
            }
          }
          for (const auto& [method, count] : claimed) {
            if (count[1] < 1000) continue;
            EXPECT_GE(100 * count[0] / count[1], 93)
                << method << " of " << jobs << " jobs, setting " << target << ", skew " << skew
                << (learns ? ", by a learner" : "");
          }
          for (const auto& [method, count] : others) {
            if (count[1] >= 1000)
              worst_unclaimed = std::min(worst_unclaimed, 100 * count[0] / count[1]);
          }
        }
  EXPECT_LT(worst_unclaimed, 90);
}

/// Of a setting that misses so often, beside others that miss less and more.
Recorded of_misses(double pct, double predicted_pct, bool learns, int jobs = 0) {
  return {.learns = learns,
          .target = 1,
          .jobs = jobs > 0 ? jobs
                  : learns ? 1500
                           : 600,
          .mean = {pct / 2, pct, 1.5 * pct, pct},
          .prediction = predicted_pct,
          .top = 100};
}

// A miss is all or nothing, and rare: in many records of 600 jobs none is seen. The prediction is that
// none misses, or that three in ten do.
TEST(OffPolicy, IntervalsCoverTheTruthOfRareMisses) {
  for (const bool learns : {false, true})
    for (const double pct : {0.3, 1.0, 3.0, 20.0})
      for (const double predicted : {0.0, 30.0})
        for (const auto& [method, covered] : coverage(of_misses(pct, predicted, learns)))
          EXPECT_GE(covered, 93) << method << " of " << pct << " %, predicted " << predicted
                                 << (learns ? ", by a learner" : "");
}

TEST(OffPolicy, OfMissesTheyDoInShortRecordsToo) {
  for (const bool learns : {false, true})
    for (const int jobs : {100, 300})
      for (const double pct : {1.0, 20.0})
        for (const auto& [method, covered] : coverage(of_misses(pct, 0, learns, jobs)))
          EXPECT_GE(covered, 93) << method << " of " << pct << " % in " << jobs << " jobs"
                                 << (learns ? ", by a learner" : "");
}

// What holds for what is rare may not be bought by what is not: there it is the normal interval.
TEST(OffPolicy, IntervalsOfCommonMissesAreHardlyWiderThanNormalOnes) {
  Random random(3, 1);
  Recorded of = of_misses(20, 0, false);
  of.jobs = 20'000;
  const std::vector<LoggedJob> jobs = draw_record(of, random);
  const auto bounded = off_policy_estimates(jobs, 100), normal = off_policy_estimates(jobs);
  for (std::size_t i = 0; i < normal.size(); ++i) {
    EXPECT_DOUBLE_EQ(bounded[i].value, normal[i].value);
    EXPECT_GE(bounded[i].high - bounded[i].low, normal[i].high - normal[i].low);
    EXPECT_LE(bounded[i].high - bounded[i].low, 1.05 * (normal[i].high - normal[i].low))
        << normal[i].method;
  }
}

// 100 jobs, each done with chance 1/2, and none of them missed: (1 - p)^100 = 0.025 at p = 3.62 %.
TEST(OffPolicy, WithoutAMissTheIntervalEndsWhereTheRuleOfThreeSays) {
  std::vector<LoggedJob> jobs(200, {0, 0, 40});
  for (std::size_t i = 0; i < 200; i += 2) jobs[i].weight = 2;
  for (const OffPolicyEstimate& one : off_policy_estimates(jobs, 100)) {
    EXPECT_GE(one.value, 0) << one.method;
    EXPECT_EQ(one.low, 0) << one.method;
    EXPECT_GE(one.high, 3.62) << one.method;
    EXPECT_LE(one.high, 100) << one.method;
  }
  EXPECT_NEAR(off_policy_estimates(jobs, 100)[1].high, 100 * (1 - std::pow(0.025, 0.01)), 1e-9);
  for (LoggedJob& job : jobs) job.outcome = 100;
  const OffPolicyEstimate all = off_policy_estimates(jobs, 100)[1];
  EXPECT_EQ(all.high, 100);
  EXPECT_NEAR(all.low, 100 * std::pow(0.025, 0.01), 1e-9);
}

// The weights are there because the scores of a learner's record vary more and more: they narrow.
TEST(OffPolicy, AdaptiveWeightsNarrowTheInterval) {
  Random random(5, 1);
  double plain = 0, adaptive = 0;
  for (int record = 0; record < 50; ++record) {
    std::vector<LoggedJob> jobs;
    for (int t = 0; t < 1000; ++t) {
      const double chance = std::max(0.05, std::pow(t + 1, -0.4));
      const bool agreed = random.uniform(0, 1) < chance;
      jobs.push_back({1 + 0.3 * random.normal(), agreed ? 1 / chance : 0, 0.5});
    }
    auto estimates = by_method(jobs);
    plain += estimates.at("doubly_robust").high - estimates.at("doubly_robust").low;
    adaptive += estimates.at("adaptively_weighted").high - estimates.at("adaptively_weighted").low;
  }
  EXPECT_LT(adaptive, 0.97 * plain);
}

}  // namespace
}  // namespace flyball
