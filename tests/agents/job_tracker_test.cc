#include "agents/job_tracker.h"

#include <gtest/gtest.h>

#include <optional>

#include "kernels/base/random.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

constexpr std::int64_t kMs = 1'000'000;

struct JobTrackerTest : testing::Test {
  JobTrackerTest() { jobs.emplace(world.platform, world.platform.apps[0], 0, true); }

  /// An epoch of `ms` in which the job runs throughout, with the big cluster at `opp`.
  void run(std::int64_t ms, int opp) {
    now_ns += ms * kMs;
    Observation o = world.release(now_ns, ms * kMs);
    o.app[0].released = 0;
    o.app[0].running.release_ns = o.app[0].running.start_ns = released_ns;
    finish(o, opp, false);
  }
  /// One that ends with its finish.
  void run_to_end(std::int64_t us, int opp) {
    now_ns += us * 1000;
    Observation o = world.idle(now_ns, us * 1000);
    finish(o, opp, true);
  }
  void release() {
    now_ns += kMs;
    released_ns = now_ns;
    Observation o = world.release(now_ns, kMs);
    o.app[0].setting.level = o.app[0].running.setting.level = 3;
    jobs->observe(o);
  }
  void finish(Observation& o, int opp, bool done) {
    world.set_opp(o, 0, opp);
    o.app[0].setting.level = o.app[0].last_setting.level = o.app[0].running.setting.level = 3;
    o.cluster[0].util_mean = 0.5 + background / 2;  // one of two cores is the job's
    if (done) {
      JobRecord job;
      job.release_ns = job.start_ns = released_ns;
      job.finish_ns = o.now_ns;
      job.setting.level = 3;
      o.app[0].finished = 1;
      o.add_job(job);
    }
    jobs->observe(o);
  }
  TinyWorld world;
  std::optional<JobTracker> jobs;
  std::int64_t now_ns = 0, released_ns = 0;
  double background = 0;
};

TEST_F(JobTrackerTest, ProgressIsWorkDoneAtTheFrequenciesOfTheMoment) {
  release();
  EXPECT_EQ(jobs->progress(), 0);
  run(5, 0);  // 10 Mcycles at 500 MHz take 20 ms
  EXPECT_NEAR(jobs->progress(), 0.25, 1e-9);
  run(2, 3);  // and at 2000 MHz 5 ms
  EXPECT_NEAR(jobs->progress(), 0.65, 1e-9);
  run_to_end(1750, 3);
  EXPECT_EQ(jobs->progress(), 0);
  EXPECT_NEAR(jobs->work(0), 1, 1e-6) << "exactly as modelled";
}

