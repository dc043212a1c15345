#include <gtest/gtest.h>

#include <cmath>

#include "tests/env/round_board.h"

namespace flyball {
namespace {

/// A world with everything in it that a preview has to foresee.
Scenario busy_world() {
  AppSpec camera = stream("camera", 130, 110);
  camera.work_cv = 0.4;
  camera.work_correlation = 0.5;
  AppSpec audio = stream("audio", 90, 300);
  audio.arrival.kind = Arrival::Kind::kPoisson;
  audio.work_cv = 0.3;
  audio.queue_limit = 3;
  Scenario scenario = of_apps({camera, audio}, 60'000);
  for (int i = 0; i < 150; ++i) {
    scenario.background.push_back(
        {"comes and goes", kBig, 2, 0.5, 0.2, i * 400 * kMs + 35 * kMs, i * 400 * kMs + 210 * kMs});
  }
  return scenario;
}

TEST(SimForesight, AgreesWithWhatThenHappens) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = busy_world();
  Random random(11);
  int checked = 0, checked_energy = 0, late = 0;
  for (int round = 0; round < 60; ++round) {
    Simulator sim(spec, scenario, {.seed = static_cast<std::uint64_t>(round + 1)});
    Observation out;
    Action action = big_core(spec, 1, 2);
    // Somewhere in the run, with some backlog.
    const int epochs = 5 + static_cast<int>(random.below(40));
    for (int i = 0; i < epochs; ++i) {
      sim.apply(action);
      ASSERT_EQ(sim.advance(ms(50, true), out), Status::kOk);
    }
    const int app = static_cast<int>(random.below(2));
    action.opp[kBig] = static_cast<std::uint8_t>(random.below(2));
    action.opp[kLittle] = static_cast<std::uint8_t>(random.below(2));
    action.app[app].mapping = static_cast<std::uint8_t>(random.below(9));
    action.app[app].level = static_cast<std::uint8_t>(random.below(2));
    const Foresight::Outcome seen = sim.foresight()->preview(action, app);
    const std::int64_t now_ns = out.now_ns;
    sim.apply(action);

    // The first of this application that starts from here on.
    double energy = 0;
    const JobRecord* next = nullptr;
    JobRecord found;
    while (next == nullptr && sim.advance(ms(0.5), out) == Status::kOk) {
      energy += out.energy_mj;
      for (const JobRecord& job : out.jobs()) {
        if (job.app == app && !job.dropped && job.start_ns >= now_ns) {
          found = job;
          next = &found;
          break;
        }
      }
    }
    if (next == nullptr) continue;
    EXPECT_NEAR(static_cast<double>(seen.finish_ns), static_cast<double>(found.finish_ns), 2);
    EXPECT_EQ(seen.meets_deadline, !found.missed);
    const std::int64_t horizon_ns = std::max(found.finish_ns, found.deadline_ns);
    bool alone = out.app[app].backlog == 0;  // no later job of it before the horizon
    while (out.now_ns < horizon_ns && sim.advance(ms(0.5), out) == Status::kOk) {
      energy += out.energy_mj;
      alone = alone && out.app[app].released == 0;
    }
    // The epoch that passed the horizon counts up to it.
    energy -= out.power_mw * static_cast<double>(out.now_ns - horizon_ns) * 1e-9;
    if (alone) {
      EXPECT_NEAR(seen.energy_mj, energy, 0.01 * energy + 0.5);
      ++checked_energy;
    } else {
      EXPECT_LT(seen.energy_mj, 1.01 * energy + 0.5);
    }
    ++checked;
    late += found.missed ? 1 : 0;
  }
  EXPECT_GT(checked, 50);
  EXPECT_GT(checked_energy, 10);
  EXPECT_GT(late, 2);
  EXPECT_LT(late, 50);
}

TEST(SimForesight, ChangesNothing) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = busy_world();
  Simulator looked(spec, scenario), blind(spec, scenario);
  for (int i = 0; i < 200; ++i) {
    Action action = big_core(spec, static_cast<std::uint8_t>(i % 2), 2);
    for (std::uint8_t m = 0; m < 9; ++m) {
      Action other = action;
      other.opp[kBig] = m % 2;
      other.app[0].mapping = m;
      looked.preview(other, 0);
    }
    looked.apply(action);
    blind.apply(action);
    Observation a, b;
    looked.advance(ms(30), a);
    blind.advance(ms(30), b);
    ASSERT_EQ(a.energy_mj, b.energy_mj);
    ASSERT_EQ(a.app[0].last_latency_ns, b.app[0].last_latency_ns);
    ASSERT_EQ(a.cluster[0].temp_c, b.cluster[0].temp_c);
  }
}

TEST(SimForesight, WaitsForTheJobThatRunsAndPaysTheSwitch) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 60, 200)});
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec, 0));  // 100 ms a job
  Observation out;
  sim.advance(ms(60), out);
  ASSERT_EQ(out.app[0].backlog, 2u);
  Action action = big_core(spec, 0);
  action.app[0].mapping = mapping_of(spec, kLittle, 4);  // 100 ms at 500 MHz
  const Foresight::Outcome seen = sim.preview(action, 0);
  EXPECT_EQ(seen.finish_ns, 100 * kMs + 101 * kMs);
  EXPECT_TRUE(seen.meets_deadline);  // released at 60
}

