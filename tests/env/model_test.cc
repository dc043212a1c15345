#include "env/model/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/env/network_levels.h"

namespace flyball {
namespace {

/// Round numbers: 1 V and 1000 MHz make 1 nF draw 1000 mW. No leakage, gated idle cores.
PlatformSpec make_spec() {
  PlatformSpec spec;
  for (int c = 0; c < 2; ++c) {
    ClusterSpec cluster;
    cluster.name = c == 0 ? "big" : "little";
    cluster.cores = 2;
    cluster.opps = {{500'000, 1000}, {1'000'000, 1000}, {2'000'000, 1500}};
    cluster.capacity_per_mhz = c == 0 ? 1024 : 512;
    cluster.uncore_nf = 0.2;
    cluster.idle_core_nf = 0.1;
    cluster.gate_idle_cores = true;
    spec.clusters.push_back(cluster);
  }
  AppProfile app;
  app.name = "net";
  app.parallel_fraction = 0.8;
  give_widths(app, {{50, 0.6, 1.2}, {100}});
  app.unit[0] = {.supported = true, .mcycles = 100, .core_nf = 0.5, .static_ma = 100};
  app.unit[1] = {.supported = true, .mcycles = 200, .core_nf = 0.1};
  spec.apps = {app};
  spec.mappings = {
      {{1}, "bigx1"}, {{2}, "bigx2"}, {{0, 1}, "littlex1"}, {{2, 2}, "bigx2+littlex2"}};
  spec.thermal = {{"die", 0, 10, {{5, 2}}}};
  spec.board_mw = 50;
  return spec;
}

ClusterLoad load_of(int opp, double cores, double nf, bool gated) {
  ClusterLoad load;
  load.opp = opp;
  load.busy_cores = cores;
  load.busy_nf = nf;
  load.gate_idle_cores = gated;
  return load;
}

TEST(Model, OnlyClustersThatAreNewToAnApplicationCostAMove) {
  PlatformSpec spec = make_spec();
  spec.migration_us = 200;
  spec.cold_cache_ms = 0.8;
  spec.level_switch_us = 30;
  // bigx1, bigx2, littlex1, bigx2+littlex2
  EXPECT_EQ(switch_ns(spec, {0, 1}, {0, 1}), 0);
  EXPECT_EQ(switch_ns(spec, {0, 1}, {1, 1}), 0);
  EXPECT_EQ(switch_ns(spec, {3, 1}, {2, 1}), 0);
  EXPECT_EQ(switch_ns(spec, {0, 1}, {2, 1}), 1e6);
  EXPECT_EQ(switch_ns(spec, {0, 1}, {3, 1}), 1e6);
  EXPECT_EQ(switch_ns(spec, {0, 1}, {0, 0}), 30e3);
  EXPECT_EQ(switch_ns(spec, {0, 1}, {2, 0}), 1.03e6);
}

TEST(Model, ABoardThatRunsAwayStaysFinite) {
  PlatformSpec spec = make_spec();
  spec.clusters[0].leak_a = 10;  // the most that a file may say: half a megawatt at 50 C
  spec.thermal = {{"die", 0, 10, {{100, 2}}}};
  EXPECT_EQ(leakage_mw(spec.clusters[0], 1, 1e9), leakage_mw(spec.clusters[0], 1, 200));
  EXPECT_EQ(leakage_mw(spec.clusters[0], 1, -400), leakage_mw(spec.clusters[0], 1, -60));
  EXPECT_LT(leakage_mw(spec.clusters[0], 1, 199), leakage_mw(spec.clusters[0], 1, 200));
}

TEST(Model, TimeIsCyclesOverFrequencyPlusMemory) {
  PlatformSpec spec = make_spec();
  const Mapping& one = spec.mappings[0];
  EXPECT_NEAR(execution_ns(spec, spec.apps[0], one, 1, {1}), 100e6, 1e-3);
  EXPECT_NEAR(execution_ns(spec, spec.apps[0], one, 1, {2}), 50e6, 1e-3);
  EXPECT_NEAR(execution_ns(spec, spec.apps[0], one, 0, {1}), 60e6, 1e-3);
  EXPECT_NEAR(execution_ns(spec, spec.apps[0], one, 1, {1}, 1.5), 150e6, 1e-3);
  spec.apps[0].unit[0].memory_ms = 7;
  EXPECT_NEAR(execution_ns(spec, spec.apps[0], one, 1, {2}), 57e6, 1e-3);
}

TEST(Model, CoresShareTheParallelPartBySpeed) {
  const PlatformSpec spec = make_spec();
  const AppProfile& app = spec.apps[0];
  // One core takes 100 ms: 20 serial and 80 parallel.
  EXPECT_NEAR(execution_ns(spec, app, spec.mappings[1], 1, {1}), 20e6 + 80e6 / 2, 1e-3);
  // Two big cores at 1/100 and two little ones at 1/200 jobs per ms: 0.03 together.
  EXPECT_NEAR(execution_ns(spec, app, spec.mappings[3], 1, {1, 1}), 20e6 + 0.8e6 / 0.03, 1e-3);
  // The little cores at 2000 MHz overtake a big one at 500 MHz (100 against 200 ms) and run the
  // serial part.
  EXPECT_NEAR(execution_ns(spec, app, spec.mappings[3], 1, {0, 2}), 20e6 + 0.8e6 / 0.03, 1e-3);
}

TEST(Model, OfEqualSharesTheSlowestCoreSaysWhenTheyAreDone) {
  PlatformSpec spec = make_spec();
  AppProfile& app = spec.apps[0];
  app.equal_shares = true;
  EXPECT_NEAR(execution_ns(spec, app, spec.mappings[1], 1, {1}), 20e6 + 80e6 / 2, 1e-3)
      << "cores of one kind have equal ones anyway";
  // Two big cores take 100 ms for all of it and two little ones 200: a quarter of its 0.8 each.
  EXPECT_NEAR(execution_ns(spec, app, spec.mappings[3], 1, {1, 1}), 20e6 + 0.8 * 200e6 / 4, 1e-3);
  EXPECT_NEAR(execution_ns(spec, app, spec.mappings[3], 1, {1, 2}), 20e6 + 0.8 * 100e6 / 4, 1e-3);
}

TEST(Model, JobLoadIsTheMeanOverTheJob) {
  const PlatformSpec spec = make_spec();
  const auto load = job_load(spec, spec.apps[0], spec.mappings[1], 0, {1});
  // 20 of 60 ms on one core, 40 on two.
  EXPECT_NEAR(load[0].busy_cores, (20.0 + 2 * 40) / 60, 1e-12);
  EXPECT_NEAR(load[0].busy_nf, load[0].busy_cores * 0.5 * 1.2, 1e-12);
  EXPECT_DOUBLE_EQ(load[0].static_ma, 100);
  EXPECT_EQ(load[1].busy_cores, 0);
}

TEST(Model, WhatAnApplicationHasNoProfileForItCannotRunOn) {
  PlatformSpec spec = make_spec();
  spec.apps[0].unit[1].supported = false;
  EXPECT_TRUE(runs_on(spec.apps[0], spec.mappings[0]));
  EXPECT_FALSE(runs_on(spec.apps[0], spec.mappings[3]));
  EXPECT_EQ(execution_ns(spec, spec.apps[0], spec.mappings[3], 1, {}), 1e18);
}

TEST(Model, PowerIsSwitchedCapacitanceTimesVoltageSquaredTimesFrequency) {
  const ClusterSpec cluster = make_spec().clusters[0];
  EXPECT_NEAR(cluster_power_mw(cluster, load_of(1, 1, 0.5, true)), 1000 * (0.2 + 0.5), 1e-9);
  EXPECT_NEAR(cluster_power_mw(cluster, load_of(1, 1, 0.5, false)), 1000 * (0.2 + 0.5 + 0.1), 1e-9);
  EXPECT_NEAR(cluster_power_mw(cluster, load_of(2, 2, 1.0, true)), 2.25 * 2000 * (0.2 + 1.0), 1e-9);
  // All gated: nothing is clocked. All clocked and idle: the uncore and both cores.
  EXPECT_EQ(cluster_power_mw(cluster, load_of(1, 0, 0, true)), 0);
  EXPECT_NEAR(cluster_power_mw(cluster, load_of(1, 0, 0, false)), 1000 * (0.2 + 0.2), 1e-9);
  ClusterLoad with_static = load_of(2, 1, 0.5, true);
  const double without_mw = cluster_power_mw(cluster, with_static);
  with_static.static_ma = 100;
  EXPECT_NEAR(cluster_power_mw(cluster, with_static) - without_mw, 1.5 * 100, 1e-9);
}

// Leakage of the big cluster at 1 V and 350 K, by hand:
// 0.002488 * 350^2 * exp(-2660/350) + 0.000519 = 304.78 * 0.00050045 + 0.000519 W.
TEST(Model, LeakageFollowsItsLawAndGatedCoresLoseTheirShare) {
  ClusterSpec cluster = make_spec().clusters[0];
  cluster.leak_a = 0.002488;
  cluster.leak_b_k = 2660;
  cluster.leak_c_a = 0.000519;
  cluster.leak_core_share = 0.8;
  const double watts = 0.002488 * 350 * 350 * std::exp(-2660.0 / 350) + 0.000519;
  EXPECT_NEAR(watts, 0.15305, 1e-4);
  EXPECT_NEAR(leakage_mw(cluster, 1, 350 - 273.15), 1000 * watts, 1e-6);
  EXPECT_NEAR(leakage_mw(cluster, 1.2, 350 - 273.15), 1200 * watts, 1e-6);
  ClusterLoad idle = load_of(1, 0, 0, true);
  idle.temp_c = 350 - 273.15;
  EXPECT_NEAR(cluster_power_mw(cluster, idle), 1000 * watts * 0.2, 1e-6);
  ClusterLoad half = load_of(1, 1, 0, true);
  half.temp_c = idle.temp_c;
  EXPECT_NEAR(cluster_power_mw(cluster, half), 200 + 1000 * watts * 0.6, 1e-6);
}

TEST(Model, SteadyStateSettlesLeakageAndTemperatureTogether) {
  const PlatformSpec spec = load_platform("odroid_xu3");
  const int a15 = spec.find_cluster("A15");
  const AppProfile& app = spec.apps[spec.find_app("whetstone")];
  OppChoice opp{};
  opp[a15] = 18;
  const SteadyState state =
      steady_state(spec, app, spec.mappings[spec.find_mapping(a15, 4)], 0, opp, 40);
  double steady_k_per_w = 0;
  for (const ThermalTerm& term : spec.thermal[0].terms) steady_k_per_w += term.r_k_per_w;
  EXPECT_NEAR(state.temp_c,
              40 + spec.thermal[0].offset_c + steady_k_per_w * state.total_power_mw / 1000, 1e-6);
  // Putting the settled temperature back gives the settled power.
  ClusterLoad load;
  load.opp = 18;
  load.busy_cores = 4;
  load.busy_nf = 4 * app.unit[a15].core_nf;
  load.temp_c = state.temp_c;
  EXPECT_NEAR(cluster_power_mw(spec.clusters[a15], load), state.unit_power_mw, 1e-4);
}

TEST(Model, ARunawayPlatformStaysBounded) {
  PlatformSpec spec = make_spec();
  spec.clusters[0].leak_a = 1;
  spec.clusters[0].leak_b_k = 2660;
  const SteadyState state = steady_state(spec, spec.apps[0], spec.mappings[1], 1, {2});
  EXPECT_TRUE(std::isfinite(state.total_power_mw));
  EXPECT_LE(state.temp_c, 150);
}

TEST(Model, TheReferenceJobRunsOnOneCoreOfTheFastestClusterAtFullSpeed) {
  const PlatformSpec spec = make_spec();
  EXPECT_EQ(spec.big_cluster(), 0);
  EXPECT_NEAR(reference_time_ns(spec, spec.apps[0]), 50e6, 1e-3);
  // 2.25 V^2 * 2000 MHz * 0.7 nF + 1.5 V * 100 mA + 50 mW of board, for 50 ms.
  EXPECT_NEAR(reference_energy_mj(spec, spec.apps[0]), (3150 + 150 + 50) * 0.05, 1e-9);
}

class ModelLaws : public ::testing::TestWithParam<const char*> {
 protected:
  /// Calls visit(app, mapping, width, opp, cluster) for every configuration within one cluster.
  template <typename Visit>
  void for_each(const PlatformSpec& spec, Visit visit) {
    for (const AppProfile& app : spec.apps) {
      for (int c = 0; c < static_cast<int>(spec.clusters.size()); ++c) {
        if (!app.unit[c].supported) continue;
        for (int cores = 1; cores <= spec.clusters[c].cores; ++cores) {
          for (int w = 0; w < static_cast<int>(app.levels.size()); ++w) {
            for (int o = 0; o <= spec.clusters[c].max_opp(); ++o) {
              visit(app, c, cores, w, o);
            }
          }
        }
      }
    }
  }
  static SteadyState at(const PlatformSpec& spec, const AppProfile& app, int c, int cores, int w,
                        int o, double ambient_c = 25) {
    OppChoice opp{};
    opp[c] = static_cast<std::uint8_t>(o);
    return steady_state(spec, app, spec.mappings[spec.find_mapping(c, cores)], w, opp, ambient_c);
  }
};

TEST_P(ModelLaws, FasterIsShorterHungrierAndWarmer) {
  const PlatformSpec spec = load_platform(GetParam());
  for_each(spec, [&](const AppProfile& app, int c, int cores, int w, int o) {
    if (o == 0) return;
    const SteadyState slow = at(spec, app, c, cores, w, o - 1);
    const SteadyState fast = at(spec, app, c, cores, w, o);
    EXPECT_GT(fast.unit_power_mw, slow.unit_power_mw);
    EXPECT_GT(fast.temp_c, slow.temp_c);
    if (!app.plain_load) {
      EXPECT_LT(fast.time_ms, slow.time_ms);
    }
  });
}

TEST_P(ModelLaws, MoreCoresAreShorterAndHungrier) {
  const PlatformSpec spec = load_platform(GetParam());
  for_each(spec, [&](const AppProfile& app, int c, int cores, int w, int o) {
    if (cores == 1) return;
    const SteadyState fewer = at(spec, app, c, cores - 1, w, o);
    const SteadyState more = at(spec, app, c, cores, w, o);
    EXPECT_GT(more.unit_power_mw, fewer.unit_power_mw);
    if (!app.plain_load) {
      EXPECT_LT(more.time_ms, fewer.time_ms);
      EXPECT_GT(more.time_ms * cores,
                fewer.time_ms * (cores - 1));  // no core pays more than itself
    }
  });
}

/// The next level down that differs in the first knob alone: for the dynamic network the next
/// narrower width in the same precision. -1 when there is none.
int step_down(const AppProfile& app, int level) {
  for (int before = level - 1; before >= 0; --before) {
    KnobValues at = app.levels[before].knob;
    at[0] = app.levels[level].knob[0];
    if (at == app.levels[level].knob) return before;
  }
  return -1;
}

TEST_P(ModelLaws, MoreOfTheFirstKnobTakesMoreTimeAndEnergy) {
  const PlatformSpec spec = load_platform(GetParam());
  for_each(spec, [&](const AppProfile& app, int c, int cores, int w, int o) {
    const int before = step_down(app, w);
    if (before < 0) return;
    const SteadyState narrow = at(spec, app, c, cores, before, o);
    const SteadyState wide = at(spec, app, c, cores, w, o);
    EXPECT_GT(wide.time_ms, narrow.time_ms);
    EXPECT_GT(wide.energy_mj, narrow.energy_mj);
    if (app.model.empty()) {
      EXPECT_GT(app.levels[w].accuracy_pct, app.levels[before].accuracy_pct);
    }
  });
}

TEST_P(ModelLaws, EnergyIsPowerTimesTimeAndPartsStayBelowTheWhole) {
  const PlatformSpec spec = load_platform(GetParam());
  for_each(spec, [&](const AppProfile& app, int c, int cores, int w, int o) {
    const SteadyState state = at(spec, app, c, cores, w, o);
    EXPECT_DOUBLE_EQ(state.energy_mj, state.unit_power_mw * state.time_ms / 1000);
    EXPECT_GT(state.total_power_mw, state.unit_power_mw);
  });
}

TEST_P(ModelLaws, AWarmerRoomCostsLeakage) {
  const PlatformSpec spec = load_platform(GetParam());
  for_each(spec, [&](const AppProfile& app, int c, int cores, int w, int o) {
    if (w != 0) return;
    const SteadyState cool = at(spec, app, c, cores, w, o, 25);
    const SteadyState warm = at(spec, app, c, cores, w, o, 40);
    EXPECT_GT(warm.unit_power_mw, cool.unit_power_mw);
    EXPECT_GT(warm.temp_c, cool.temp_c + 15);
    EXPECT_EQ(warm.time_ms, cool.time_ms);
  });
}

INSTANTIATE_TEST_SUITE_P(Platforms, ModelLaws,
                         ::testing::Values("odroid_xu3", "jetson_nano", "host"),
                         [](const auto& test_info) { return std::string(test_info.param); });

// The host exists to show a trade-off: the most efficient frequency lies within its range.
TEST(Model, TheHostHasAMostEfficientPointWithinItsRange) {
  const PlatformSpec spec = load_platform("host");
  const AppProfile& app = spec.apps[spec.find_app("dynamic_cnn")];
  std::vector<double> energy_mj;
  for (int o = 0; o <= spec.clusters[0].max_opp(); ++o) {
    const OppChoice opp{static_cast<std::uint8_t>(o)};
    energy_mj.push_back(
        steady_state(spec, app, spec.mappings[spec.find_mapping(0, 1)], app.level_count() - 1, opp)
            .energy_mj);
  }
  const auto best = std::min_element(energy_mj.begin(), energy_mj.end());
  EXPECT_NE(best, energy_mj.begin());
  EXPECT_NE(best, energy_mj.end() - 1);
  EXPECT_GT(energy_mj.back(), 1.5 * *best);
  EXPECT_NEAR(reference_time_ns(spec, app), 16e6, 1);
}

// For a deadline of 20 ms one core must run at 2000 MHz; two meet it at 1200 MHz and share the
// uncore.
TEST(Model, OnTheHostTwoSlowCoresBeatOneFastCore) {
  const PlatformSpec spec = load_platform("host");
  if (spec.clusters[0].cores < 2) GTEST_SKIP() << "this machine has one CPU";
  const AppProfile& app = spec.apps[spec.find_app("dynamic_cnn")];
  const int full = app.level_count() - 1;
  const SteadyState one =
      steady_state(spec, app, spec.mappings[spec.find_mapping(0, 1)], full, OppChoice{5});
  const SteadyState two =
      steady_state(spec, app, spec.mappings[spec.find_mapping(0, 2)], full, OppChoice{2});
  EXPECT_LT(one.time_ms, 20);
  EXPECT_LT(two.time_ms, 20);
  EXPECT_LT(two.energy_mj, one.energy_mj);
}

}  // namespace
}  // namespace flyball
