// When Linux's governors look, and at what: laws of drivers/cpufreq/cpufreq_governor.c,
// cpufreq_conservative.c and kernel/sched/cpufreq_schedutil.c of Linux 6.1.

#include <gtest/gtest.h>

#include <memory>

#include "agents/conservative.h"
#include "agents/load_sample.h"
#include "tests/agents/closed_loop.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(LoadSample, IsOverTheTimeSinceTheLastOne) {
  LoadSample load;
  load.pass(10 * kMs, 1);
  ASSERT_TRUE(load.take());
  load.pass(3 * kMs, 0);
  load.pass(3 * kMs, 1);
  EXPECT_FALSE(load.take()) << "6 ms are too few";
  load.pass(4 * kMs, 0.75);
  load.pass(2 * kMs, 0);
  EXPECT_EQ(load.take()->load_pct, 50) << "6 of 12 ms";
  EXPECT_FALSE(load.take());
}

TEST(LoadSample, ShowsTheLoadBeforeALongSleepOnce) {
  LoadSample load;
  load.pass(10 * kMs, 0.7);
  EXPECT_EQ(load.take()->load_pct, 70);
  load.pass(50 * kMs, 0);
  const auto woken = load.take();
  EXPECT_EQ(woken->load_pct, 70);
  EXPECT_EQ(woken->missed, 5);
  load.pass(50 * kMs, 0);
  const auto again = load.take();
  EXPECT_EQ(again->load_pct, 0);
  EXPECT_EQ(again->missed, 5);
  load.pass(100 * kMs, 0.3);
  EXPECT_EQ(load.take()->load_pct, 30) << "none to show: what there was";
  load.pass(100 * kMs, 0.1);
  EXPECT_EQ(load.take()->load_pct, 30);
}

TEST(LoadSample, TwoSamplingRatesOfIdlenessAreNoLongSleep) {
  LoadSample load;
  load.pass(10 * kMs, 1);
  load.take();
  load.pass(20 * kMs, 0);
  EXPECT_EQ(load.take()->load_pct, 0);
  load.pass(10 * kMs, 1);
  load.take();
  load.pass(100 * kMs, 0.8);
  const auto busy = load.take();
  EXPECT_EQ(busy->load_pct, 80) << "it is idleness that counts, and not the time between samples";
  EXPECT_EQ(busy->missed, 0);
}

TEST(LoadSample, ComesAtOnceWhenLimitsMoved) {
  LoadSample load;
  load.pass(10 * kMs, 1);
  load.take();
  load.pass(1 * kMs, 0.4);
  load.limits_changed();
  EXPECT_EQ(load.take()->load_pct, 40);
}

TEST(Conservative, ASleepTakesAStepPerSamplingRateOffWhatASampleGoesOnFrom) {
  const ClusterSpec big = tiny_platform().clusters[0];  // a step is 100 MHz
  double wanted_khz = 2'000'000;
  EXPECT_EQ(Conservative::step(big, {90, 6}, 3, 3, wanted_khz), 2);
  EXPECT_DOUBLE_EQ(wanted_khz, 1'500'000) << "6 down, 1 up";
  EXPECT_EQ(Conservative::step(big, {10, 3}, 2, 3, wanted_khz), 2);
  EXPECT_DOUBLE_EQ(wanted_khz, 1'100'000);
  EXPECT_EQ(Conservative::step(big, {90, 100}, 2, 3, wanted_khz), 0) << "not below the lowest";
  EXPECT_DOUBLE_EQ(wanted_khz, 600'000);
}

TEST(Conservative, ASleepAloneMovesNothing) {
  const ClusterSpec big = tiny_platform().clusters[0];
  double wanted_khz = 2'000'000;
  EXPECT_EQ(Conservative::step(big, {50, 8}, 3, 3, wanted_khz), 3);
  EXPECT_DOUBLE_EQ(wanted_khz, 2'000'000);
  // Once the wish is down at the lowest there is no step to take, and the clock is left as it is.
  EXPECT_EQ(Conservative::step(big, {0, 100}, 3, 3, wanted_khz), 3);
  EXPECT_DOUBLE_EQ(wanted_khz, 2'000'000);
}

/// A governor by hand: epochs with a busy share of the big cluster, and tasks that wake at their end.
class Hand {
 public:
  explicit Hand(const std::string& policy) : agent_(world_.bound(policy)) { decide(now_); }
  /// The OPP of the big cluster after it.
  int epoch(std::int64_t ms, double busy, bool wakes = false) {
    at_ns_ += ms * kMs;
    Observation now = wakes ? world_.release(at_ns_, ms * kMs) : world_.idle(at_ns_, ms * kMs);
    for (int c = 0; c < now.cluster_count; ++c) world_.set_opp(now, c, decision_.action.opp[c]);
    now.cluster[0].util_max = busy;
    now.cluster[0].util_mean = busy / 2;
    now.cluster[0].opp_cap = static_cast<std::uint8_t>(cap);
    decide(now);
    return decision_.action.opp[0];
  }
  int cap = 3;

 private:
  void decide(const Observation& now) { agent_->decide(now, decision_); }
  TinyWorld world_;
  std::unique_ptr<Agent> agent_;
  Observation now_ = world_.idle();
  Decision decision_;
  std::int64_t at_ns_ = 0;
};

TEST(LinuxSampling, OndemandWakesWithTheLoadBeforeANap) {
  Hand ondemand("ondemand");
  EXPECT_EQ(ondemand.epoch(12, 0.6), 2);  // 500 + 0.6 * 1500 = 1400 MHz
  EXPECT_EQ(ondemand.epoch(4, 0), 2) << "the last tick comes too soon for a sample";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ondemand.epoch(12, 0), 2);
  EXPECT_EQ(ondemand.epoch(12, 0, true), 2) << "60 % again, once";
  EXPECT_EQ(ondemand.epoch(4, 0), 2);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ondemand.epoch(12, 0), 2);
  EXPECT_EQ(ondemand.epoch(12, 0, true), 0) << "none of 76 ms";
}

