#pragma once

#include <gtest/gtest.h>

#include <string>

#include "env/spaces/observation.h"

namespace flyball {

/// Everything but energies is equal, but for rounding; those are within `energy`, relative.
inline void expect_same(const JobRecord& a, const JobRecord& b, double energy) {
  EXPECT_EQ(a.sequence, b.sequence);
  EXPECT_EQ(a.release_ns, b.release_ns);
  EXPECT_EQ(a.start_ns, b.start_ns);
  EXPECT_EQ(a.finish_ns, b.finish_ns);
  EXPECT_EQ(a.deadline_ns, b.deadline_ns);
  EXPECT_NEAR(a.energy_mj, b.energy_mj, energy * a.energy_mj);
  EXPECT_NEAR(a.cycles, b.cycles, 1);
  EXPECT_EQ(a.accuracy_pct, b.accuracy_pct);
  EXPECT_EQ(a.accuracy_floor_pct, b.accuracy_floor_pct);
  EXPECT_EQ(a.app, b.app);
  EXPECT_EQ(a.setting, b.setting);
  EXPECT_EQ(a.missed, b.missed);
  EXPECT_EQ(a.dropped, b.dropped);
  EXPECT_EQ(a.infeasible, b.infeasible);
}

inline void expect_same(const AppObservation& x, const AppObservation& y, double energy,
                        double total_mj) {
  EXPECT_EQ(x.generation, y.generation);
  EXPECT_EQ(x.active, y.active);
  EXPECT_EQ(x.required, y.required);
  EXPECT_EQ(x.setting, y.setting);
  EXPECT_EQ(x.released, y.released);
  EXPECT_EQ(x.finished, y.finished);
  EXPECT_EQ(x.dropped, y.dropped);
  EXPECT_EQ(x.missed, y.missed);
  EXPECT_EQ(x.backlog, y.backlog);
  EXPECT_NEAR(x.energy_mj, y.energy_mj, energy * total_mj);
  EXPECT_EQ(x.accuracy_shortfall_pct, y.accuracy_shortfall_pct);
  EXPECT_NEAR(x.over_budget_mj, y.over_budget_mj, energy * (total_mj + x.over_budget_mj));
  EXPECT_EQ(x.below_floor, y.below_floor);
  EXPECT_EQ(x.over_budget, y.over_budget);
  EXPECT_EQ(x.forgiven, y.forgiven);
  EXPECT_EQ(x.accuracy_lost_pct, y.accuracy_lost_pct);
  EXPECT_EQ(x.latency_sum_ns, y.latency_sum_ns);
  EXPECT_EQ(x.last_latency_ns, y.last_latency_ns);
  EXPECT_EQ(x.last_execution_ns, y.last_execution_ns);
  EXPECT_NEAR(x.last_cycles, y.last_cycles, 1);
  EXPECT_EQ(x.last_setting, y.last_setting);
  ASSERT_EQ(x.running.busy, y.running.busy);
  if (x.running.busy) {
    EXPECT_EQ(x.running.sequence, y.running.sequence);
    EXPECT_EQ(x.running.release_ns, y.running.release_ns);
    EXPECT_EQ(x.running.start_ns, y.running.start_ns);
    EXPECT_EQ(x.running.deadline_ns, y.running.deadline_ns);
    EXPECT_EQ(x.running.setting, y.running.setting);
    EXPECT_EQ(x.running.cpus.count(), y.running.cpus.count());
  }
  ASSERT_EQ(x.waiting_count, y.waiting_count);
  for (std::uint32_t i = 0; i < x.waiting_count; ++i) {
    EXPECT_EQ(x.waiting[i].sequence, y.waiting[i].sequence);
    EXPECT_EQ(x.waiting[i].release_ns, y.waiting[i].release_ns);
    EXPECT_EQ(x.waiting[i].deadline_ns, y.waiting[i].deadline_ns);
  }
}

inline void expect_same(const Observation& a, const Observation& b, double energy) {
  EXPECT_EQ(a.sequence, b.sequence);
  EXPECT_EQ(a.epoch_ns, b.epoch_ns);
  EXPECT_NEAR(a.energy_mj, b.energy_mj, energy * a.energy_mj);
  EXPECT_NEAR(a.power_mw, b.power_mw, energy * a.power_mw);
  EXPECT_EQ(a.energy_preference, b.energy_preference);
  EXPECT_NEAR(a.battery_pct, b.battery_pct, 100 * energy);
  EXPECT_EQ(a.roster_version, b.roster_version);
  EXPECT_EQ(a.job_count, b.job_count);
  EXPECT_EQ(a.jobs_unlisted, b.jobs_unlisted);
  ASSERT_EQ(a.cluster_count, b.cluster_count);
  for (int c = 0; c < a.cluster_count; ++c) {
    const ClusterObservation &x = a.cluster[c], &y = b.cluster[c];
    EXPECT_EQ(x.freq_khz, y.freq_khz);
    EXPECT_EQ(x.asked_khz, y.asked_khz);
    EXPECT_NEAR(x.capacity, y.capacity, 1e-9 * x.capacity);
    EXPECT_EQ(x.opp, y.opp);
    EXPECT_EQ(x.asked_opp, y.asked_opp);
    EXPECT_EQ(x.opp_cap, y.opp_cap);
    EXPECT_EQ(x.error, y.error);
    EXPECT_NEAR(x.util_max, y.util_max, 1e-9) << c;
    EXPECT_NEAR(x.util_mean, y.util_mean, 1e-9) << c;
    EXPECT_NEAR(x.power_mw, y.power_mw, energy * x.power_mw);
    EXPECT_NEAR(x.temp_c, y.temp_c, 0.1);
  }
  ASSERT_EQ(a.app_count, b.app_count);
  for (int slot = 0; slot < a.app_count; ++slot) {
    SCOPED_TRACE("slot " + std::to_string(slot));
    expect_same(a.app[slot], b.app[slot], energy, a.energy_mj);
  }
}

}  // namespace flyball
