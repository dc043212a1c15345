#include <gtest/gtest.h>

#include "env/ledger/cpu_allocator.h"
#include "kernels/base/random.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

// At the start both clusters are at OPP 0; a job released at 0 that asks for OPP 1 runs its first
// 0.1 ms at the old frequency: at 1000 MHz that is 0.1 of 100 Mcycles, the other 99.9 take 49.95 ms
// at 2000.
constexpr std::int64_t kFirstJobNs = 50'050'000;

TEST(SimJobs, FrequencyChangesInMidJobAfterItsLatency) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 200, 100)});
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec));
  const auto jobs = play(sim, 300);
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].start_ns, 0);
  EXPECT_EQ(jobs[0].finish_ns, kFirstJobNs);
  EXPECT_EQ(jobs[1].release_ns, 200 * kMs);
  EXPECT_EQ(jobs[1].execution_ns(), 50 * kMs);
  EXPECT_NEAR(jobs[1].cycles, 100e6, 1);
  EXPECT_FALSE(jobs[1].missed);
}

TEST(SimJobs, SlowsDownInMidJob) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 200, 100)});
  Simulator sim(spec, scenario);
  Action action = big_core(spec);
  sim.apply(action);
  play(sim, 220);  // the second job has run for 20 of its 50 ms
  action.opp[kBig] = 0;
  sim.apply(action);
  const auto jobs = play(sim, 400);
  ASSERT_EQ(jobs.size(), 1u);
  // 20.1 ms at 2000 MHz do 40.2 Mcycles; the other 59.8 take 59.8 ms.
  EXPECT_EQ(jobs[0].execution_ns(), 79'900'000);
}

TEST(SimJobs, TimeIsWorkOverFrequencyInEveryConfiguration) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 1000, 1000)});
  for (std::size_t m = 0; m < spec.mappings.size(); ++m) {
    for (std::uint8_t opp = 0; opp < 2; ++opp) {
      for (std::uint8_t width = 0; width < 2; ++width) {
        Simulator sim(spec, scenario);
        Action action = big_core(spec, opp);
        action.app[0] = {static_cast<std::uint8_t>(m), width};
        sim.apply(action);
        const auto jobs = play(sim, 3000);
        ASSERT_EQ(jobs.size(), 3u);
        const double mhz = 1000.0 * (opp + 1);
        const Mapping& mapping = spec.mappings[m];
        // A LITTLE core has half the clock and needs twice the cycles.
        const double cores = mapping.cores[kBig] + mapping.cores[kLittle] / 4.0;
        const double expected_ms = (width == 0 ? 50 : 100) * 1000 / mhz / cores;
        EXPECT_NEAR(jobs[2].execution_ns() * 1e-6, expected_ms, 2e-6) << mapping.name;
      }
    }
  }
}

TEST(SimJobs, QueueInOrderAndDropAtTheLimit) {
  const PlatformSpec spec = round_board();
  AppSpec app = stream("camera", 20, 60);
  app.queue_limit = 2;
  app.stop_ns = 100 * kMs;  // releases at 0, 20, 40, 60, 80
  const Scenario scenario = of_apps({app});
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec, 0));  // 100 ms a job
  const auto jobs = play(sim, 400);
  ASSERT_EQ(jobs.size(), 5u);
  // The first runs, the second waits, the others find two jobs there.
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(jobs[i].dropped);
    EXPECT_TRUE(jobs[i].missed);
    EXPECT_EQ(jobs[i].sequence, static_cast<std::uint64_t>(2 + i));
    EXPECT_FALSE(jobs[i].infeasible);  // four big cores at 2000 MHz take 12.5 ms
  }
  EXPECT_EQ(jobs[3].sequence, 0u);
  EXPECT_EQ(jobs[3].finish_ns, 100 * kMs);
  EXPECT_TRUE(jobs[3].missed);
  EXPECT_EQ(jobs[4].sequence, 1u);
  EXPECT_EQ(jobs[4].start_ns, 100 * kMs);
  EXPECT_EQ(jobs[4].latency_ns(), 180 * kMs);
}

