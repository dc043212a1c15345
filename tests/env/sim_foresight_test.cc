#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "tests/env/allocation_counter.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

/// A world with everything in it that a fork has to foresee.
Scenario busy_world() {
  AppSpec camera = stream("camera", 130, 110);
  camera.work_cv = 0.4;
  camera.work_correlation = 0.5;
  AppSpec audio = stream("audio", 90, 300);
  audio.arrival.kind = Arrival::Kind::kPoisson;
  audio.work_cv = 0.3;
  audio.queue_limit = 3;
  AppSpec visitor = stream("visitor", 200, 200);
  visitor.start_ns = 5'000 * kMs;
  visitor.stop_ns = 12'000 * kMs;
  Scenario scenario = of_apps({camera, audio, visitor}, 20'000);
  for (int i = 0; i < 50; ++i) {
    scenario.background.push_back(
        {"comes and goes", kBig, 2, 0.5, 0.2, i * 400 * kMs + 35 * kMs, i * 400 * kMs + 210 * kMs});
  }
  ScenarioEvent warmer;
  warmer.at_ns = 6'500 * kMs;
  warmer.value = 35;
  ScenarioEvent faster;
  faster.at_ns = 7'100 * kMs;
  faster.kind = ScenarioEvent::Kind::kPeriod;
  faster.app = 0;
  faster.value = 100.0 * kMs;
  scenario.events = {warmer, faster};
  return scenario;
}

PlatformSpec board(bool leaks, double decision_latency_us = 100) {
  PlatformSpec spec = round_board();
  spec.decision_latency_us = decision_latency_us;
  if (!leaks) {
    for (ClusterSpec& cluster : spec.clusters) cluster.leak_a = cluster.leak_c_a = 0;
  }
  return spec;
}

Action random_action(const PlatformSpec& spec, Random& random, int apps) {
  Action action;
  for (int c = 0; c < 2; ++c) action.opp[c] = static_cast<std::uint8_t>(random.below(2));
  for (int a = 0; a < apps; ++a) {
    action.app[a].mapping =
        static_cast<std::uint8_t>(random.below(static_cast<std::uint32_t>(spec.mappings.size())));
    action.app[a].level = static_cast<std::uint8_t>(random.below(2));
  }
  return action;
}

EpochRequest random_request(Random& random) {
  return {.interval_ns = 1 + static_cast<std::int64_t>(random.below(60'000'000)),
          .stop_at_release = random.below(2) == 1,
          .stop_at_finish = random.below(2) == 1};
}

/// Forks somewhere in a run and gives fork and simulator the same; the energies that they end with.
struct Together {
  double fork_mj = 0, sim_mj = 0;
  int jobs = 0, late = 0, dropped = 0;
};
void play_together(const PlatformSpec& spec, std::uint64_t seed, Together& out) {
  const Scenario scenario = busy_world();
  Random random(seed);
  Simulator sim(spec, scenario, {.seed = seed});
  auto seen = std::make_unique<Observation>(), ended = std::make_unique<Observation>();
  const int before = static_cast<int>(random.below(250));
  for (int i = 0; i < before; ++i) {
    sim.apply(random_action(spec, random, 3));
    ASSERT_EQ(sim.advance(random_request(random), *seen), Status::kOk);
  }
  auto fork = std::make_unique<SimState>();
  sim.fork(*fork);
  const double start_mj = fork->total_mj;
  for (int i = 0; i < 60; ++i) {
    const Action action = random_action(spec, random, 3);
    const EpochRequest request = random_request(random);
    ended->clear_jobs();
    const Status status = sim.step(*fork, action, request, ended.get());
    sim.apply(action);
    ASSERT_EQ(sim.advance(request, *seen), status);
    ASSERT_NEAR(static_cast<double>(fork->now_ns), static_cast<double>(seen->now_ns), 2);
    out.sim_mj += seen->energy_mj;
    ASSERT_EQ(ended->jobs().size(), seen->jobs().size());
    for (std::size_t j = 0; j < seen->jobs().size(); ++j) {
      const JobRecord &foreseen = ended->jobs()[j], &real = seen->jobs()[j];
      EXPECT_EQ(foreseen.app, real.app);
      EXPECT_EQ(foreseen.sequence, real.sequence);
      EXPECT_EQ(foreseen.setting, real.setting);
      EXPECT_EQ(foreseen.release_ns, real.release_ns);
      EXPECT_NEAR(static_cast<double>(foreseen.start_ns), static_cast<double>(real.start_ns), 2);
      EXPECT_NEAR(static_cast<double>(foreseen.finish_ns), static_cast<double>(real.finish_ns), 2);
      EXPECT_EQ(foreseen.missed, real.missed);
      EXPECT_EQ(foreseen.dropped, real.dropped);
      EXPECT_EQ(foreseen.infeasible, real.infeasible);
      EXPECT_NEAR(foreseen.energy_mj, real.energy_mj, 1e-3 * real.energy_mj);
      ++out.jobs;
      out.late += real.missed;
      out.dropped += real.dropped;
    }
    if (status != Status::kOk) break;
  }
  out.fork_mj += fork->total_mj - start_mj;
}

TEST(SimFork, GivenTheSameItBecomesTheSame) {
  Together all;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    play_together(board(false), seed, all);
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_NEAR(all.fork_mj, all.sim_mj, 1e-9 * all.sim_mj) << "nothing depends on temperature";
  EXPECT_GT(all.jobs, 200);
  EXPECT_GT(all.late, 20);
  EXPECT_LT(all.late, all.jobs);
  EXPECT_GT(all.dropped, 0);
}

TEST(SimFork, LongerThermalStepsCostLittle) {
  Together all;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    play_together(board(true), seed, all);
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_NEAR(all.fork_mj, all.sim_mj, 1e-4 * all.sim_mj);
}

// From idle to all cores busy: nothing warms faster.
TEST(SimFork, TheErrorOfLongerStepsIsLargestWhereItWarmsUpAndSmallThere) {
  const PlatformSpec spec = board(true);
  const Scenario scenario = of_apps({stream("camera", 20, 20)});
  Action action = big_core(spec, 1);
  action.app[0].mapping = mapping_of(spec, kBig, 4);
  Simulator sim(spec, scenario);
  auto fork = std::make_unique<SimState>();
  sim.fork(*fork);
  const double start_mj = fork->total_mj, start_c = fork->cluster[kBig].temp_c;
  Observation out;
  double sim_mj = 0;
  for (int i = 0; i < 20; ++i) {
    sim.step(*fork, action, ms(50));
    sim.apply(action);
    sim.advance(ms(50), out);
    sim_mj += out.energy_mj;
    EXPECT_NEAR(fork->total_mj - start_mj, sim_mj, 5e-4 * sim_mj) << i;
  }
  EXPECT_GT(out.cluster[kBig].temp_c, start_c + 3) << "it has warmed up";
}

TEST(SimFork, ChangesNothing) {
  const PlatformSpec spec = board(true);
  const Scenario scenario = busy_world();
  Simulator looked(spec, scenario), blind(spec, scenario);
  auto fork = std::make_unique<SimState>();
  Random random(3), elsewhere(4);
  Observation a, b;
  for (int i = 0; i < 300; ++i) {
    looked.fork(*fork);
    for (int k = 0; k < 5; ++k) {
      looked.step(*fork, random_action(spec, elsewhere, 3), random_request(elsewhere));
    }
    const Action action = random_action(spec, random, 3);
    const EpochRequest request = random_request(random);
    looked.apply(action);
    blind.apply(action);
    ASSERT_EQ(looked.advance(request, a), blind.advance(request, b));
    ASSERT_EQ(a.now_ns, b.now_ns);
    ASSERT_EQ(a.energy_mj, b.energy_mj);
    ASSERT_EQ(a.cluster[0].temp_c, b.cluster[0].temp_c);
    for (int app = 0; app < 3; ++app) {
      ASSERT_EQ(a.app[app].last_latency_ns, b.app[app].last_latency_ns);
      ASSERT_EQ(a.app[app].last_cycles, b.app[app].last_cycles);
    }
  }
}

TEST(SimFork, ForksOfAForkDoNotTouchEachOther) {
  const PlatformSpec spec = board(true);
  const Scenario scenario = busy_world();
  Simulator sim(spec, scenario);
  play(sim, 1000);
  auto trunk = std::make_unique<SimState>();
  auto slow = std::make_unique<SimState>(), fast = std::make_unique<SimState>();
  sim.fork(*trunk);
  sim.fork(*trunk, *slow);
  sim.fork(*trunk, *fast);
  const auto energy_of = [&](SimState& state, std::uint8_t opp) {
    const double before_mj = state.total_mj;
    for (int i = 0; i < 20; ++i) sim.step(state, big_core(spec, opp, 3), ms(10));
    return state.total_mj - before_mj;
  };
  const double slow_mj = energy_of(*slow, 0);
  const double fast_mj = energy_of(*fast, 1);
  EXPECT_LT(slow_mj, fast_mj);
  EXPECT_EQ(trunk->now_ns, 1000 * kMs);
  auto again = std::make_unique<SimState>();
  sim.fork(*trunk, *again);
  EXPECT_EQ(energy_of(*again, 0), slow_mj) << "to the bit: the trunk is as it was";
}

TEST(SimFork, IsSeenAsTheSimulatorIs) {
  const PlatformSpec spec = board(true);
  const Scenario scenario = busy_world();
  Simulator sim(spec, scenario);
  play(sim, 1037);
  auto fork = std::make_unique<SimState>();
  sim.fork(*fork);
  Observation of_sim, of_fork;
  sim.observe(of_sim);
  sim.observe(*fork, 0, of_fork);
  EXPECT_EQ(of_fork.now_ns, of_sim.now_ns);
  EXPECT_EQ(of_fork.power_mw, of_sim.power_mw);
  for (int a = 0; a < 2; ++a) {
    EXPECT_EQ(of_fork.app[a].backlog, of_sim.app[a].backlog);
    EXPECT_EQ(of_fork.app[a].running.busy, of_sim.app[a].running.busy);
    EXPECT_EQ(of_fork.app[a].running.sequence, of_sim.app[a].running.sequence);
    EXPECT_EQ(of_fork.app[a].running.start_ns, of_sim.app[a].running.start_ns);
  }
}

TEST(SimFork, StartsTheNextJobAsDecidedWhileOneRuns) {
  const PlatformSpec spec = board(true);
  const Scenario scenario = of_apps({stream("camera", 60, 200)});
  Simulator sim(spec, scenario);
  Observation out;
  auto fork = std::make_unique<SimState>();
  sim.fork(*fork);
  Action action = big_core(spec, 0);                     // what runs is in force: 100 ms a job
  action.app[0].mapping = mapping_of(spec, kLittle, 4);  // 100 ms at 500 MHz
  Observation ended;
  const EpochRequest until_finish{.interval_ns = 500 * kMs, .stop_at_finish = true};
  sim.step(*fork, action, until_finish, &ended);
  sim.step(*fork, action, until_finish, &ended);
  ASSERT_EQ(ended.jobs().size(), 2u);
  EXPECT_EQ(ended.jobs()[0].setting.mapping, mapping_of(spec, kBig, 1));
  EXPECT_EQ(ended.jobs()[0].finish_ns, 100 * kMs);
  EXPECT_EQ(ended.jobs()[1].setting, action.app[0]);
  EXPECT_EQ(ended.jobs()[1].start_ns, 100 * kMs);
  EXPECT_EQ(ended.jobs()[1].finish_ns, 100 * kMs + 101 * kMs) << "with the migration";
}

TEST(SimFork, EndsWithTheScenario) {
  const PlatformSpec spec = board(true);
  const Scenario scenario = of_apps({stream("camera", 300, 200)}, 1000);
  Simulator sim(spec, scenario);
  auto fork = std::make_unique<SimState>();
  sim.fork(*fork);
  EXPECT_EQ(sim.step(*fork, big_core(spec), ms(400)), Status::kOk);
  EXPECT_EQ(sim.step(*fork, big_core(spec), ms(3'600'000)), Status::kFinished);
  EXPECT_EQ(fork->now_ns, 1000 * kMs);
  const double energy_mj = fork->total_mj;
  EXPECT_EQ(sim.step(*fork, big_core(spec), ms(1)), Status::kFinished);
  EXPECT_EQ(fork->total_mj, energy_mj);
}

TEST(SimFork, AllocatesNothing) {
  const PlatformSpec spec = board(true);
  const Scenario scenario = busy_world();
  Simulator sim(spec, scenario);
  auto trunk = std::make_unique<SimState>(), fork = std::make_unique<SimState>();
  auto seen = std::make_unique<Observation>();
  Random random(5);
  sim.fork(*trunk);
  const std::uint64_t before = thread_allocations();
  for (int i = 0; i < 500; ++i) {
    if (sim.step(*trunk, random_action(spec, random, 3), random_request(random), seen.get()) !=
        Status::kOk) {
      break;
    }
    seen->clear_jobs();
    sim.fork(*trunk, *fork);
    sim.step(*fork, random_action(spec, random, 3), random_request(random));
    sim.observe(*fork, 1000, *seen);
  }
  EXPECT_EQ(thread_allocations() - before, 0u);
  EXPECT_GT(trunk->now_ns, 6'000 * kMs);
}

}  // namespace
}  // namespace flyball
