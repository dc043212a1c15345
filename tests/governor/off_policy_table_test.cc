// Off-policy estimates where the truth is known: a language model on a Jetson Orin, of which the whole
// grid was measured, so that the value of any policy that picks a setting can be added up.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "env/config/yaml.h"
#include "governor/compare/table_bandit.h"
#include "governor/replay/off_policy.h"
#include "kernels/base/random.h"

namespace flyball::testing {
namespace {

constexpr double kNoise = 0.01;  // of a measurement: one standard deviation

struct Arm {
  double cost_j = 0;
  double target = 0;  ///< the chance that the estimated policy gives it
};

/// So many requests answered at a time: the settings that there are, those of both bins of the clock.
struct Batch {
  std::vector<Arm> arms;
  double mean_j = 0;    ///< of all arms
  double target_j = 0;  ///< of the estimated policy
};

/// The estimated policy decodes at a bin and reads prompts at any, or picks the cheapest arm.
std::vector<Batch> batches_of(const std::vector<double>& sizes, bool cheapest) {
  constexpr double kDecodeBin = 5;
  const BanditTable orin = read_bandit_table(find_config("tables", "orin_llm"));
  std::vector<Batch> batches;
  for (const double size : sizes) {
    Batch batch;
    double count = 0;
    for (const BanditTable::Row& row : orin.rows) {
      if (row.knob[0] != size) continue;
      batch.arms.push_back({row.cost, row.knob[1] == kDecodeBin ? 1.0 : 0});
      count += batch.arms.back().target;
    }
    const auto least = std::ranges::min_element(batch.arms, {}, &Arm::cost_j);
    for (Arm& arm : batch.arms) {
      arm.target = cheapest ? (&arm == &*least ? 1 : 0) : arm.target / count;
      batch.mean_j += arm.cost_j / static_cast<double>(batch.arms.size());
      batch.target_j += arm.cost_j * arm.target;
    }
    batches.push_back(std::move(batch));
  }
  return batches;
}

/// Requests come in batches of any size. Who answers them tries any arm with chance epsilon, and takes
/// the one that was cheapest so far otherwise; epsilon is 1, or falls from 1 to 0.3 while it learns. What
/// is predicted is that the policy's arms cost 5 % less than arms do.
std::vector<LoggedJob> draw_record(const std::vector<Batch>& batches, bool learns, int jobs,
                                   Random& random) {
  struct Seen {
    std::vector<double> sum, count;
    std::size_t best = 0;
  };
  std::vector<Seen> seen(batches.size());
  for (std::size_t b = 0; b < batches.size(); ++b) {
    seen[b].sum.resize(batches[b].arms.size());
    seen[b].count.resize(batches[b].arms.size());
  }
  std::vector<LoggedJob> record;
  for (int t = 0; t < jobs; ++t) {
    const std::size_t b = random.below(static_cast<std::uint32_t>(batches.size()));
    const std::vector<Arm>& arms = batches[b].arms;
    auto& [sum, count, best] = seen[b];
    const double epsilon = learns ? std::max(0.3, std::pow(t + 1, -0.2)) : 1;
    const std::size_t any = random.below(static_cast<std::uint32_t>(arms.size()));
    const std::size_t done = random.uniform() < epsilon ? any : best;
    const double chance =
        epsilon / static_cast<double>(arms.size()) + (done == best ? 1 - epsilon : 0);
    const double cost_j = arms[done].cost_j * (1 + kNoise * random.normal());
    record.push_back({cost_j, arms[done].target / chance, 0.95 * batches[b].mean_j});
    sum[done] += cost_j;
    ++count[done];
    if (!learns) continue;
    const auto so_far = [&](std::size_t a) { return count[a] > 0 ? sum[a] / count[a] : INFINITY; };
    for (std::size_t a = 0; a < arms.size(); ++a)
      if (so_far(a) < so_far(best)) best = a;
  }
  return record;
}

/// How often, in %, intervals cover what the table says the policy has, in 2,000 records.
std::map<std::string, double> coverage(const std::vector<Batch>& batches, bool learns, int jobs) {
  constexpr int kRecords = 2000;
  double truth_j = 0;
  for (const Batch& batch : batches)
    truth_j += batch.target_j / static_cast<double>(batches.size());
  std::map<std::string, double> covered;
  for (int record = 0; record < kRecords; ++record) {
    Random random(static_cast<std::uint64_t>(record), 5 + learns);
    const std::vector<LoggedJob> jobs_of = draw_record(batches, learns, jobs, random);
    for (const OffPolicyEstimate& one : off_policy_estimates(jobs_of))
      covered[one.method] += 100.0 / kRecords * (one.low <= truth_j && truth_j <= one.high);
  }
  return covered;
}

/// Switch-DR allows for what it leaves out, and covers more.
void expect_covered(const std::map<std::string, double>& covered) {
  ASSERT_EQ(covered.size(), 5u);
  for (const auto& [method, pct] : covered) {
    EXPECT_GE(pct, 93) << method;
    if (method == "switch_doubly_robust") continue;
    EXPECT_LE(pct, 97) << method;
  }
}

TEST(OffPolicyOnOrin, IntervalsCoverTheTablesValueWhereArmsWerePickedAtRandom) {
  expect_covered(coverage(batches_of({6, 8, 10}, false), false, 3000));
  expect_covered(coverage(batches_of({6, 8, 10}, true), false, 6000));  // one arm of 121
}

TEST(OffPolicyOnOrin, AndWhereALearnerPickedThem) {
  expect_covered(coverage(batches_of({6, 8, 10}, false), true, 3000));
}

}  // namespace
}  // namespace flyball::testing