TEST(SimJobs, SettingIsLatchedAtTheStart) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 100, 100)});
  Simulator sim(spec, scenario);
  Action action = big_core(spec, 0);
  action.app[0].level = 0;
  sim.apply(action);
  play(sim, 110);
  action.app[0].level = 1;  // in the middle of the second job
  sim.apply(action);
  const auto jobs = play(sim, 190);
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].setting.level, 0);
  EXPECT_FLOAT_EQ(jobs[0].accuracy_pct, 60);
  EXPECT_EQ(jobs[0].execution_ns(), 50'300'000);  // and 0.3 ms for the other width
}

TEST(SimJobs, MigrationAndWidthSwitchCostTime) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 500, 500)});
  Simulator sim(spec, scenario);
  Action action = big_core(spec, 0);
  sim.apply(action);
  play(sim, 490);
  action.app[0].mapping = mapping_of(spec, kLittle, 2);
  sim.apply(action);
  auto jobs = play(sim, 990);
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].execution_ns(), 201 * kMs);  // 200 + 0.2 + 0.8
  action.app[0] = {mapping_of(spec, kLittle, 4), 0};
  sim.apply(action);
  jobs = play(sim, 1490);
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].execution_ns(), 50'300'000);  // same cluster, another width
  jobs = play(sim, 1990);
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].execution_ns(), 50 * kMs);
}

TEST(SimJobs, TwoApplicationsShareTheCoresOfACluster) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("a", 1000, 1000), stream("b", 1000, 1000)});
  Simulator sim(spec, scenario);
  Action action = big_core(spec, 0, 2);
  action.app[0].mapping = mapping_of(spec, kBig, 4);
  action.app[1].mapping = mapping_of(spec, kBig, 2);
  sim.apply(action);
  play(sim, 500);  // the first jobs started before the action
  const auto jobs = play(sim, 1500);
  ASSERT_EQ(jobs.size(), 2u);
  // Six threads on four cores: two thirds of the speed for both, 25 ms become 37.5; then the other,
  // half done (37.5 of 75 ms), has its two cores alone: 25 ms more.
  EXPECT_EQ(jobs[0].app, 0);
  EXPECT_NEAR(jobs[0].execution_ns(), 37.5e6, 2);
  EXPECT_EQ(jobs[1].app, 1);
  EXPECT_NEAR(jobs[1].execution_ns(), 62.5e6, 2);
}

TEST(SimJobs, MemoryOfTwoApplicationsIsInEachOthersWay) {
  PlatformSpec spec = round_board();
  spec.apps[0].unit[kBig].mcycles = 50;
  spec.apps[0].unit[kBig].memory_ms = 50;  // at 1000 MHz half the time is memory
  const Scenario scenario = of_apps({stream("a", 1000, 1000), stream("b", 1000, 1000)});
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec, 0, 2));
  const auto jobs = play(sim, 500);
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_NEAR(jobs[0].execution_ns(), 125e6, 2);  // 1 + 0.5 * 0.5
}

TEST(SimJobs, BackgroundTakesCoresAndSlowsMemory) {
  const PlatformSpec spec = round_board();
  Scenario scenario = of_apps({stream("camera", 500, 500)});
  scenario.background.push_back({"build", kBig, 4, 0.6, 0.25, 1000 * kMs, 1510 * kMs});
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec, 0));
  const auto jobs = play(sim, 1900);
  ASSERT_EQ(jobs.size(), 4u);
  EXPECT_EQ(jobs[1].execution_ns(), 100 * kMs);
  // Five threads on four cores, memory 1.25 times as slow: 100 * 1.25 * 1.25.
  EXPECT_NEAR(jobs[2].execution_ns(), 156.25e6, 2);
  // 10 ms of it, worth 6.4 ms of work; then alone.
  EXPECT_NEAR(jobs[3].execution_ns(), 103.6e6, 2);
}

