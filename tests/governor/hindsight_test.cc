#include "governor/compare/hindsight.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "env/model/model.h"
#include "fakes.h"
#include "governor/compare/hindsight_candidates.h"
#include "governor/compare/parallel.h"
#include "governor/loop/job_cost.h"
#include "governor/metrics/session.h"
#include "tests/env/network_levels.h"

namespace flyball::test {
namespace {

/// One job per epoch, by the model; the work of a job grows with the seed, which no candidate
/// search knows.
class ModelPlatform final : public FakePlatform {
 public:
  ModelPlatform(const PlatformSpec& spec, const Scenario& scenario, std::uint64_t seed)
      : FakePlatform(spec, scenario, 10), work_(1 + 0.2 * static_cast<double>(seed)) {
    fill = [this](Observation& out) { run_job(out); };
  }

 private:
  void run_job(Observation& out) const {
    const AppProfile& net = spec().apps[0];
    const AppSetting setting = applied.app[0];
    const Mapping& mapping = spec().mappings[setting.mapping];
    const double time_ns = execution_ns(spec(), net, mapping, setting.level, applied.opp, work_);
    out.energy_mj = ranking_energy_mj(spec(), net, mapping, setting.level, applied.opp, time_ns, 0);
    JobRecord job = small_job(out.sequence, 0, 0, 150, setting);
    job.finish_ns = static_cast<std::int64_t>(time_ns);
    job.missed = job.finish_ns > job.deadline_ns;
    job.accuracy_pct = static_cast<float>(net.levels[setting.level].accuracy_pct);
    job.accuracy_floor_pct = 70;
    out.app[0].released = out.app[0].finished = 1;
    out.app[0].missed = job.missed;
    out.app[0].accuracy_shortfall_pct = std::max(0.0, 70.0 - job.accuracy_pct);
    out.add_job(job);
  }
  const double work_;
};

class HindsightTest : public ::testing::Test {
 protected:
  HindsightTest() {
    options_.make_platform = [](const PlatformSpec& spec, const Scenario& scenario,
                                std::uint64_t seed) -> Stage {
      return {std::make_unique<ModelPlatform>(spec, scenario, seed), nullptr};
    };
  }
  double reward_of(const Action& action, int seeds) const {
    const Belief belief = Belief::of(spec_);
    double sum = 0;
    for (int s = 0; s < seeds; ++s) {
      ModelPlatform platform(spec_, scenario_, options_.first_seed + static_cast<std::uint64_t>(s));
      FakeAgent agent(action);
      sum += run_session(platform, belief, agent, reward_weights(belief)).metrics.reward;
    }
    return sum / seeds;
  }

