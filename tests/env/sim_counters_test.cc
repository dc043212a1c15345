#include <gtest/gtest.h>

#include "tests/env/round_board.h"

// Performance counters in simulation, as laws: no published figure is behind their constants.

namespace flyball {
namespace {

/// At 1000 MHz a job takes 100 ms on one big core, of which the memory part stays when the clock
/// rises.
PlatformSpec board_with_memory(double memory_ms) {
  PlatformSpec spec = round_board();
  spec.apps[0].unit[kBig].mcycles = 100 - memory_ms;
  spec.apps[0].unit[kBig].memory_ms = memory_ms;
  return spec;
}

/// Counters of application 0 over one whole job: the second one of a run of it alone.
Counters of_one_job(const PlatformSpec& spec, const Scenario& scenario, const Action& action,
                    Observation* last = nullptr) {
  Simulator sim(spec, scenario);
  sim.apply(action);
  Observation out;
  sim.advance(ms(1000), out);
  sim.advance(ms(1000), out);
  EXPECT_EQ(out.app[0].finished, 1u);
  if (last != nullptr) *last = out;
  return out.app[0].counters;
}

Scenario lonely() { return of_apps({stream("camera", 1000, 1000)}); }

Scenario with_background(double slowdown, double cores) {
  Scenario scenario = lonely();
  scenario.background.push_back({"hog", kBig, cores, 0.5, slowdown, 0, scenario.duration_ns});
  return scenario;
}

Scenario with_neighbour() {
  // Its jobs of 0.5 s or more hold the memory while the camera's run.
  Scenario scenario = of_apps({stream("camera", 1000, 1000), stream("other", 1000, 1000)});
  return scenario;
}

TEST(SimCounters, AreAllValidAndZeroOnlyWhenIdle) {
  const PlatformSpec spec = board_with_memory(40);
  Observation out;
  const Counters job = of_one_job(spec, lonely(), big_core(spec), &out);
  EXPECT_EQ(job.valid, Counters::kAll);
  EXPECT_GT(job.instructions, 0);
  EXPECT_GT(job.stalled_cycles, 0);
  EXPECT_LT(job.stalled_cycles, job.cycles);
  EXPECT_GT(job.cache_references, job.cache_misses);
  EXPECT_EQ(out.cluster[kLittle].counters.valid, Counters::kAll);
  EXPECT_EQ(out.cluster[kLittle].counters.cycles, 0);
}

TEST(SimCounters, AJobHasItsInstructionsWhateverTheClockAndTheCompany) {
  for (const double memory_ms : {0.0, 40.0}) {
    const PlatformSpec spec = board_with_memory(memory_ms);
    const double expected = of_one_job(spec, lonely(), big_core(spec, 0)).instructions;
    EXPECT_NEAR(expected, (100 - memory_ms) * 1e6 * 1.2, 1e-6 * expected);
    const auto also = [&](const Scenario& scenario, const Action& action) {
      EXPECT_NEAR(of_one_job(spec, scenario, action).instructions, expected, 1e-6 * expected);
    };
    also(lonely(), big_core(spec, 1));
    also(with_background(0.5, 1), big_core(spec, 0));
    also(with_background(0.2, 4), big_core(spec, 1));  // five threads on four cores
    also(with_neighbour(), big_core(spec, 1, 2));
    Action four = big_core(spec, 1);
    four.app[0].mapping = mapping_of(spec, kBig, 4);
    also(lonely(), four);
  }
}

TEST(SimCounters, IpcFallsWithTheClockWhereMemoryIsWaitedForAndOnlyThere) {
  const PlatformSpec memory = board_with_memory(40), none = board_with_memory(0);
  const double slow = of_one_job(memory, lonely(), big_core(memory, 0)).ipc();
  const double fast = of_one_job(memory, lonely(), big_core(memory, 1)).ipc();
  EXPECT_NEAR(slow, 1.2 * 0.6, 1e-9);        // 60 of 100 ms
  EXPECT_NEAR(fast, 1.2 * 30.0 / 70, 1e-9);  // 30 of 70 ms
  EXPECT_NEAR(of_one_job(none, lonely(), big_core(none, 0)).ipc(), 1.2, 1e-9);
  EXPECT_NEAR(of_one_job(none, lonely(), big_core(none, 1)).ipc(), 1.2, 1e-9);
}

TEST(SimCounters, ContentionLowersIpcAndRaisesTheStallShare) {
  const PlatformSpec spec = board_with_memory(40);
  const Counters alone = of_one_job(spec, lonely(), big_core(spec, 0));
  const Counters background = of_one_job(spec, with_background(0.5, 1), big_core(spec, 0));
  const Counters neighbour = of_one_job(spec, with_neighbour(), big_core(spec, 0, 2));
  EXPECT_NEAR(alone.stall_share(), 0.4, 1e-9);
  for (const Counters& disturbed : {background, neighbour}) {
    EXPECT_LT(disturbed.ipc(), alone.ipc());
    EXPECT_GT(disturbed.stall_share(), alone.stall_share());
  }
  // 150 ms instead of 100, all of it at memory: 90 of 150.
  EXPECT_NEAR(background.stall_share(), 0.6, 1e-9);
  EXPECT_NEAR(neighbour.stall_share(), 1 - 0.6 / 1.16, 1e-9);  // each 1 + 0.4 * 0.4 as long
  // A job without a memory part has a neighbour that is not in its way.
  const PlatformSpec none = board_with_memory(0);
  EXPECT_EQ(of_one_job(none, with_neighbour(), big_core(none, 0, 2)).stall_share(), 0);
}

TEST(SimCounters, CyclesAreBusyTimeTimesClock) {
  const PlatformSpec spec = board_with_memory(40);
  for (const std::uint8_t opp : {std::uint8_t{0}, std::uint8_t{1}}) {
    for (const int cores : {1, 2, 4}) {
      Action action = big_core(spec, opp);
      action.app[0].mapping = mapping_of(spec, kBig, cores);
      for (const Scenario& scenario :
           {lonely(), with_background(0.3, 2), with_background(0, 0.5)}) {
        Observation out;
        const Counters job = of_one_job(spec, scenario, action, &out);
        const double ghz = opp + 1;
        const ClusterObservation& cluster = out.cluster[kBig];
        const double busy_core_ns = cluster.util_mean * 4 * static_cast<double>(out.epoch_ns);
        EXPECT_NEAR(cluster.counters.cycles, busy_core_ns * ghz, 1e-6 * busy_core_ns);
        EXPECT_LE(job.cycles, cluster.counters.cycles * (1 + 1e-9));
        if (scenario.background.empty()) {
          const double job_ns = static_cast<double>(out.app[0].last_execution_ns);
          EXPECT_NEAR(job.cycles, cores * job_ns * ghz, 1e-6 * job.cycles);
          EXPECT_NEAR(job.cycles, cluster.counters.cycles, 1e-6 * job.cycles);
          EXPECT_NEAR(job.instructions, cluster.counters.instructions, 1e-6 * job.instructions);
          EXPECT_NEAR(job.cache_misses, cluster.counters.cache_misses, 1e-6 * job.cache_misses);
        }
      }
    }
  }
}

TEST(SimCounters, MissesPerInstructionAreTheJobsOwn) {
  const PlatformSpec spec = board_with_memory(40);
  const double expected =
      of_one_job(spec, lonely(), big_core(spec, 0)).misses_per_kilo_instruction();
  // 40 ms of accesses that take 100 ns, in 72 million instructions.
  EXPECT_NEAR(expected, 1000 * 400e3 / 72e6, 1e-6);
  for (const std::uint8_t opp : {std::uint8_t{0}, std::uint8_t{1}}) {
    Action action = big_core(spec, opp);
    for (const int cores : {1, 4}) {
      action.app[0].mapping = mapping_of(spec, kBig, cores);
      EXPECT_NEAR(of_one_job(spec, lonely(), action).misses_per_kilo_instruction(), expected, 1e-6);
    }
  }
  // In company an access takes longer; there are no more of them.
  EXPECT_NEAR(
      of_one_job(spec, with_background(0.5, 1), big_core(spec, 0)).misses_per_kilo_instruction(),
      expected, 1e-6);
}

TEST(SimCounters, OfAnEpochAddUp) {
  const PlatformSpec spec = board_with_memory(40);
  const Scenario scenario = with_neighbour();
  Simulator whole(spec, scenario), parts(spec, scenario);
  whole.apply(big_core(spec, 1, 2));
  parts.apply(big_core(spec, 1, 2));
  Observation out;
  whole.advance(ms(500), out);
  const Counters expected = out.cluster[kBig].counters;
  double instructions = 0, cycles = 0, of_apps = 0;
  for (int i = 0; i < 50; ++i) {
    parts.advance(ms(10), out);
    instructions += out.cluster[kBig].counters.instructions;
    cycles += out.cluster[kBig].counters.cycles;
    of_apps += out.app[0].counters.cycles + out.app[1].counters.cycles;
  }
  EXPECT_NEAR(instructions, expected.instructions, 1e-9 * instructions);
  EXPECT_NEAR(cycles, expected.cycles, 1e-9 * cycles);
  EXPECT_NEAR(of_apps, cycles, 1e-9 * cycles);
}

}  // namespace
}  // namespace flyball