TEST(SimJobs, InfeasibleIsFlaggedOnlyWhenNothingCouldHaveMetIt) {
  const PlatformSpec spec = round_board();
  // Four big cores at 2000 MHz and full width need 12.5 ms, at half width 6.25.
  struct Case {
    double deadline_ms, floor_pct;
    bool infeasible;
  };
  for (const Case& c :
       {Case{12.4, 70, true}, Case{12.6, 70, false}, Case{12.4, 60, false}, Case{6.2, 0, true}}) {
    AppSpec app = stream("camera", 500, c.deadline_ms);
    app.required.accuracy_floor_pct = c.floor_pct;
    const Scenario scenario = of_apps({app});
    Simulator sim(spec, scenario);
    sim.apply(big_core(spec));  // 50 ms: late in any case
    const auto jobs = play(sim, 100);
    ASSERT_EQ(jobs.size(), 1u);
    EXPECT_TRUE(jobs[0].missed);
    EXPECT_EQ(jobs[0].infeasible, c.infeasible) << c.deadline_ms << " ms, " << c.floor_pct << " %";
  }
}

TEST(SimJobs, InfeasibleTakesTheBackgroundIntoAccountAndNotTheQueue) {
  const PlatformSpec spec = round_board();
  AppSpec app = stream("camera", 100, 20);
  app.required.accuracy_floor_pct = 70;
  Scenario scenario = of_apps({app});
  // 12.5 ms alone at full width; from 150 ms on, memory doubles that.
  scenario.background.push_back({"hog", kBig, 0, 0, 1.0, 150 * kMs, 10'000 * kMs});
  Simulator sim(spec, scenario);
  Action action = big_core(spec, 0);
  action.app[0].mapping = mapping_of(spec, kLittle, 1);  // 400 ms: everything queues
  action.app[0].level = 1;
  sim.apply(action);
  std::vector<JobRecord> by_release(3);
  for (const JobRecord& job : play(sim, 6000)) {
    if (job.sequence < by_release.size()) by_release[job.sequence] = job;
  }
  EXPECT_TRUE(by_release[1].missed);
  EXPECT_FALSE(by_release[1].infeasible);  // blocked by the first one: the policy's doing
  EXPECT_TRUE(by_release[2].missed);
  EXPECT_TRUE(by_release[2].infeasible);  // 25 ms at best
}

TEST(SimJobs, StopsRightAfterARelease) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 70, 70)});
  Simulator sim(spec, scenario);
  Observation out;
  sim.observe(out);
  EXPECT_EQ(out.app[0].backlog, 1u) << "the job of time 0 is there for the first decision";
  EXPECT_EQ(out.app[0].released, 1u);
  sim.apply(big_core(spec));
  EXPECT_EQ(sim.advance(ms(50, true), out), Status::kOk);
  EXPECT_EQ(out.epoch_ns, 50 * kMs);
  EXPECT_EQ(sim.advance(ms(50, true), out), Status::kOk);
  EXPECT_EQ(out.now_ns, 70 * kMs);
  EXPECT_EQ(out.app[0].released, 1u);
  EXPECT_EQ(out.app[0].backlog, 1u);
  EXPECT_EQ(out.app[0].oldest_release_ns(), 70 * kMs);
  // This job has started: the width that is decided now is the next one's.
  Action action = big_core(spec);
  action.app[0].level = 0;
  sim.apply(action);
  const auto jobs = play(sim, 209);
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].start_ns, 70 * kMs);
  EXPECT_EQ(jobs[0].setting.level, 1);
  EXPECT_EQ(jobs[1].start_ns, 140 * kMs);
  EXPECT_EQ(jobs[1].setting.level, 0);
}

TEST(SimJobs, RefusesASettingThatCannotRun) {
  PlatformSpec spec = round_board();
  spec.apps[0].unit[kLittle].supported = false;
  const Scenario scenario = of_apps({stream("camera", 200, 200)});
  Simulator sim(spec, scenario);
  Action action = big_core(spec);
  action.opp[kBig] = 200;
  action.app[0] = {mapping_of(spec, kLittle, 1), 77};
  EXPECT_EQ(sim.apply(action), Status::kOk);
  Observation out;
  sim.advance(ms(10), out);
  EXPECT_EQ(out.app[0].setting.mapping, mapping_of(spec, kBig, 1));
  EXPECT_EQ(out.app[0].setting.level, 1);
  EXPECT_EQ(out.cluster[kBig].opp, 1);
}

