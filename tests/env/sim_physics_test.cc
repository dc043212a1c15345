#include <gtest/gtest.h>

#include <cmath>

#include "env/model/thermal.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

/// The board with heat that trips: four big cores flat out would reach 118 C.
PlatformSpec hot_board() {
  PlatformSpec spec = round_board();
  TripPoint trip;
  trip.kind = TripPoint::Kind::kCap;
  trip.temp_c = 80;
  trip.hysteresis_c = 5;
  trip.cluster = kBig;
  trip.node = 0;
  trip.cap_khz = 1'000'000;
  spec.trips = {trip};
  return spec;
}

Scenario flat_out(double duration_ms) {
  Scenario scenario = of_apps({stream("camera", 100, 100)}, duration_ms);
  scenario.background.push_back({"burn", kBig, 4, 0.6, 0, 0, scenario.duration_ns});
  return scenario;
}

struct Totals {
  double energy_mj = 0, job_mj = 0, latency_ms = 0, peak_c = 0, end_c = 0;
};

Totals run(const PlatformSpec& spec, const Scenario& scenario, const Action& action,
           double max_step_ms, double epoch_ms = 50) {
  Simulator sim(spec, scenario, {.seed = 3, .max_step_ms = max_step_ms});
  Totals totals;
  Observation out;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    sim.apply(action);
    status = sim.advance(ms(epoch_ms), out);
    totals.energy_mj += out.energy_mj;
    totals.peak_c = std::max(totals.peak_c, out.cluster[kBig].temp_c);
    totals.end_c = out.cluster[kBig].temp_c;
    for (const JobRecord& job : out.jobs()) {
      totals.job_mj += job.energy_mj;
      totals.latency_ms += static_cast<double>(job.latency_ns()) * 1e-6;
    }
  }
  return totals;
}

TEST(SimPhysics, EnergyIsTheIntegralOfPower) {
  const PlatformSpec spec = round_board();
  AppSpec app = stream("camera", 130, 130);
  app.work_cv = 0.3;
  const Scenario scenario = of_apps({app}, 5000);
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec));
  double energy = 0, from_power = 0, from_clusters = 0;
  Observation out;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    status = sim.advance(ms(17), out);
    const double epoch_s = static_cast<double>(out.epoch_ns) * 1e-9;
    energy += out.energy_mj;
    from_power += out.power_mw * epoch_s;
    from_clusters += spec.board_mw * epoch_s;
    for (int c = 0; c < 2; ++c) from_clusters += out.cluster[c].power_mw * epoch_s;
  }
  EXPECT_GT(energy, 1000);
  EXPECT_NEAR(from_power, energy, 1e-9 * energy);
  EXPECT_NEAR(from_clusters, energy, 1e-9 * energy);
}

TEST(SimPhysics, PowerIsTheModels) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = of_apps({stream("camera", 1000, 1000)});
  Simulator sim(spec, scenario);
  Action action = big_core(spec);
  action.app[0].mapping = mapping_of(spec, kBig, 2);
  sim.apply(action);
  Observation out;
  sim.advance(ms(1000), out);  // the first job started before the action
  sim.advance(ms(10), out);
  ClusterLoad load;
  load.opp = 1;
  load.busy_cores = 2;
  load.busy_nf = 1.0;
  load.static_ma = 100;
  load.temp_c = out.cluster[kBig].temp_c;
  EXPECT_NEAR(out.cluster[kBig].power_mw, cluster_power_mw(spec.clusters[kBig], load),
              1e-3 * out.cluster[kBig].power_mw);
  ClusterLoad idle;
  idle.opp = 1;
  idle.temp_c = out.cluster[kLittle].temp_c;
  EXPECT_NEAR(out.cluster[kLittle].power_mw, cluster_power_mw(spec.clusters[kLittle], idle),
              1e-3 * out.cluster[kLittle].power_mw);
}

TEST(SimPhysics, EnergyOfTheJobsIsThePlatformsWhileTheyRun) {
  const PlatformSpec spec = round_board();
  // Jobs of 50 ms back to back: a job is always running.
  AppSpec app = stream("camera", 50, 100);
  const Scenario scenario = of_apps({app}, 5000);
  const Totals totals = run(spec, scenario, big_core(spec), 50);
  EXPECT_NEAR(totals.job_mj, totals.energy_mj, 0.02 * totals.energy_mj);
  // Two that run side by side share it.
  const Scenario both = of_apps({stream("a", 50, 100), stream("b", 50, 100)}, 5000);
  const Totals shared = run(spec, both, big_core(spec, 1, 2), 50);
  EXPECT_NEAR(shared.job_mj, shared.energy_mj, 0.02 * shared.energy_mj);
}