TEST(SimForesight, IdleEnergyUntilTheDeadlineCounts) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 1000, 900)});
  Simulator sim(spec, scenario);
  const Foresight::Outcome seen = sim.preview(big_core(spec), 0);
  EXPECT_EQ(seen.finish_ns, 50'050'000);
  sim.apply(big_core(spec));
  Observation out;
  sim.advance(ms(900), out);
  EXPECT_NEAR(seen.energy_mj, out.energy_mj, 1e-3 * out.energy_mj);
}

// What comes after the end of the scenario counts for nobody.
TEST(SimForesight, EnergyBeyondTheEndDoesNotCount) {
  const PlatformSpec spec = round_board();
  Scenario scenario = of_apps({stream("camera", 1000, 900)}, 3000);
  scenario.apps[0].stop_ns = 500 * kMs;  // one job
  scenario.apps[0].required.deadline_ns = 1'000'000'000 * kMs;
  Simulator sim(spec, scenario);
  const Foresight::Outcome seen = sim.preview(big_core(spec), 0);
  EXPECT_TRUE(seen.meets_deadline);
  sim.apply(big_core(spec));
  Observation out;
  sim.advance(ms(3000), out);
  EXPECT_NEAR(seen.energy_mj, out.energy_mj, 1e-3 * out.energy_mj);
}

// The wait for a far deadline is not played through, and costs what waiting costs.
TEST(SimForesight, TheWaitForAFarDeadlineCostsTheIdlePower) {
  const PlatformSpec spec = round_board();
  const auto energy_mj = [&](int hours) {
    Scenario scenario = of_apps({stream("camera", 1000, 900)}, hours * 3'600'000);
    scenario.apps[0].stop_ns = 500 * kMs;
    scenario.apps[0].required.deadline_ns = scenario.duration_ns;
    Simulator sim(spec, scenario);
    return sim.preview(big_core(spec), 0).energy_mj;
  };
  const double hour_mj = energy_mj(2) - energy_mj(1);
  EXPECT_GT(hour_mj, 0);
  EXPECT_NEAR(energy_mj(100) - energy_mj(1), 99 * hour_mj, 1e-6 * 99 * hour_mj);
}

TEST(SimForesight, EnergyLeavesLaterJobsOut) {
  const PlatformSpec spec = round_board();
  // The second job is released while the first runs and would run before the first's deadline.
  const Scenario one = of_apps({stream("camera", 1000, 900)});
  const Scenario two = of_apps({stream("camera", 40, 900)});
  Simulator alone(spec, one), queued(spec, two);
  const double alone_mj = alone.preview(big_core(spec), 0).energy_mj;
  EXPECT_NEAR(queued.preview(big_core(spec), 0).energy_mj, alone_mj, 1e-3 * alone_mj);
}

TEST(SimEpoch, EndsAtAFinishAndWhatWaitsStartsWithTheNextAction) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 60, 200)});
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec, 0));  // 100 ms a job
  Observation out;
  const EpochRequest until_finish{.interval_ns = 500 * kMs, .stop_at_finish = true};
  ASSERT_EQ(sim.advance(until_finish, out), Status::kOk);
  ASSERT_EQ(out.now_ns, 100 * kMs);
  ASSERT_EQ(out.app[0].backlog, 1u) << "released at 60 ms";
  Action action = big_core(spec, 0);
  action.app[0].mapping = static_cast<std::uint8_t>(mapping_of(spec, kLittle, 4));
  sim.apply(action);
  ASSERT_EQ(sim.advance(until_finish, out), Status::kOk);
  ASSERT_EQ(out.jobs().size(), 1u);
  EXPECT_EQ(out.jobs()[0].setting, action.app[0]);
  EXPECT_EQ(out.jobs()[0].start_ns, 100 * kMs);
}

TEST(SimForesight, ANextReleaseIsAwaitedAndNoneIsNothing) {
  const PlatformSpec spec = round_board();
  AppSpec app = stream("camera", 300, 200);
  app.stop_ns = 500 * kMs;
  const Scenario scenario = of_apps({app});
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec));
  play(sim, 100);
  EXPECT_EQ(sim.preview(big_core(spec), 0).finish_ns, 350 * kMs);
  play(sim, 400);
  const Foresight::Outcome none = sim.preview(big_core(spec), 0);
  EXPECT_EQ(none.finish_ns, 400 * kMs);
  EXPECT_EQ(none.energy_mj, 0);
  EXPECT_TRUE(none.meets_deadline);
}

}  // namespace
}  // namespace flyball
