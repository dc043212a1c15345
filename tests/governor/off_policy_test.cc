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

/// How often, in %, intervals cover the truth: 2,000 records of a policy that chooses among four
/// settings by fixed chances, or learns while it goes (epsilon-greedy on the means so far, epsilon
/// falling from 1 to 0.1). The prediction is 1 for every setting, which is right for the first only.
std::map<std::string, double> coverage(bool learns, std::size_t target, int jobs_per_record) {
  constexpr std::array<double, 4> mean = {1, 0.9, 1.1, 0.95};
  constexpr int kRecords = 2000;
  std::map<std::string, double> covered;
  for (int record = 0; record < kRecords; ++record) {
    Random random(static_cast<std::uint64_t>(record), target + 10 * learns);
    std::array<double, 4> sum{}, chance{0.4, 0.3, 0.2, 0.1};
    std::array<int, 4> count{};
    std::vector<LoggedJob> jobs;
    for (int t = 0; t < jobs_per_record; ++t) {
      if (learns) {
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
      const double outcome = mean[done] + 0.3 * random.normal();
      sum[done] += outcome;
      ++count[done];
      jobs.push_back({outcome, done == target ? 1 / chance[done] : 0, 1});
    }
    for (const OffPolicyEstimate& one : off_policy_estimates(jobs))
      covered[one.method] +=
          100.0 / kRecords * (one.low <= mean[target] && mean[target] <= one.high);
  }
  return covered;
}

TEST(OffPolicy, IntervalsCoverTheTruthAsOftenAsTheySay) {
  for (const std::size_t target : {1u, 2u}) {
    for (const auto& [method, pct] : coverage(false, target, 600))
      EXPECT_THAT(pct, AllOf(Ge(93), Le(97))) << method << " of setting " << target;
  }
}

TEST(OffPolicy, AlsoWhenTheRecordedPolicyLearned) {
  for (const std::size_t target : {1u, 2u}) {
    auto covered = coverage(true, target, 1500);
    for (const char* method : {"adaptively_weighted", "doubly_robust"})
      EXPECT_THAT(covered.at(method), AllOf(Ge(93), Le(97))) << method << " of setting " << target;
    EXPECT_GE(covered.at("switch_doubly_robust"), 93);  // it allows for what it leaves out
  }
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