TEST(SimPhysics, SteadyTemperatureIsResistanceTimesPower) {
  const PlatformSpec spec = round_board();
  Scenario scenario = flat_out(400'000);
  scenario.apps[0].stop_ns = 1;  // constant power but for the first job
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec));
  Observation out;
  while (sim.advance(ms(1000), out) == Status::kOk) {
  }
  const double total_w = out.power_mw * 1e-3;
  EXPECT_GT(total_w, 2);
  EXPECT_NEAR(out.cluster[kBig].temp_c, 25 + 10 + (8 + 3) * total_w, 0.01);
  EXPECT_NEAR(out.cluster[kLittle].temp_c, 25 + 5 + 4 * total_w, 0.01);
}

TEST(SimPhysics, TemperaturesAreTheThermalModels) {
  const PlatformSpec spec = round_board();
  Scenario scenario = flat_out(20'000);
  scenario.apps[0].stop_ns = 1;
  Simulator sim(spec, scenario, {.seed = 1, .max_step_ms = 10});
  sim.apply(big_core(spec));
  Observation out;
  sim.observe(out);
  ThermalState thermal;
  // It started settled at idle power, which the rim's 4 K/W give away.
  thermal_reset(spec, 25, (out.cluster[kLittle].temp_c - 30) / 4, thermal);
  while (sim.advance(ms(10), out) == Status::kOk) {
    thermal_advance(spec, out.power_mw * 1e-3, static_cast<double>(out.epoch_ns) * 1e-9, thermal);
  }
  EXPECT_NEAR(out.cluster[kBig].temp_c, thermal.temp_c[0], 0.01);
  EXPECT_NEAR(out.cluster[kLittle].temp_c, thermal.temp_c[1], 0.01);
}

TEST(SimPhysics, PowerRisesWithFrequencyAndVoltage) {
  PlatformSpec spec = round_board();
  Scenario scenario = flat_out(2000);
  const double low = run(spec, scenario, big_core(spec, 0), 50).energy_mj;
  const double high = run(spec, scenario, big_core(spec, 1), 50).energy_mj;
  EXPECT_GT(high, low);
  spec.clusters[kBig].opps[1].voltage_mv += 50;
  EXPECT_GT(run(spec, scenario, big_core(spec, 1), 50).energy_mj, high);
  scenario.ambient_c = 45;  // leakage
  EXPECT_GT(run(spec, scenario, big_core(spec, 0), 50).energy_mj, low);
}

TEST(SimPhysics, HalvingTheStepChangesLittle) {
  const PlatformSpec spec = round_board();
  Scenario scenario = flat_out(20'000);
  scenario.apps[0].work_cv = 0.2;
  for (const double step_ms : {50.0, 10.0}) {
    const Totals coarse = run(spec, scenario, big_core(spec), step_ms);
    const Totals fine = run(spec, scenario, big_core(spec), step_ms / 2);
    EXPECT_NEAR(coarse.energy_mj, fine.energy_mj, 0.01 * fine.energy_mj);
    EXPECT_NEAR(coarse.job_mj, fine.job_mj, 0.01 * fine.job_mj);
    EXPECT_NEAR(coarse.latency_ms, fine.latency_ms, 0.01 * fine.latency_ms);
    EXPECT_NEAR(coarse.peak_c, fine.peak_c, 0.01 * fine.peak_c);
    EXPECT_NEAR(coarse.end_c, fine.end_c, 0.01 * fine.end_c);
  }
}

TEST(SimPhysics, EpochsDoNotChangeThePhysics) {
  const PlatformSpec spec = round_board();
  const Scenario scenario = flat_out(10'000);
  const Totals fast = run(spec, scenario, big_core(spec), 50, 7);
  const Totals slow = run(spec, scenario, big_core(spec), 50, 500);
  EXPECT_NEAR(fast.energy_mj, slow.energy_mj, 1e-9 * slow.energy_mj);
  EXPECT_NEAR(fast.latency_ms, slow.latency_ms, 1e-4 * slow.latency_ms);
}

TEST(SimPhysics, UtilisationIsTheBusyShare) {
  const PlatformSpec spec = round_board();
  Scenario scenario = of_apps({stream("camera", 200, 200)});
  scenario.background.push_back({"half", kLittle, 1.5, 0.1, 0, 0, scenario.duration_ns});
  Simulator sim(spec, scenario);
  Action action = big_core(spec);
  action.app[0].mapping = mapping_of(spec, kBig, 2);  // 25 of 200 ms
  sim.apply(action);
  Observation out;
  sim.advance(ms(200), out);
  sim.advance(ms(200), out);
  EXPECT_NEAR(out.cluster[kBig].util_max, 0.125, 1e-6);
  EXPECT_NEAR(out.cluster[kBig].util_mean, 0.0625, 1e-6);
  EXPECT_NEAR(out.cluster[kLittle].util_max, 1, 1e-6);
  EXPECT_NEAR(out.cluster[kLittle].util_mean, 0.375, 1e-6);
}

TEST(SimPhysics, ThrottlingHoldsTheCapAndShows) {
  const PlatformSpec spec = hot_board();
  const Scenario scenario = flat_out(120'000);
  Simulator sim(spec, scenario);
  Observation out;
  bool capped = false;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    const bool was_capped = capped && out.cluster[kBig].opp_cap == 0;
    sim.apply(big_core(spec));  // goes on asking for 2000 MHz
    status = sim.advance(ms(50), out);
    if (out.cluster[kBig].opp_cap == 0) {
      capped = true;
      // From the next epoch on: the change itself takes 0.1 ms.
      if (was_capped) {
        EXPECT_EQ(out.cluster[kBig].freq_khz, 1'000'000);
      }
    }
    EXPECT_EQ(out.cluster[kLittle].opp_cap, 1);
    EXPECT_LT(out.cluster[kBig].temp_c, 84);
  }
  EXPECT_TRUE(capped);
  // Without the trip it gets much hotter.
  EXPECT_GT(run(round_board(), scenario, big_core(spec), 50).peak_c, 100);
}

TEST(SimPhysics, ACapThatGoesGivesTheAskedFrequencyBack) {
  PlatformSpec spec = hot_board();
  Scenario scenario = flat_out(60'000);
  scenario.background[0].stop_ns = 20'000 * kMs;
  scenario.apps[0].stop_ns = 20'000 * kMs;
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec));  // once, at the beginning
  Observation out;
  bool capped = false;
  while (sim.advance(ms(50), out) == Status::kOk) capped = capped || out.cluster[kBig].opp_cap == 0;
  EXPECT_TRUE(capped);
  EXPECT_EQ(out.cluster[kBig].opp_cap, 1);
  EXPECT_EQ(out.cluster[kBig].freq_khz, 2'000'000);
}

TEST(SimPhysics, TheBatteryLosesWhatIsSpent) {
  const PlatformSpec spec = round_board();
  Scenario scenario = flat_out(10'000);
  scenario.battery_mj = 1e6;
  scenario.battery_pct = 80;
  Simulator sim(spec, scenario);
  sim.apply(big_core(spec));
  double energy = 0;
  Observation out;
  Status status = Status::kOk;
  while (status == Status::kOk) {
    status = sim.advance(ms(50), out);
    energy += out.energy_mj;
  }
  EXPECT_NEAR(out.battery_pct, 80 - 100 * energy / 1e6, 1e-9);
}

// More ns than there are numbers for.
TEST(SimPhysics, AJobThatTakesLongerThanTimeLastsDoesNotEnd) {
  PlatformSpec spec = round_board();
  for (const double mcycles : {1e15, 1e30}) {
    spec.apps[0].unit[kBig].mcycles = mcycles;
    const Scenario scenario = of_apps({stream("camera", 100, 100)}, 1000);
    Simulator sim(spec, scenario);
    sim.apply(big_core(spec));
    Observation out;
    std::uint32_t finished = 0;
    while (sim.advance(ms(100), out) == Status::kOk) finished += out.app[0].finished;
    EXPECT_EQ(finished, 0u);
    EXPECT_TRUE(out.app[0].running.busy);
  }
}

}  // namespace
}  // namespace flyball