TEST(LinuxSampling, OndemandDoesNotLookSoonerThanTheSamplingRate) {
  Hand ondemand("ondemand");
  EXPECT_EQ(ondemand.epoch(12, 1), 3);
  EXPECT_EQ(ondemand.epoch(4, 0.1, true), 3);
  EXPECT_EQ(ondemand.epoch(4, 0.1), 3);
  EXPECT_EQ(ondemand.epoch(2, 0.1), 0);
}

TEST(LinuxSampling, ConservativeComesDownByWhatItSlept) {
  Hand conservative("conservative");
  while (conservative.epoch(12, 1) < 3) {
  }
  EXPECT_EQ(conservative.epoch(4, 0), 3) << "the last tick";
  for (int i = 0; i < 7; ++i) EXPECT_EQ(conservative.epoch(12, 0), 3);
  EXPECT_EQ(conservative.epoch(12, 0, true), 1) << "10 steps of 100 MHz down, and one up";
}

TEST(LinuxSampling, OneTickComesAfterACpuHasGoneIdle) {
  Hand ondemand("ondemand");
  EXPECT_EQ(ondemand.epoch(12, 1), 3);
  EXPECT_EQ(ondemand.epoch(9, 6 / 9.0), 3) << "too soon";
  EXPECT_EQ(ondemand.epoch(3, 0), 1) << "at 24 ms: half of the 12 since the last sample";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ondemand.epoch(12, 0), 1) << "stopped";
}

TEST(LinuxSampling, ACapHoldsWhileIdleAndIsNotMadeUpForBeforeSomethingRuns) {
  for (const char* policy : {"ondemand", "conservative", "schedutil"}) {
    Hand hand(policy);
    for (int i = 0; i < 100; ++i) hand.epoch(10, 1);
    EXPECT_EQ(hand.epoch(4, 0), 3) << policy << ": the last tick";
    hand.cap = 1;
    EXPECT_EQ(hand.epoch(10, 0), 1) << policy;
    hand.cap = 3;
    for (int i = 0; i < 5; ++i) EXPECT_EQ(hand.epoch(10, 0), 1) << policy;
    EXPECT_GE(hand.epoch(10, 1), 1) << policy;
  }
}

TEST(LinuxSampling, SchedutilSlowsNoSingleCpuThatHasNotIdled) {
  int lower_of_one = 0, lower_of_two = 0;
  for (const int cores : {1, 2}) {
    TinyWorld world;
    world.platform.trips.clear();
    world.platform.clusters[0].cores = cores;
    std::erase_if(world.platform.mappings, [&](const Mapping& m) { return m.cores[0] > cores; });
    world.platform.apps[0].unit[1].supported = false;
    world.scenario.apps[0].arrival.period_ns = 130 * kMs;
    world.scenario.duration_ns = 3'000 * kMs;
    ClosedLoop loop(world, "schedutil");
    int before = 0, since = 0;
    const auto decided = [&] {
      const bool ran = loop.now.epoch_ns > 0 && loop.now.cluster[0].util_max > 0.999;
      since = ran ? since + 1 : 0;
      const int opp = loop.action.opp[0];
      // The first epoch of a job follows a sleep.
      if (since > 1) (cores == 1 ? lower_of_one : lower_of_two) += opp < before;
      before = opp;
    };
    while (loop.step(decided)) {
    }
  }
  EXPECT_EQ(lower_of_one, 0);
  EXPECT_GT(lower_of_two, 0) << "a task that goes to sleep takes its estimate along";
}

