#include "env/spaces/monitors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "env/spaces/reward.h"
#include "tests/env/round_board.h"

namespace flyball {
namespace {

Binding named(const std::string& name) {
  return {name, "net", 1, false, {{50, true, 59}, {50, false, 60}, {100, false, 70}}};
}

MonitorTable table_of(const PlatformSpec& spec, std::initializer_list<const char*> apps) {
  MonitorTable table(spec, RewardWeights{});
  int slot = 0;
  for (const char* app : apps) table.bind(slot++, named(app), {});
  return table;
}

TEST(Knobs, AreTheFrequenciesMappingsAndLevels) {
  const PlatformSpec spec = round_board();
  const std::vector<KnobSpec> clusters = knobs_of(spec);
  ASSERT_EQ(clusters.size(), 2u);
  EXPECT_EQ(clusters[0].name, "big.freq");
  EXPECT_EQ(clusters[0].unit, "kHz");
  EXPECT_EQ(clusters[1].values, (std::vector<std::string>{"500000", "1000000"}));
  const std::vector<KnobSpec> camera = knobs_of(spec, 1, named("camera"));
  ASSERT_EQ(camera.size(), 2u);
  EXPECT_EQ(camera[0].name, "camera.mapping");
  EXPECT_EQ(camera[0].values.size(), spec.mappings.size());
  EXPECT_EQ(camera[0].values[1], "bigx2");
  EXPECT_EQ(camera[1].name, "camera.level");
  EXPECT_EQ(camera[1].values, (std::vector<std::string>{"50 int8", "50", "100"}));
  Action action;
  action.opp = {1, 0};
  action.app[0] = {3, 1};
  action.app[1] = {5, 2};
  EXPECT_EQ(setting_of(clusters[0], action), 1);
  EXPECT_EQ(setting_of(clusters[1], action), 0);
  EXPECT_EQ(setting_of(camera[0], action), 5);
  EXPECT_EQ(setting_of(camera[1], action), 2);
}

TEST(Monitors, CarryUnitDirectionRangeAndWeight) {
  PlatformSpec spec = round_board();
  TripPoint trip{};
  trip.kind = TripPoint::Kind::kStepDown;
  trip.cluster = kBig;
  trip.temp_c = 70;
  spec.trips = {trip};
  MonitorTable table(spec, RewardWeights{}, {"temp"});
  Requirements required;
  required.deadline_ns = 80 * kMs;
  required.power_budget_mw = 1500;
  required.priority = 2;
  table.bind(0, named("camera"), required);
  const auto row = [&](const char* name) { return *table.find(name); };
  EXPECT_EQ(row("power").unit, "mW");
  EXPECT_EQ(row("power").direction, Monitor::Direction::kLowerIsBetter);
  EXPECT_EQ(row("power").desired_max, 1500);
  EXPECT_EQ(row("power").weight, 1);
  EXPECT_EQ(row("big.temp").desired_max, 65);
  EXPECT_EQ(row("little.temp").desired_max, 80);
  EXPECT_TRUE(row("big.temp").measured);
  EXPECT_FALSE(row("big.power").measured);
  EXPECT_EQ(row("camera.latency").desired_max, 80);
  EXPECT_EQ(row("camera.latency").unit, "ms");
  EXPECT_EQ(row("camera.misses").weight, 6);
  EXPECT_EQ(row("camera.shortfall").desired_max, 0);
  EXPECT_EQ(row("camera.shortfall").direction, Monitor::Direction::kLowerIsBetter);
  EXPECT_EQ(row("big.ipc").direction, Monitor::Direction::kHigherIsBetter);
  EXPECT_EQ(row("little.freq").desired_max, 1'000'000);
  EXPECT_EQ(table.find("camera.colour"), nullptr);
}

TEST(Monitors, TheStrictestPowerBudgetIsTheLimit) {
  MonitorTable table = table_of(round_board(), {});
  const auto limit = [&] { return table.find("power")->desired_max; };
  EXPECT_TRUE(std::isinf(limit()));
  table.bind(0, named("a"), {.power_budget_mw = 900});
  table.bind(1, named("b"), {.power_budget_mw = 700});
  table.bind(2, named("c"), {});
  EXPECT_EQ(limit(), 700);
  table.bind(1, named("d"), {});
  EXPECT_EQ(limit(), 900);
}

Counters counters_from(double first) {
  return {first, first + 1, first + 2, first + 3, first + 4, first + 5, Counters::kAll};
}

/// Every field another number.
Observation numbered() {
  Observation out;
  out.sequence = 9;
  out.now_ns = 1234;
  out.epoch_ns = 55;
  out.energy_mj = 12.5;
  out.power_mw = 700;
  out.battery_pct = 33;
  out.energy_preference = 0.25;
  out.cluster_count = 2;
  out.app_count = 1;
  out.roster_version = 17;
  out.sensors_ok = false;
  out.held = 4;
  out.jobs_unlisted = 6;
  ClusterObservation& big = out.cluster[kBig];
  big = {2'000'000, 1'500'000, 1024, 0.5, 0.25, 600, 61, counters_from(1e6), 1, 2, 3, -5};
  AppObservation& app = out.app[0];
  app.generation = 7;
  app.active = true;
  app.required = {41, 42, 43.5, 44.5, 45.5, 46};
  app.setting = {47, 48};
  app.released = 49;
  app.finished = 50;
  app.dropped = 51;
  app.missed = 52;
  app.backlog = 53;
  app.energy_mj = 54.5;
  app.accuracy_shortfall_pct = 55.5;
  app.over_budget_mj = 56.5;
  app.counters = counters_from(2e6);
  app.last_latency_ns = 57 * kMs;
  app.last_execution_ns = 58 * kMs;
  app.last_cycles = 59e3;
  app.last_setting = {60, 61};
  app.running = {true, 62, 63, 64, 65, {66, 67}, {}};
  app.waiting_count = 68;
  for (std::uint32_t i = 0; i < kMaxQueue; ++i) {
    app.waiting[i] = {100 + i, 200 + std::int64_t{i}, 300 + std::int64_t{i}};
  }
  return out;
}

TEST(Monitors, EveryRowReadsWhatTheStructHolds) {
  const PlatformSpec spec = round_board();
  const MonitorTable table = table_of(spec, {"cam"});
  const Observation out = numbered();
  std::map<std::string, double> expected = {{"sequence", 9},
                                            {"now", 1234},
                                            {"epoch", 55},
                                            {"energy", 12.5},
                                            {"power", 700},
                                            {"battery", 33},
                                            {"preference", 0.25},
                                            {"clusters", 2},
                                            {"apps", 1},
                                            {"roster", 17},
                                            {"sensors_ok", 0},
                                            {"held", 4},
                                            {"unlisted", 6},
                                            {"big.freq", 2'000'000},
                                            {"big.asked", 1'500'000},
                                            {"big.capacity", 1024},
                                            {"big.util", 50},
                                            {"big.util_mean", 25},
                                            {"big.power", 600},
                                            {"big.temp", 61},
                                            {"big.opp", 1},
                                            {"big.asked_opp", 2},
                                            {"big.opp_cap", 3},
                                            {"big.error", -5},
                                            {"cam.generation", 7},
                                            {"cam.active", 1},
                                            {"cam.latency", 57},
                                            {"cam.misses", 52},
                                            {"cam.shortfall", 55.5},
                                            {"cam.backlog", 53},
                                            {"cam.energy", 54.5},
                                            {"cam.over_budget", 56.5},
                                            {"cam.released", 49},
                                            {"cam.finished", 50},
                                            {"cam.dropped", 51},
                                            {"cam.execution", 58},
                                            {"cam.job_cycles", 59},
                                            {"cam.last_mapping", 60},
                                            {"cam.last_level", 61},
                                            {"cam.mapping", 47},
                                            {"cam.level", 48},
                                            {"cam.period", 41},
                                            {"cam.deadline", 42},
                                            {"cam.accuracy_floor", 43.5},
                                            {"cam.energy_budget", 44.5},
                                            {"cam.power_budget", 45.5},
                                            {"cam.priority", 46},
                                            {"cam.running", 1},
                                            {"cam.running.sequence", 62},
                                            {"cam.running.release", 63},
                                            {"cam.running.start", 64},
                                            {"cam.running.deadline", 65},
                                            {"cam.running.mapping", 66},
                                            {"cam.running.level", 67},
                                            {"cam.waiting", 68}};
  for (const auto& [prefix, base] : {std::pair{"big.", 1e6}, std::pair{"cam.", 2e6}}) {
    const std::string p = prefix;
    expected[p + "instructions"] = base / 1000;
    expected[p + "cycles"] = (base + 1) / 1000;
    expected[p + "cache_references"] = (base + 2) / 1000;
    expected[p + "cache_misses"] = (base + 3) / 1000;
    expected[p + "stalled_cycles"] = (base + 4) / 1000;
    expected[p + "context_switches"] = base + 5;
    expected[p + "counters_valid"] = 63;
    expected[p + "ipc"] = base / (base + 1);
    expected[p + "misses_per_kilo_instruction"] = 1000 * (base + 3) / base;
    expected[p + "stall_share"] = (base + 4) / (base + 1);
  }
  for (int i = 0; i < kMaxQueue; ++i) {
    const std::string p = "cam.waiting" + std::to_string(i);
    expected[p + ".sequence"] = 100 + i;
    expected[p + ".release"] = 200 + i;
    expected[p + ".deadline"] = 300 + i;
  }
  std::set<std::string> seen;
  for (const Monitor& row : table.rows()) {
    const Reading reading = read(row, out);
    EXPECT_EQ(reading.stamp_ns, 1234);
    EXPECT_EQ(reading.sequence, 9u);
    EXPECT_TRUE(seen.insert(row.name).second) << row.name << " twice";
    if (row.scope == Monitor::Scope::kCluster && row.index == kLittle) continue;
    ASSERT_TRUE(expected.contains(row.name)) << row.name;
    EXPECT_TRUE(reading.valid) << row.name;
    EXPECT_DOUBLE_EQ(reading.value, expected[row.name]) << row.name;
  }
  for (const auto& [name, value] : expected) EXPECT_TRUE(seen.contains(name)) << name;
}

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
  all.push_back(numbered());
  all.back().cluster[kLittle].error = 110;
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

TEST(Monitors, ACounterThatIsNotThereIsNotZero) {
  const MonitorTable table = table_of(round_board(), {"camera"});
  struct Needs {
    const char* name;
    std::uint8_t bits;
  };
  const Needs all[] = {{"instructions", Counters::kInstructions},
                       {"cycles", Counters::kCycles},
                       {"cache_references", Counters::kReferences},
                       {"cache_misses", Counters::kMisses},
                       {"stalled_cycles", Counters::kStalls},
                       {"context_switches", Counters::kSwitches},
                       {"ipc", Counters::kInstructions | Counters::kCycles},
                       {"misses_per_kilo_instruction", Counters::kMisses | Counters::kInstructions},
                       {"stall_share", Counters::kStalls | Counters::kCycles}};
  Observation out = numbered();
  for (int valid = 0; valid < 64; ++valid) {
    out.cluster[kBig].counters.valid = static_cast<std::uint8_t>(valid);
    out.app[0].counters.valid = static_cast<std::uint8_t>(63 - valid);
    for (const Needs& needs : all) {
      for (const bool of_app : {false, true}) {
        const std::string name = std::string(of_app ? "camera." : "big.") + needs.name;
        const Reading reading = read(*table.find(name), out);
        const int has = of_app ? 63 - valid : valid;
        ASSERT_EQ(reading.valid, (has & needs.bits) == needs.bits) << name << " with " << has;
        ASSERT_EQ(std::isnan(reading.value), !reading.valid) << name;
      }
    }
  }
  // Nothing was counted: there is no ratio.
  out.app[0].counters = {};
  out.app[0].counters.valid = Counters::kAll;
  EXPECT_FALSE(read(*table.find("camera.ipc"), out).valid);
  EXPECT_TRUE(read(*table.find("camera.cycles"), out).valid);
}

TEST(Monitors, BindingAddsRowsAndBindingAnewReplacesThem) {
  MonitorTable table = table_of(round_board(), {});
  const std::size_t none = table.rows().size();
  table.bind(0, named("camera"), {});
  const std::size_t one = table.rows().size();
  EXPECT_GT(one, none + 20);
  table.bind(5, named("audio"), {.deadline_ns = 20 * kMs});
  EXPECT_EQ(table.rows().size() - one, one - none);
  for (std::size_t i = 0; i < none; ++i) {
    EXPECT_EQ(table.rows()[i].name, table_of(round_board(), {}).rows()[i].name);
  }
  ASSERT_NE(table.find("camera.latency"), nullptr);
  table.bind(0, named("door"), {.deadline_ns = 70 * kMs});
  EXPECT_EQ(table.rows().size(), one + one - none);
  EXPECT_EQ(table.find("camera.latency"), nullptr);
  EXPECT_EQ(table.find("door.latency")->desired_max, 70);
  EXPECT_EQ(table.find("audio.latency")->desired_max, 20);
  EXPECT_EQ(table.find("audio.latency")->index, 5);
  Observation out;
  out.app[0].last_latency_ns = 3 * kMs;
  out.app[5].last_latency_ns = 4 * kMs;
  EXPECT_EQ(read(*table.find("door.latency"), out).value, 3);
  EXPECT_EQ(read(*table.find("audio.latency"), out).value, 4);
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
  constexpr std::size_t kAfterValid = offsetof(Counters, valid) + 1;
  // The end of Counters and of Requirements is padding.
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
    const std::size_t required = offsetof(AppObservation, required);
    except(kept, required + offsetof(Requirements, priority) + sizeof(int),
           required + sizeof(Requirements));
    // Which CPUs serve a job is for people and for the pool. It has no order and no unit, and takes
    // 128 bytes; its numbers (how many of which cluster) are the mapping's.
    const std::size_t cpus =
        offsetof(AppObservation, running) + offsetof(RunningJobObservation, cpus);
    except(kept, cpus, cpus + sizeof(CpuSet));
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