TEST_F(JobTrackerTest, WorkFollowsTheStream) {
  for (int i = 0; i < 30; ++i) {
    release();
    run_to_end(15'000, 1);  // 10 ms as modelled
  }
  EXPECT_NEAR(jobs->work(0) * jobs->slowdown(0), 1.5, 0.01);
  EXPECT_GT(jobs->work(2), jobs->work(0)) << "deviations add";
}

TEST_F(JobTrackerTest, OneJobMovesTheAverageByItsWeightOnly) {
  release();
  run_to_end(1'000'000, 1);  // a hundred times too long
  EXPECT_NEAR(jobs->work(0), 1.25, 1e-9) << "taken for twice, of which a quarter counts";
}

TEST_F(JobTrackerTest, EstimatesDoNotDriftApart) {
  Random rng(4);
  for (int i = 0; i < 20'000; ++i) {
    release();
    run_to_end(static_cast<std::int64_t>(rng.uniform(7'000, 13'000)), 1);
  }
  EXPECT_NEAR(jobs->work(0), 1, 0.2);
  EXPECT_NEAR(jobs->slowdown(0), 1, 0.1);
}

TEST_F(JobTrackerTest, BackgroundCrowdsTheMappingThatNeedsItsCore) {
  background = 1;  // of two cores, beside the job's own
  for (int i = 0; i < 100; ++i) {
    release();
    run(10, 1);
    run_to_end(1'000, 1);
  }
  jobs->set_company({});
  EXPECT_NEAR(jobs->other_load(), 0.5, 0.05);
  EXPECT_NEAR(jobs->slowdown(1) / jobs->slowdown(0), 1.5, 0.1)
      << "two cores wanted beside one that is busy";
}

TEST_F(JobTrackerTest, CompanyCrowds) {
  jobs->set_company({2, 0, 0, 0});
  EXPECT_DOUBLE_EQ(jobs->slowdown(0), 1.5);  // 1 + 2 on two cores
  EXPECT_DOUBLE_EQ(jobs->slowdown(1), 2);
  EXPECT_DOUBLE_EQ(jobs->slowdown(2), 1) << "the little cluster is free";
  EXPECT_DOUBLE_EQ(jobs->slowdown(4), 2) << "the most crowded counts";
}

TEST_F(JobTrackerTest, ShortestGapOfReleasesRunningWaitingAndDropped) {
  release();
  const std::int64_t first = now_ns;
  Observation o = world.release(now_ns = first + 5 * kMs, 5 * kMs);
  o.app[0].backlog = 2;
  o.app[0].running.release_ns = o.app[0].running.start_ns = first;
  o.app[0].waiting_count = 1;
  o.app[0].waiting[0].release_ns = now_ns;
  jobs->observe(o);
  EXPECT_DOUBLE_EQ(jobs->shortest_gap_ns(), 5e6);
  // A third finds the queue full 2 ms later.
  o.now_ns = now_ns += 2 * kMs;
  o.epoch_ns = 2 * kMs;
  JobRecord dropped;
  dropped.release_ns = dropped.start_ns = dropped.finish_ns = now_ns;
  dropped.dropped = dropped.missed = true;
  o.app[0].dropped = 1;
  o.add_job(dropped);
  jobs->observe(o);
  EXPECT_DOUBLE_EQ(jobs->shortest_gap_ns(), 2e6);
  EXPECT_NEAR(jobs->work(0), 1, 1e-12) << "it did no work";
}

TEST_F(JobTrackerTest, ADroppedJobLeavesTheProgressOfTheOneThatRuns) {
  release();
  run(5, 0);
  now_ns += 5 * kMs;
  Observation o = world.release(now_ns, 5 * kMs);
  o.app[0].running.release_ns = o.app[0].running.start_ns = released_ns;
  JobRecord dropped;
  dropped.release_ns = dropped.start_ns = dropped.finish_ns = now_ns;
  dropped.dropped = true;
  o.add_job(dropped);
  finish(o, 0, false);
  EXPECT_NEAR(jobs->progress(), 0.5, 1e-9) << "10 of 20 ms";
}

TEST_F(JobTrackerTest, AJobThatWaitsMakesNoProgress) {
  release();
  run_to_end(20'000, 0);
  now_ns += 10 * kMs;
  Observation o = world.idle(now_ns, 10 * kMs);
  o.app[0].backlog = o.app[0].waiting_count = 1;
  o.app[0].waiting[0].release_ns = now_ns - 9 * kMs;
  jobs->observe(o);
  EXPECT_EQ(jobs->progress(), 0);
  EXPECT_EQ(running_share(o, 0), 0);
}

TEST_F(JobTrackerTest, OfAnUnknownProfileTheFirstJobsSayEverything) {
  jobs.emplace(world.platform, world.platform.apps[0], 0, false);
  EXPECT_EQ(jobs->work(0), 1);
  EXPECT_GT(jobs->deviation(), 0.4) << "anything may come";
  for (int i = 0; i < 4; ++i) {
    release();
    run_to_end(80'000, 1);  // 10 ms as modelled
  }
  EXPECT_NEAR(jobs->work(0) * jobs->slowdown(0), 8, 0.01);
  EXPECT_LT(jobs->deviation() / jobs->work(0), 0.1);
  JobTracker known(world.platform, world.platform.apps[0], 0, true);
  EXPECT_LT(known.deviation(), 0.1);
}

}  // namespace
}  // namespace flyball