  PlatformSpec spec_ = small_platform();
  Scenario scenario_ = small_scenario();
  HindsightOptions options_;
};

TEST_F(HindsightTest, FindsWhatTryingEverythingFinds) {
  for (const int seeds : {1, 3}) {
    options_.seeds = seeds;
    Action best;
    double best_reward = -1e300;
    for (int big = 0; big < 3; ++big)
      for (int little = 0; little < 3; ++little)
        for (int mapping = 0; mapping < 3; ++mapping)
          for (int width = 0; width < 2; ++width) {
            const Action action = small_action(big, little, mapping, width);
            const double reward = reward_of(action, seeds);
            if (reward > best_reward) {
              best = action;
              best_reward = reward;
            }
          }
    const HindsightResult result = best_in_hindsight(spec_, scenario_, options_);
    EXPECT_NEAR(result.reward, best_reward, 1e-9) << seeds;
    EXPECT_NEAR(reward_of(result.action, seeds), best_reward, 1e-9) << seeds;
    EXPECT_EQ(result.action.app[0], best.app[0]) << seeds;
  }
}

TEST_F(HindsightTest, TheResultDoesNotDependOnTheNumberOfThreads) {
  options_.seeds = 3;
  options_.threads = 1;
  const HindsightResult one = best_in_hindsight(spec_, scenario_, options_);
  options_.threads = 4;
  const HindsightResult four = best_in_hindsight(spec_, scenario_, options_);
  EXPECT_EQ(one.action, four.action);
  EXPECT_EQ(one.reward, four.reward);
  EXPECT_EQ(one.runs, four.runs);
}

TEST_F(HindsightTest, KeepsToItsBudgetAndTellsHowFarItIs) {
  options_.budget = 5;
  options_.seeds = 2;
  double last = 0;
  options_.progress = [&](double done) {
    EXPECT_GE(done, last);
    EXPECT_LE(done, 1);
    last = done;
  };
  const HindsightResult result = best_in_hindsight(spec_, scenario_, options_);
  EXPECT_LE(result.runs, 5 + 5);  // and as many finalists on the second seed
  EXPECT_GT(last, 0.5);
}

TEST_F(HindsightTest, CandidatesAreDistinctAndLetUnusedClustersRest) {
  const std::vector<Action> all = hindsight_candidates(spec_, scenario_, 100);
  ASSERT_FALSE(all.empty());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Mapping& mapping = spec_.mappings[all[i].app[0].mapping];
    for (int c = 0; c < 2; ++c)
      if (mapping.cores[c] == 0) {
        EXPECT_EQ(all[i].opp[c], 0);
      }
    EXPECT_EQ(std::count(all.begin(), all.end(), all[i]), 1);
  }
}

// A step of the width keeps the precision, and the precision is a step of its own.
TEST_F(HindsightTest, NeighboursOfALevelAreWidthsInItsPrecisionAndTheOtherPrecision) {
  give_widths(spec_.apps[0], {{50, 0.3, 1, 59, "", true},
                              {50, 0.5, 1, 60, ""},
                              {75, 0.4, 1, 64, "", true},
                              {75, 0.75, 1, 65, ""},
                              {100, 0.6, 1, 69, "", true},
                              {100, 1, 1, 70, ""}});
  const auto levels_from = [&](int level) {
    std::vector<int> levels;
    for (const Action& other : neighbours(spec_, scenario_, small_action(1, 0, 1, level))) {
      if (other.app[0].level != level) levels.push_back(other.app[0].level);
    }
    return levels;
  };
  EXPECT_EQ(levels_from(3), (std::vector<int>{1, 5, 2}));
  EXPECT_EQ(levels_from(0), (std::vector<int>{2, 1}));
  EXPECT_EQ(levels_from(5), (std::vector<int>{3, 4}));
}

// With three knobs, a step of each that leaves the others alone, past what is not offered.
TEST_F(HindsightTest, NeighboursOfALevelAreOneStepOfOneKnobAway) {
  AppProfile& app = spec_.apps[0];
  app.knobs = {{"a", "", {"1", "2", "3"}}, {"b", "", {"x", "y"}}, {"c", "", {"x", "y"}}};
  app.levels.clear();
  for (const KnobValues& at :
       {KnobValues{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {1, 0, 0}, {2, 0, 0}, {2, 1, 1}}) {
    app.levels.emplace_back().knob = at;
  }
  const auto levels_from = [&](int level) {
    std::vector<int> levels;
    for (const Action& other : neighbours(spec_, scenario_, small_action(1, 0, 1, level))) {
      if (other.app[0].level != level) levels.push_back(other.app[0].level);
    }
    return levels;
  };
  EXPECT_EQ(levels_from(0), (std::vector<int>{3, 2, 1}));
  EXPECT_EQ(levels_from(3), (std::vector<int>{0, 4}));
  EXPECT_EQ(levels_from(4), (std::vector<int>{3}));
  EXPECT_EQ(levels_from(5), (std::vector<int>{})) << "nothing differs from it in one knob only";
}

TEST(ParallelForTest, DoesEverythingOnce) {
  std::vector<int> done(1000, 0);
  std::size_t told = 0;
  parallel_for(
      done.size(), 3, nullptr, [&](std::size_t i) { ++done[i]; },
      [&](std::size_t finished) {
        EXPECT_GT(finished, told);
        told = finished;
      });
  EXPECT_EQ(std::count(done.begin(), done.end(), 1), 1000);
  EXPECT_EQ(told, 1000u);
  parallel_for(0, 2, nullptr, [&](std::size_t) { FAIL(); }, {});
}

TEST(ParallelForTest, ThrowsTheFirstFailureAndStopsOnRequest) {
  const auto failing = [](std::size_t i) {
    if (i >= 3) throw std::runtime_error(std::to_string(i));
  };
  try {
    parallel_for(100, 1, nullptr, failing, {});
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "3");
  }
  // What the listener throws comes out, too, and no thread is left.
  EXPECT_THROW(parallel_for(
                   10, 2, nullptr, [](std::size_t) {}, [](std::size_t) { throw 1; }),
               int);
  std::atomic<bool> stop = false;
  std::atomic<int> calls = 0;
  parallel_for(1000, 2, &stop,
               [&](std::size_t) {
                 ++calls;
                 stop = true;
               },
               {});
  EXPECT_LE(calls, 2);
}

}  // namespace
}  // namespace flyball::test