/// Two applications, each with a cluster of its own: the big one is busy throughout from 12 ms on, the
/// LITTLE one's jobs come and go every millisecond. When the big one's clock has gone up, or 0.
std::int64_t up_at_ms(const std::int64_t big_finishes_at_ms) {
  const TinyWorld world;
  const auto agent = world.bound("ondemand");
  Decision decision;
  const auto epoch = [&](std::int64_t at_ms, std::int64_t ms, double big, double little) {
    Observation now = world.idle(at_ms * kMs, ms * kMs);
    for (int c = 0; c < now.cluster_count; ++c) world.set_opp(now, c, decision.action.opp[c]);
    now.cluster[0].util_max = now.cluster[0].util_mean = big;
    now.cluster[1].util_max = now.cluster[1].util_mean = little;
    for (const int cluster : {0, 1}) {
      if (little == 0 || (cluster == 0 && at_ms != big_finishes_at_ms)) continue;
      JobRecord* job = now.new_job();
      job->start_ns = job->finish_ns = now.now_ns;
      job->setting = {static_cast<std::uint8_t>(world.platform.find_mapping(cluster, 1)), 3};
    }
    agent->decide(now, decision);
    return int{decision.action.opp[0]};
  };
  agent->decide(world.idle(), decision);
  EXPECT_EQ(epoch(12, 12, 0.3, 0), 1);  // 500 + 0.3 * 1500 = 950 MHz
  for (std::int64_t at_ms = 13; at_ms <= 24; ++at_ms) {
    if (epoch(at_ms, 1, 1, 0.5) > 1) return at_ms;
  }
  return 0;
}

TEST(LinuxSampling, NoGovernorLooksBecauseOfAnotherCluster) {
  EXPECT_EQ(up_at_ms(-1), 24) << "at 22 ms a sample is due, but its own tick comes at 24";
}

TEST(LinuxSampling, AFinishIsAnEventOfTheClustersOfItsJob) { EXPECT_EQ(up_at_ms(22), 22); }

// The kernel counts each CPU by itself: of two that take turns none is busy throughout.
TEST(LinuxSampling, CpusThatTakeTurnsAreHalfBusy) {
  TinyWorld world;
  world.scenario.apps.push_back(world.scenario.apps[0]);
  for (const char* policy : {"ondemand", "interactive"}) {
    const auto agent = world.bound(policy);
    Decision decision;
    agent->decide(world.idle(), decision);
    for (std::int64_t at_ms = 5; at_ms <= 200; at_ms += 5) {
      Observation now = world.idle(at_ms * kMs, 5 * kMs);
      for (int c = 0; c < 2; ++c) world.set_opp(now, c, decision.action.opp[c]);
      now.cluster[0].util_max = 1;
      now.cluster[0].util_mean = 0.5;
      JobRecord* job = now.new_job();
      job->app = static_cast<std::uint8_t>(at_ms / 5 % 2);
      job->start_ns = now.now_ns - 5 * kMs;
      job->finish_ns = now.now_ns;
      job->setting = {static_cast<std::uint8_t>(world.platform.find_mapping(0, 1)), 3};
      now.app[job->app].finished = 1;
      agent->decide(now, decision);
    }
    // ondemand: half way up, 1250 MHz; interactive: the lowest clock, as half of that is less than 90 %.
    EXPECT_LT(decision.action.opp[0], world.platform.clusters[0].max_opp()) << policy;
  }
}

TEST(LinuxSampling, TheClockStaysWhileNothingRuns) {
  for (const char* policy : {"ondemand", "conservative", "schedutil"}) {
    TinyWorld world;
    world.platform.trips.clear();
    world.platform.apps[0].unit[0].mcycles = 60;
    world.platform.apps[0].unit[1].supported = false;
    world.scenario.apps[0].arrival.period_ns = 130 * kMs;
    world.scenario.duration_ns = 3'000 * kMs;
    ClosedLoop loop(world, policy);
    int before = -1, still = 0, moved = 0;
    std::int64_t ran_ns = 0;
    const auto decided = [&] {
      const Observation& now = loop.now;
      if (now.cluster[0].util_max > 0 || now.app[0].released > 0) ran_ns = now.now_ns;
      const int opp = loop.action.opp[0];
      if (now.now_ns - ran_ns > 4 * kMs) {  // the one tick is over
        ++still;
        EXPECT_EQ(opp, before) << policy << " at " << now.now_ns;
      }
      moved += before >= 0 && opp != before;
      before = opp;
    };
    while (loop.step(decided)) {
    }
    EXPECT_GT(still, 50) << policy;
    EXPECT_GT(moved, 0) << policy;
  }
}

}  // namespace
}  // namespace flyball