// Two applications, and two more where there are not enough: each job has the CPUs that its mapping
// says, keeps them while it runs, and shares none while there are enough.
TEST(SimJobs, JobsThatRunTogetherHaveCpusOfTheirOwn) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("a", 60, 60), stream("b", 70, 70)}, 20'000);
  const CpuAllocator cpus(spec, {0, 1, 2, 3, 4, 5, 6, 7});
  Simulator sim(spec, scenario);
  Random random(5);
  Action action = big_core(spec, 0, 2);
  Observation out, before;
  int together = 0, crowded = 0, kept = 0;
  do {
    for (int a = 0; a < 2; ++a) {
      if (random.below(3) == 0) action.app[a].mapping = static_cast<std::uint8_t>(random.below(9));
    }
    sim.apply(action);
    before = out;
    sim.advance(ms(7), out);
    for (int a = 0; a < 2; ++a) {
      const RunningJobObservation& run = out.app[a].running;
      if (!run.busy) continue;
      for (int c = 0; c < 2; ++c) {
        ASSERT_EQ((run.cpus & cpus.cluster(c)).count(),
                  spec.mappings[run.setting.mapping].cores[c]);
      }
      const RunningJobObservation& was = before.app[a].running;
      if (!was.busy || was.sequence != run.sequence) continue;
      ++kept;
      ASSERT_EQ(was.cpus, run.cpus) << "a job does not move while it runs";
    }
    const RunningJobObservation& a = out.app[0].running;
    const RunningJobObservation& b = out.app[1].running;
    if (!a.busy || !b.busy) continue;
    ++together;
    for (int c = 0; c < 2; ++c) {
      const int wanted =
          spec.mappings[a.setting.mapping].cores[c] + spec.mappings[b.setting.mapping].cores[c];
      crowded += wanted > 4;
      ASSERT_EQ((a.cpus & b.cpus & cpus.cluster(c)).count(), std::max(0, wanted - 4));
    }
  } while (out.now_ns < scenario.duration_ns);
  EXPECT_GT(together, 100);
  EXPECT_GT(crowded, 10);
  EXPECT_GT(kept, 100);
}

// One that pauses finds the CPUs that it had, while the others do without them.
TEST(SimJobs, AnApplicationComesBackToItsCpus) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("a", 200, 200), stream("b", 130, 130)}, 5000);
  Simulator sim(spec, scenario);
  Action action = big_core(spec, 1, 2);
  CpuSet of[2];
  Observation out;
  do {
    sim.apply(action);
    sim.advance(ms(5), out);
    for (int a = 0; a < 2; ++a) {
      if (!out.app[a].running.busy) continue;
      if (of[a].empty()) of[a] = out.app[a].running.cpus;
      ASSERT_EQ(out.app[a].running.cpus, of[a]);
    }
  } while (out.now_ns < scenario.duration_ns);
  EXPECT_EQ(of[0], CpuSet{0});
  EXPECT_EQ(of[1], CpuSet{1});
}

TEST(SimJobs, EndsWithTheScenarioAndWhenInterrupted) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 100, 100)}, 120);
  Simulator sim(spec, scenario);
  Observation out;
  EXPECT_EQ(sim.advance(ms(50), out), Status::kOk);
  EXPECT_EQ(sim.advance(ms(50), out), Status::kOk);
  EXPECT_EQ(sim.advance(ms(50), out), Status::kFinished);
  EXPECT_EQ(out.epoch_ns, 20 * kMs);
  EXPECT_EQ(sim.advance(ms(50), out), Status::kFinished);
  EXPECT_EQ(out.epoch_ns, 0);
  Simulator other(spec, scenario);
  other.interrupt();
  EXPECT_EQ(other.advance(ms(50), out), Status::kInterrupted);
}

}  // namespace
}  // namespace flyball
