#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstring>

#include "tests/env/monitor_tables.h"
#include "tests/env/round_board.h"

// What the monitor table keeps of an observation: at its resolution, and all of it.

namespace flyball {
namespace {

/// Observations of a run with queues, drops, throttling and applications that come and go.
std::vector<Observation> observations(const PlatformSpec& spec, std::uint64_t seed) {
  AppSpec camera = stream("camera", 40, 60);
  camera.work_cv = 0.5;
  camera.queue_limit = 16;
  camera.required.accuracy_floor_pct = 65;
  camera.required.energy_budget_mj = 20;
  camera.required.power_budget_mw = 900;
  AppSpec guest = stream("guest", 90, 80);
  guest.start_ns = 300 * kMs;
  guest.stop_ns = 1400 * kMs;
  guest.queue_limit = 2;
  Scenario scenario = of_apps({camera, guest}, 3000);
  scenario.battery_mj = 9000;
  Requirements other{30 * kMs, 70 * kMs, 60, 30, 800, 3};
  scenario.events.push_back({900 * kMs, ScenarioEvent::Kind::kRequirements, 0, other, 0});
  scenario.events.push_back({1000 * kMs, ScenarioEvent::Kind::kPreference, -1, {}, 0.625});
  scenario.background.push_back({"build", kBig, 3.5, 0.5, 0.2, 500 * kMs, 1200 * kMs});
  Simulator sim(spec, scenario, {.seed = seed});
  Random random(seed, 12);
  std::vector<Observation> all(1);
  sim.observe(all.back());
  Status status = Status::kOk;
  while (status == Status::kOk) {
    Action action = big_core(spec, static_cast<std::uint8_t>(random.below(2)), 2);
    action.opp[kLittle] = static_cast<std::uint8_t>(random.below(2));
    for (int a = 0; a < 2; ++a) {
      action.app[a] = {static_cast<std::uint8_t>(random.below(9)),
                       static_cast<std::uint8_t>(random.below(2))};
    }
    sim.apply(action);
    all.emplace_back();
    status = sim.advance(ms(5 + 30 * random.uniform(), random.below(2) == 0), all.back());
  }
  return all;
}

PlatformSpec board_that_throttles() {
  PlatformSpec spec = round_board();
  spec.decision_latency_us = 100;
  spec.apps[0].unit[kBig].memory_ms = 10;
  spec.thermal = {{"die", kBig, 10, {{12, 0.2}}}, {"rim", kLittle, 5, {{4, 2}}}};
  TripPoint hot{TripPoint::Kind::kCap, 50, 4, kBig};
  hot.cap_khz = 1'000'000;
  spec.trips = {hot};
  return spec;
}

TEST(Monitors, WhatIsKeptOfAnObservationIsItAtItsResolution) {
  const PlatformSpec spec = board_that_throttles();
  const MonitorTable table = table_of(spec, {"camera", "guest"});
  std::vector<Observation> all = observations(spec, 1);
  Random random(8);
  for (Observation& out : all) {
    out.held = random.below(2) == 0 ? 0 : random.below(1 << 30);
    out.cluster[kBig].error = static_cast<std::int16_t>(random.below(65536));
    Observation kept;
    for (const Monitor& row : table.rows()) restore(row, quantised(row, out), kept);
    for (const Monitor& row : table.rows()) {
      const Reading was = read(row, out), is = read(row, kept);
      ASSERT_EQ(was.valid, is.valid) << row.name;
      if (row.type == Monitor::Type::kDerived) continue;
      if (!was.valid) continue;
      if (row.resolution == 0) {
        ASSERT_EQ(was.value, is.value) << row.name;
      } else {
        ASSERT_NEAR(was.value, is.value, row.resolution * 0.5 * (1 + 1e-9)) << row.name;
      }
      ASSERT_EQ(quantised(row, kept), quantised(row, out)) << row.name;
    }
  }
}

TEST(Monitors, WhatIsNotANumberStaysSo) {
  const MonitorTable table = table_of(round_board(), {});
  Observation out, kept;
  out.power_mw = std::nan("");
  const Monitor& power = *table.find("power");
  restore(power, quantised(power, out), kept);
  EXPECT_TRUE(std::isnan(kept.power_mw));
  EXPECT_FALSE(read(power, kept).valid);
}

std::size_t width_of(Monitor::Type type) {
  using T = Monitor::Type;
  switch (type) {
    case T::kF64:
    case T::kI64:
    case T::kU64:
      return 8;
    case T::kU32:
    case T::kI32:
      return 4;
    case T::kI16:
      return 2;
    case T::kU8:
    case T::kBool:
      return 1;
    case T::kDerived:
      return 0;
  }
  return 0;
}

/// Bytes that some row of `scope` and `index` keeps.
std::vector<bool> kept_bytes(const MonitorTable& table, Monitor::Scope scope, int index,
                             std::size_t bytes) {
  std::vector<bool> kept(bytes);
  for (const Monitor& row : table.rows()) {
    if (row.scope != scope || row.index != index) continue;
    for (std::size_t i = 0; i < width_of(row.type); ++i) kept.at(row.offset + i) = true;
  }
  return kept;
}

void except(std::vector<bool>& kept, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) kept[i] = true;
}

template <class Struct>
void expect_kept(const Struct& before, const Struct& after, const std::vector<bool>& kept,
                 const char* what) {
  unsigned char from[sizeof(Struct)], to[sizeof(Struct)];
  std::memcpy(from, &before, sizeof from);
  std::memcpy(to, &after, sizeof to);
  for (std::size_t i = 0; i < sizeof from; ++i) {
    ASSERT_TRUE(from[i] == to[i] || kept[i]) << what << ": byte " << i << " has no monitor";
  }
}

// Whatever a policy can read is in the table: no byte of an observation changes that no row keeps.
TEST(Monitors, NothingChangesThatIsNotInTheTable) {
  const PlatformSpec spec = board_that_throttles();
  const MonitorTable table = table_of(spec, {"camera", "guest"});
  constexpr std::size_t kAfterValid = offsetof(Counters, held) + 1;
  // The end of Counters is padding.
  auto cluster = [&](int c) {
    auto kept = kept_bytes(table, Monitor::Scope::kCluster, c, sizeof(ClusterObservation));
    const std::size_t counters = offsetof(ClusterObservation, counters);
    except(kept, counters + kAfterValid, counters + sizeof(Counters));
    return kept;
  };
  auto app = [&](int a) {
    auto kept = kept_bytes(table, Monitor::Scope::kApp, a, sizeof(AppObservation));
    const std::size_t counters = offsetof(AppObservation, counters);
    except(kept, counters + kAfterValid, counters + sizeof(Counters));
    return kept;
  };
  const std::vector<bool> clusters[] = {cluster(0), cluster(1)}, apps[] = {app(0), app(1)};
  bool queued = false, capped = false, dropped = false;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Observation fresh;
    const std::vector<Observation> all = observations(spec, seed);
    for (const Observation& out : all) {
      for (int c = 0; c < 2; ++c) {
        expect_kept(fresh.cluster[c], out.cluster[c], clusters[c], "cluster");
        capped = capped || out.cluster[c].opp_cap == 0;
      }
      for (int a = 0; a < 2; ++a) {
        expect_kept(fresh.app[a], out.app[a], apps[a], "application");
        queued = queued || out.app[a].waiting_count > 5;
        dropped = dropped || out.app[a].dropped > 0;
      }
    }
  }
  EXPECT_TRUE(queued && capped && dropped);
  // That the walk would notice: without the row of the cap it does.
  EXPECT_TRUE(clusters[0][offsetof(ClusterObservation, opp_cap)]);
  MonitorTable other = table_of(spec, {"camera"});
  EXPECT_FALSE(kept_bytes(other, Monitor::Scope::kApp, 1, sizeof(AppObservation))[0]);
}

}  // namespace
}  // namespace flyball
