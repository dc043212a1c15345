#include "agents/job_tracker.h"

#include <gtest/gtest.h>

#include "kernels/base/error.h"
#include "kernels/base/random.h"
#include "tests/agents/tiny_platform.h"

namespace flyball {
namespace {

constexpr std::int64_t kMs = 1'000'000;

struct JobTrackerTest : testing::Test {
  JobTrackerTest() : jobs(world.platform, world.scenario, 0) {}

  /// An epoch of `ms` in which the job runs throughout, with the big cluster at `opp`.
  void run(std::int64_t ms, int opp) {
    now_ns += ms * kMs;
    Observation o = world.release(now_ns, ms * kMs);
    o.app[0].released = 0;
    o.app[0].oldest_release_ns = released_ns;
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
    o.app[0].setting.level = 3;
    jobs.observe(o);
  }
  void finish(Observation& o, int opp, bool done) {
    world.set_opp(o, 0, opp);
    o.app[0].setting.level = o.app[0].last_setting.level = 3;
    o.cluster[0].util_mean = 0.5 + background / 2;  // one of two cores is the job's
    if (done) {
      JobRecord job;
      job.release_ns = job.start_ns = released_ns;
      job.finish_ns = o.now_ns;
      job.setting.level = 3;
      o.app[0].finished = 1;
      o.add_job(job);
    }
    jobs.observe(o);
  }
  TinyWorld world;
  JobTracker jobs;
  std::int64_t now_ns = 0, released_ns = 0;
  double background = 0;
};

TEST_F(JobTrackerTest, ProgressIsWorkDoneAtTheFrequenciesOfTheMoment) {
  release();
  EXPECT_EQ(jobs.progress(), 0);
  run(5, 0);  // 10 Mcycles at 500 MHz take 20 ms
  EXPECT_NEAR(jobs.progress(), 0.25, 1e-9);
  run(2, 3);  // and at 2000 MHz 5 ms
  EXPECT_NEAR(jobs.progress(), 0.65, 1e-9);
  run_to_end(1750, 3);
  EXPECT_EQ(jobs.progress(), 0);
  EXPECT_NEAR(jobs.work(0), 1, 1e-6) << "exactly as modelled";
}

TEST_F(JobTrackerTest, WorkFollowsTheStream) {
  for (int i = 0; i < 30; ++i) {
    release();
    run_to_end(15'000, 1);  // 10 ms as modelled
  }
  EXPECT_NEAR(jobs.work(0) * jobs.slowdown(0), 1.5, 0.01);
  EXPECT_GT(jobs.work(2), jobs.work(0)) << "deviations add";
}

TEST_F(JobTrackerTest, OneJobMovesTheAverageByItsWeightOnly) {
  release();
  run_to_end(1'000'000, 1);  // a hundred times too long
  EXPECT_NEAR(jobs.work(0), 1.25, 1e-9) << "taken for twice, of which a quarter counts";
}

TEST_F(JobTrackerTest, EstimatesDoNotDriftApart) {
  Random rng(4);
  for (int i = 0; i < 20'000; ++i) {
    release();
    run_to_end(static_cast<std::int64_t>(rng.uniform(7'000, 13'000)), 1);
  }
  EXPECT_NEAR(jobs.work(0), 1, 0.2);
  EXPECT_NEAR(jobs.slowdown(0), 1, 0.1);
}

TEST_F(JobTrackerTest, BackgroundCrowdsTheMappingThatNeedsItsCore) {
  background = 1;  // of two cores, beside the job's own
  for (int i = 0; i < 100; ++i) {
    release();
    run(10, 1);
    run_to_end(1'000, 1);
  }
  jobs.set_company({});
  EXPECT_NEAR(jobs.other_load(), 0.5, 0.05);
  EXPECT_NEAR(jobs.slowdown(1) / jobs.slowdown(0), 1.5, 0.1)
      << "two cores wanted beside one that is busy";
}

TEST_F(JobTrackerTest, CompanyCrowds) {
  jobs.set_company({2, 0, 0, 0});
  EXPECT_DOUBLE_EQ(jobs.slowdown(0), 1.5);  // 1 + 2 on two cores
  EXPECT_DOUBLE_EQ(jobs.slowdown(1), 2);
  EXPECT_DOUBLE_EQ(jobs.slowdown(2), 1) << "the little cluster is free";
  EXPECT_DOUBLE_EQ(jobs.slowdown(4), 2) << "the most crowded counts";
}

TEST_F(JobTrackerTest, KnowsTheReleasesOfTheBacklogAndTheShortestGap) {
  release();
  const std::int64_t first = now_ns;
  now_ns += 5 * kMs;
  Observation o = world.release(now_ns, 5 * kMs);
  o.app[0].backlog = 2;
  o.app[0].oldest_release_ns = first;
  jobs.observe(o);
  EXPECT_EQ(jobs.release_ns(0), first);
  EXPECT_EQ(jobs.release_ns(1), now_ns);
  EXPECT_DOUBLE_EQ(jobs.shortest_gap_ns(), 5e6);
  jobs.start_stream();
  EXPECT_EQ(jobs.shortest_gap_ns(), 0);
}

TEST_F(JobTrackerTest, RefusesEstimatesOutOfRange) {
  ByteWriter out;
  out.f64(0);  // no work at all
  out.f64(0.1);
  out.u32(static_cast<std::uint32_t>(world.platform.mappings.size()));
  for (std::size_t m = 0; m < world.platform.mappings.size(); ++m) out.f32(1);
  const auto bytes = out.take();
  ByteReader in(bytes, "policy");
  EXPECT_THROW(jobs.load(in), Error);
  EXPECT_EQ(jobs.work(0), 1);
}

}  // namespace
}  // namespace flyball
