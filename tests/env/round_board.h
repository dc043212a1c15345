#pragma once

#include <vector>

#include "env/scenario/scenario.h"
#include "env/sim/simulator.h"
#include "tests/env/network_levels.h"

namespace flyball {

constexpr std::int64_t kMs = 1'000'000;
constexpr int kBig = 0, kLittle = 1;

/// A board with round numbers, for results that can be worked out by hand: a job takes 100 ms on
/// one big core at 1000 MHz, 50 ms at 2000; 400 and 200 ms on a LITTLE one at 500 and 1000 MHz; it
/// scales perfectly over cores, and half its width takes half the time. 100 us for a frequency
/// change, 1 ms for a migration (0.2 + 0.8). What is decided takes effect at once.
inline PlatformSpec round_board() {
  PlatformSpec spec;
  spec.name = "round";
  ClusterSpec big;
  big.name = "big";
  big.cores = 4;
  big.opps = {{1'000'000, 1000}, {2'000'000, 1200}};
  big.capacity_per_mhz = 1024;
  big.uncore_nf = 0.1;
  big.idle_core_nf = 0.05;
  big.leak_a = 0.002488;
  big.leak_b_k = 2660;
  big.leak_c_a = 0.000519;
  big.transition_latency_us = 100;
  ClusterSpec little = big;
  little.name = "little";
  little.opps = {{500'000, 900}, {1'000'000, 1100}};
  little.capacity_per_mhz = 512;
  little.uncore_nf = 0.02;
  little.idle_core_nf = 0.01;
  little.leak_a /= 4;
  spec.clusters = {big, little};
  for (int c = 0; c < 2; ++c) {
    for (int n = 1; n <= 4; ++n) {
      Mapping mapping;
      mapping.cores[c] = static_cast<std::uint8_t>(n);
      mapping.name = spec.clusters[c].name + "x" + std::to_string(n);
      spec.mappings.push_back(mapping);
    }
  }
  Mapping both;
  both.cores[kBig] = both.cores[kLittle] = 2;
  both.name = "bigx2+littlex2";
  spec.mappings.push_back(both);
  AppProfile net;
  net.name = "net";
  give_widths(net, {{50, 0.5, 1, 60, "test"}, {100, 1, 1, 70, "test"}});
  net.unit[kBig] = {true, 100, 0, 0.5, 100, false};
  net.unit[kLittle] = {true, 200, 0, 0.1, 20, false};
  AppProfile burn;
  burn.name = "burn";
  burn.plain_load = true;
  burn.levels = {LevelProfile{}};
  burn.unit[kBig] = {true, 0, 0, 0.6, 0, false};
  spec.apps = {net, burn};
  spec.thermal = {{"die", kBig, 10, {{8, 2}, {3, 40}}}, {"rim", kLittle, 5, {{4, 2}}}};
  spec.board_mw = 100;
  spec.migration_us = 200;
  spec.cold_cache_ms = 0.8;
  spec.level_switch_us = 300;
  spec.decision_latency_us = 0;
  return spec;
}

/// One application with jobs of 1 every `period_ms`, the first at 0.
inline AppSpec stream(const char* name, double period_ms, double deadline_ms) {
  AppSpec app;
  app.name = name;
  app.arrival.period_ns = static_cast<std::int64_t>(period_ms * 1e6);
  app.required.period_ns = app.arrival.period_ns;
  app.required.deadline_ns = static_cast<std::int64_t>(deadline_ms * 1e6);
  app.stop_ns = 3'600'000 * kMs;
  return app;
}

inline Scenario of_apps(std::vector<AppSpec> apps, double duration_ms = 10'000) {
  Scenario scenario;
  scenario.name = "test";
  scenario.duration_ns = static_cast<std::int64_t>(duration_ms * 1e6);
  scenario.apps = std::move(apps);
  return scenario;
}

inline std::uint8_t mapping_of(const PlatformSpec& spec, int cluster, int cores) {
  return static_cast<std::uint8_t>(spec.find_mapping(cluster, cores));
}

/// One big core and full width, both clusters at OPP `opp`.
inline Action big_core(const PlatformSpec& spec, std::uint8_t opp = 1, int apps = 1) {
  Action action;
  action.opp[kBig] = action.opp[kLittle] = opp;
  for (int a = 0; a < apps; ++a) action.app[a] = {mapping_of(spec, kBig, 1), 1};
  return action;
}

inline EpochRequest ms(double interval_ms, bool stop_at_release = false) {
  return {static_cast<std::int64_t>(interval_ms * 1e6), stop_at_release};
}

/// Advances in epochs of `epoch_ms` until `until_ms` and returns the records of the jobs that
/// ended.
inline std::vector<JobRecord> play(Simulator& sim, double until_ms, double epoch_ms = 10) {
  std::vector<JobRecord> jobs;
  Observation out;
  sim.observe(out);
  while (out.now_ns < static_cast<std::int64_t>(until_ms * 1e6)) {
    const Status status = sim.advance(ms(epoch_ms), out);
    jobs.insert(jobs.end(), out.jobs().begin(), out.jobs().end());
    if (status != Status::kOk) break;
  }
  return jobs;
}

}  // namespace flyball
